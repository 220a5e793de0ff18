//! The tokens for the requests to one vault, or to one storage account.

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

/// Minimum remaining lifetime of a token, the same as the SDK's.
const MARGIN: Duration = Duration::from_secs(300);

/// The scope of tokens for Azure Storage:
/// <https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory#microsoft-authentication-library-msal>
pub(super) const STORAGE_SCOPE: &str = "https://storage.azure.com/.default";

/// The service that tokens are for.
#[derive(Clone, Debug)]
pub(super) enum Audience {
    /// A vault, which names the scope in a challenge.
    Vault(VaultUrl),
    /// Azure Storage.
    Storage,
}

/// Caches the token of a service, and requests another when it expires or is rejected.
///
/// The SDK's credentials cache a rejected token until it expires, so each token request
/// creates a new one.
#[derive(Debug)]
pub(super) struct AzureTokens {
    pub(super) credential: AzureCredential,
    pub(super) audience: Audience,
    pub(super) routes: IdentityRoutes,
    pub(super) probe: HttpClient,
    pub(super) metadata: Url,
    pub(super) refused: RefusedToken,
    /// The ambient credential that provided the first token.
    pub(super) chosen: OnceLock<AzureCredential>,
    pub(super) kept: tokio::sync::Mutex<Option<Kept>>,
}

/// A token and its scope. The SDK's token type redacts itself in `Debug`.
#[derive(Debug)]
pub(super) struct Kept {
    scope: String,
    token: AccessToken,
}

impl Audience {
    fn accepts(&self, scope: &str) -> bool {
        match self {
            Self::Vault(vault) => vault.accepts(scope),
            Self::Storage => scope == STORAGE_SCOPE,
        }
    }
}

impl AzureTokens {
    /// Returns a token for exactly one scope, which must be the service's.
    pub(super) async fn token(&self, scopes: &[&str]) -> Result<AccessToken, AzureError> {
        let [scope] = scopes else {
            let said = "not exactly one scope";
            return Err(identity(AzureErrorKind::UntrustedChallenge, said));
        };
        if !self.audience.accepts(scope) {
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
        // The lock on `kept` serializes these calls.
        let _ = self.chosen.set(credential);
        Ok(token)
    }
}

#[async_trait]
impl TokenCredential for AzureTokens {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.token(scopes).await.map_err(failure)
    }
}
