//! The ambient credentials, in the order of Microsoft's `DefaultAzureCredential`.

use azure_core::credentials::AccessToken;
use http::{HeaderMap, Method};
use url::Url;

use super::credential::{AzureCredential, IdentityRoutes, TOKEN_FILE};
use super::environment::variable;
use super::error::{AzureError, AzureErrorKind, identity};
use crate::http::{HttpClient, HttpRequest};
use planton_secret::SecretString;

/// The ambient credential chain, used if no credential is configured.
///
/// It follows Microsoft's `DefaultAzureCredential`, which the SDK for Rust lacks. The
/// order is an application's secret in the environment, a workload identity, a managed
/// identity, and the Azure CLI.
///
/// If the environment configures a credential, its failure is final. The chain skips a
/// managed identity only if the machine has none.
#[derive(Debug)]
pub(super) struct Ambient<'a> {
    pub(super) tenant_id: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) routes: &'a IdentityRoutes,
    /// Sends one request to this machine's metadata service, with a short timeout.
    pub(super) probe: HttpClient,
    pub(super) metadata: Url,
}

impl Ambient<'_> {
    /// Returns the first token, and the credential that it belongs to.
    pub(super) async fn first(
        self,
        scopes: &[&str],
    ) -> Result<(AzureCredential, AccessToken), AzureError> {
        if let Some(credential) = self.configured() {
            let token = credential.token(self.routes, scopes).await?;
            return Ok((credential, token));
        }
        if self.machine_may_have_an_identity().await {
            let client_id = self.client_id.clone();
            let client_id = client_id.or_else(|| variable("AZURE_CLIENT_ID"));
            let credential = AzureCredential::ManagedIdentity { client_id };
            match credential.token(self.routes, scopes).await {
                Ok(token) => return Ok((credential, token)),
                Err(error) if error.kind() == AzureErrorKind::NoManagedIdentity => {}
                Err(error) => return Err(error),
            }
        }
        let credential = AzureCredential::Cli {
            tenant_id: self.tenant_id,
        };
        match credential.token(self.routes, scopes).await {
            Ok(token) => Ok((credential, token)),
            Err(error) if error.kind() == AzureErrorKind::NoCredential => {
                let said = format!(
                    "the environment has no AZURE_CLIENT_SECRET and no {TOKEN_FILE}, \
                     this machine has no managed identity, and of the CLI: {error}"
                );
                Err(identity(AzureErrorKind::NoCredential, said))
            }
            Err(error) => Err(error),
        }
    }

    fn configured(&self) -> Option<AzureCredential> {
        let tenant_id = self
            .tenant_id
            .clone()
            .or_else(|| variable("AZURE_TENANT_ID"));
        let client_id = self
            .client_id
            .clone()
            .or_else(|| variable("AZURE_CLIENT_ID"));
        if let (Some(tenant_id), Some(client_id), Some(secret)) =
            (&tenant_id, &client_id, variable("AZURE_CLIENT_SECRET"))
        {
            return Some(AzureCredential::ClientSecret {
                tenant_id: tenant_id.clone(),
                client_id: client_id.clone(),
                secret: SecretString::new(secret),
            });
        }
        variable(TOKEN_FILE)?;
        Some(AzureCredential::WorkloadIdentity {
            tenant_id,
            client_id,
        })
    }

    /// Returns true if this machine may have a managed identity.
    ///
    /// An App Service sets an environment variable. A virtual machine's metadata
    /// service returns 400 to a request without its header. On other machines, nothing
    /// listens at that address, or a server without that path.
    async fn machine_may_have_an_identity(&self) -> bool {
        if variable("IDENTITY_ENDPOINT").is_some() {
            return true;
        }
        let mut url = self.metadata.clone();
        url.set_path("/metadata/identity/oauth2/token");
        url.set_query(Some("api-version=2018-02-01"));
        let request = HttpRequest {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
        };
        let answer = self.probe.send(&request).await;
        answer.is_ok_and(|answer| answer.status == http::StatusCode::BAD_REQUEST)
    }
}
