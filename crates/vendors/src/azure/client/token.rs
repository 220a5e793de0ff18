//! The tokens of one vault's requests.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use url::Url;

use super::ambient::Ambient;
use super::credential::{AzureCredential, IdentityRoutes};
use super::error::{AzureError, AzureErrorKind, identity};
use super::transport::{RefusedToken, failure};
use super::vault::VaultUrl;
use crate::http::HttpClient;

/// A token that ends within this time is replaced, as the SDK does.
const MARGIN: Duration = Duration::from_secs(300);

/// Hands out a vault's token, and asks for another when it ends or is refused.
///
/// The SDK's credentials keep a refused token until its time is up, so one of
/// them is made for every token.
#[derive(Debug)]
pub(super) struct VaultTokens {
    pub(super) credential: AzureCredential,
    pub(super) vault: VaultUrl,
    pub(super) routes: IdentityRoutes,
    pub(super) probe: HttpClient,
    pub(super) metadata: Url,
    pub(super) refused: RefusedToken,
    /// Which of the ambient credentials it was.
    pub(super) chosen: OnceLock<AzureCredential>,
    pub(super) kept: tokio::sync::Mutex<Option<Kept>>,
}

/// A token and what it is for. The SDK's type of a token prints nothing of it.
#[derive(Debug)]
pub(super) struct Kept {
    scope: String,
    token: AccessToken,
}

impl VaultTokens {
    async fn token(&self, scopes: &[&str]) -> Result<AccessToken, AzureError> {
        let [scope] = scopes else {
            let said = "not exactly one scope";
            return Err(identity(AzureErrorKind::UntrustedChallenge, said));
        };
        if !self.vault.accepts(scope) {
            let said = "the vault asks for a token for something other than Key Vault";
            return Err(identity(AzureErrorKind::UntrustedChallenge, said));
        }
        let mut kept = self.kept.lock().await;
        if let Some(Kept { scope: of, token }) = &*kept
            && of == scope
            && token.expires_on > OffsetDateTime::now_utc() + MARGIN
            && !self.refused.is(token.token.secret())
        {
            return Ok(token.clone());
        }
        let token = self.ask(scopes).await?;
        *kept = Some(Kept {
            scope: (*scope).to_owned(),
            token: token.clone(),
        });
        Ok(token)
    }

    async fn ask(&self, scopes: &[&str]) -> Result<AccessToken, AzureError> {
        let AzureCredential::Ambient {
            tenant_id,
            client_id,
        } = &self.credential
        else {
            return self.credential.token(&self.routes, scopes).await;
        };
        if let Some(chosen) = self.chosen.get() {
            return chosen.token(&self.routes, scopes).await;
        }
        let ambient = Ambient {
            tenant_id: tenant_id.clone(),
            client_id: client_id.clone(),
            routes: &self.routes,
            probe: self.probe.clone(),
            metadata: self.metadata.clone(),
        };
        let (credential, token) = ambient.first(scopes).await?;
        // Only one asks at a time: `kept` is locked.
        let _ = self.chosen.set(credential);
        Ok(token)
    }
}

#[async_trait]
impl TokenCredential for VaultTokens {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.token(scopes).await.map_err(failure)
    }
}
