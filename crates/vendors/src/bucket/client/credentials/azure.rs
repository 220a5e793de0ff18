//! The credential of Azure Blob Storage: a token of Microsoft Entra.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::azure::AzureCredential;

use super::super::fault::{Fault, FaultKind};
use super::no_credential;
use crate::azure::client::{AzureError, AzureErrorKind, StorageTokens};
use planton_secret::SecretString;

/// Provides the tokens of Microsoft's own crate.
#[derive(Debug)]
pub(in crate::bucket::client) struct AzureProvider {
    tokens: StorageTokens,
    used: Mutex<Option<SecretString>>,
}

impl AzureProvider {
    pub(in crate::bucket::client) fn new(tokens: StorageTokens) -> Self {
        Self {
            tokens,
            used: Mutex::new(None),
        }
    }

    /// Discards the token that was rejected. Returns whether there was one.
    ///
    /// Each of several requests with the same token may call it.
    pub(in crate::bucket::client) fn renews(&self) -> bool {
        let used = self
            .used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match used {
            Some(token) => {
                self.tokens.refuse(token.expose());
                true
            }
            None => false,
        }
    }
}

#[async_trait]
impl CredentialProvider for AzureProvider {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let token = self.tokens.token().await;
        let token = token.map_err(|error| no_credential(fault(error)))?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = Some(SecretString::from(token.as_str()));
        Ok(Arc::new(AzureCredential::BearerToken(token)))
    }
}

/// Classifies a failure to get a token.
pub(in crate::bucket::client) fn fault(error: AzureError) -> Fault {
    use AzureErrorKind as K;
    let (kind, remedy) = match error.kind() {
        K::Ended => (FaultKind::Ended, None),
        K::RateLimited => (FaultKind::RateLimited, None),
        K::Unavailable => (FaultKind::Unavailable, None),
        K::Unreachable => (
            FaultKind::Unavailable,
            Some("Check authority_host, and that it can be reached from here."),
        ),
        K::Untrusted => (FaultKind::Untrusted, Some("Check authority_host.")),
        K::Misconfigured => (FaultKind::Misconfigured, None),
        K::WrongTenant => (
            FaultKind::Unauthenticated,
            Some("There is no such tenant. Check tenant_id."),
        ),
        K::UnknownApplication => (
            FaultKind::Unauthenticated,
            Some("The tenant does not know the application. Check client_id and tenant_id."),
        ),
        K::WrongClientSecret => (
            FaultKind::Unauthenticated,
            Some("The client secret is wrong, or has expired. Set client_secret to a valid one."),
        ),
        K::WrongFederation => (
            FaultKind::Unauthenticated,
            Some("No federated credential of the application matches the token. Check client_id."),
        ),
        K::NoManagedIdentity => (
            FaultKind::Unauthenticated,
            Some("This machine has no such managed identity. Assign one, or check client_id."),
        ),
        _ => (
            FaultKind::Unauthenticated,
            Some(
                "Set client_secret with tenant_id and client_id, or provide ambient credentials: \
                 AZURE_CLIENT_SECRET, a workload identity, a managed identity, or `az login`.",
            ),
        ),
    };
    let said = error.to_string();
    let fault = Fault::new(kind, said).with_remedy(remedy.map(str::to_owned));
    fault.with_source(error)
}
