//! The tokens for Azure Storage, of the same credentials as those for vaults.

use super::connection::{authority_of, metadata_settings};
use super::credential::AzureCredential;
use super::error::{AzureError, AzurePlace};
use super::token::{Audience, AzureTokens, STORAGE_SCOPE};
use super::transport::RefusedToken;
use super::vault::AuthorityHost;
use crate::http::{HttpClient, HttpSettings};

/// Provides the tokens for requests to a storage account.
#[derive(Debug)]
pub(crate) struct StorageTokens {
    tokens: AzureTokens,
    refused: RefusedToken,
}

impl StorageTokens {
    /// Creates the tokens over `http`, which was built from `settings`. No I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if an environment variable contains an unusable address.
    pub(crate) fn new(
        credential: &AzureCredential,
        authority: Option<&AuthorityHost>,
        http: &HttpClient,
        settings: &HttpSettings,
    ) -> Result<Self, AzureError> {
        let metadata = HttpClient::new(&metadata_settings(settings))
            .map_err(|error| AzureError::from_http(&error, AzurePlace::Identity))?;
        let refused = RefusedToken::default();
        let authority = authority_of(AuthorityHost::public, authority, credential)?;
        let clients = (http, &metadata);
        let (audience, known) = (Audience::Storage, refused.clone());
        Ok(Self {
            tokens: AzureTokens::new(audience, credential, &authority, clients, known)?,
            refused,
        })
    }

    /// Returns a token.
    ///
    /// # Errors
    ///
    /// As the credential fails.
    pub(crate) async fn token(&self) -> Result<String, AzureError> {
        let token = self.tokens.token(&[STORAGE_SCOPE]).await?;
        Ok(token.token.secret().to_owned())
    }

    /// Discards a token that the server rejected.
    pub(crate) fn refuse(&self, token: &str) {
        self.refused.remember(format!("Bearer {token}").as_bytes());
    }
}
