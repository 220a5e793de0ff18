//! The configured credential, and the SDK's implementation of it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential};
use azure_core::http::ClientOptions;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    Executor, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use super::environment::variable;
use super::error::{AzureError, AzureErrorKind, AzurePlace, identity};
use super::github::{GitHubAssertion, GitHubToken};
use crate::http::HttpClient;
use planton_secret::SecretString;

/// Timeout of `az`, which starts an interpreter and requests a token.
const CLI_BOUND: Duration = Duration::from_secs(30);

/// Environment variable with the path of a workload identity's token.
pub(super) const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// A source of tokens.
#[derive(Clone)]
pub enum AzureCredential {
    /// An application with a client secret.
    ClientSecret {
        /// The application's tenant.
        tenant_id: String,
        /// The application's client ID.
        client_id: String,
        /// The client secret.
        secret: SecretString,
    },
    /// A managed identity of this machine.
    ManagedIdentity {
        /// Client ID of a user-assigned identity; absent for the system-assigned one.
        client_id: Option<String>,
    },
    /// The account that is logged in to the Azure CLI.
    Cli {
        /// The tenant; absent for the CLI's default.
        tenant_id: Option<String>,
    },
    /// An application that trusts the tokens of a Kubernetes cluster or of GitHub. The
    /// environment provides the absent parts.
    WorkloadIdentity {
        /// The application's tenant.
        tenant_id: Option<String>,
        /// The application's client ID.
        client_id: Option<String>,
    },
    /// The first of the ambient credentials.
    Ambient {
        /// A tenant that takes precedence over the environment's.
        tenant_id: Option<String>,
        /// A client ID that takes precedence over the environment's.
        client_id: Option<String>,
    },
}

impl fmt::Debug for AzureCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientSecret { .. } => "ClientSecret",
            Self::ManagedIdentity { .. } => "ManagedIdentity",
            Self::Cli { .. } => "Cli",
            Self::WorkloadIdentity { .. } => "WorkloadIdentity",
            Self::Ambient { .. } => "Ambient",
        })
    }
}

/// The HTTP options for token requests.
#[derive(Debug)]
pub(super) struct IdentityRoutes {
    /// Options for the token authority.
    pub(super) authority: ClientOptions,
    /// Options for this machine's managed identity service.
    pub(super) machine: ClientOptions,
    /// Client for GitHub.
    pub(super) http: HttpClient,
}

impl AzureCredential {
    /// Requests a new token.
    pub(super) async fn token(
        &self,
        routes: &IdentityRoutes,
        scopes: &[&str],
    ) -> Result<AccessToken, AzureError> {
        let credential = self.sdk(routes)?;
        let token = credential.get_token(scopes, None).await;
        token.map_err(|error| self.explain(&error))
    }

    fn sdk(&self, routes: &IdentityRoutes) -> Result<Arc<dyn TokenCredential>, AzureError> {
        let unusable = |error: azure_core::Error| self.explain(&error);
        Ok(match self {
            Self::ClientSecret {
                tenant_id,
                client_id,
                secret,
            } => ClientSecretCredential::new(
                tenant_id,
                client_id.clone(),
                Secret::new(secret.expose().to_owned()),
                Some(ClientSecretCredentialOptions {
                    client_options: routes.authority.clone(),
                }),
            )
            .map_err(unusable)?,
            Self::ManagedIdentity { client_id } => {
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                    client_options: routes.machine.clone(),
                };
                ManagedIdentityCredential::new(Some(options)).map_err(unusable)?
            }
            Self::Cli { tenant_id } => {
                let options = AzureCliCredentialOptions {
                    tenant_id: tenant_id.clone(),
                    executor: Some(Arc::new(Bounded(azure_identity::new_executor()))),
                    ..AzureCliCredentialOptions::default()
                };
                AzureCliCredential::new(Some(options)).map_err(unusable)?
            }
            Self::WorkloadIdentity {
                tenant_id,
                client_id,
            } => federated(tenant_id.clone(), client_id.clone(), routes)?,
            Self::Ambient { .. } => {
                let said = "a chain has no credential of its own";
                return Err(identity(AzureErrorKind::Misconfigured, said));
            }
        })
    }

    /// Classifies an error of the SDK, which may quote responses and program output.
    fn explain(&self, error: &azure_core::Error) -> AzureError {
        use AzureErrorKind as K;
        let known = AzureError::from_sdk(error, AzurePlace::Identity);
        match self {
            Self::ManagedIdentity { .. } => match known.kind() {
                K::Unauthenticated | K::Unreachable | K::Unexpected => {
                    identity(K::NoManagedIdentity, known.to_string())
                }
                _ => known,
            },
            Self::Cli { .. } if known.kind() == K::Unexpected => cli_error(&error.to_string()),
            _ => known,
        }
    }
}

fn federated(
    tenant_id: Option<String>,
    client_id: Option<String>,
    routes: &IdentityRoutes,
) -> Result<Arc<dyn TokenCredential>, AzureError> {
    let missing = |what: &str| identity(AzureErrorKind::NoCredential, format!("{what} is not set"));
    let tenant_id = tenant_id
        .or_else(|| variable("AZURE_TENANT_ID"))
        .ok_or_else(|| missing("tenant_id or AZURE_TENANT_ID"))?;
    let client_id = client_id
        .or_else(|| variable("AZURE_CLIENT_ID"))
        .ok_or_else(|| missing("client_id or AZURE_CLIENT_ID"))?;
    let credential_options = ClientAssertionCredentialOptions {
        client_options: routes.authority.clone(),
    };
    if let Some(file) = variable(TOKEN_FILE) {
        let options = WorkloadIdentityCredentialOptions {
            credential_options,
            tenant_id: Some(tenant_id),
            client_id: Some(client_id),
            token_file_path: Some(PathBuf::from(file)),
        };
        let credential = WorkloadIdentityCredential::new(Some(options)).map_err(|_| {
            let said = format!("the file that {TOKEN_FILE} names cannot be read");
            identity(AzureErrorKind::NoCredential, said)
        })?;
        return Ok(credential);
    }
    let token = GitHubToken::from_environment()
        .ok_or_else(|| missing(&format!("neither {TOKEN_FILE} nor {}", GitHubToken::URL)))?;
    let assertion = GitHubAssertion::new(routes.http.clone(), token);
    let credential =
        ClientAssertionCredential::new(tenant_id, client_id, assertion, Some(credential_options));
    Ok(credential.map_err(|error| AzureError::from_sdk(&error, AzurePlace::Identity))?)
}

/// Classifies the output of `az`, of which only error numbers are kept.
fn cli_error(text: &str) -> AzureError {
    let numbers: Vec<&str> = text
        .split("AADSTS")
        .skip(1)
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect();
    if !numbers.is_empty() {
        return AzureError::of_identity(400, Some(&numbers.join(",")));
    }
    let said = if text.contains("not found on PATH") {
        "the Azure CLI is not installed"
    } else if text.contains("az login") {
        "the Azure CLI is not logged in"
    } else if text.contains("timed out") {
        "the Azure CLI did not end in time"
    } else {
        "the Azure CLI failed"
    };
    identity(AzureErrorKind::NoCredential, said)
}

/// Runs programs with a timeout.
#[derive(Debug)]
struct Bounded(Arc<dyn Executor>);

#[async_trait]
impl Executor for Bounded {
    async fn run(
        &self,
        program: &std::ffi::OsStr,
        args: &[&std::ffi::OsStr],
    ) -> std::io::Result<std::process::Output> {
        let run = tokio::time::timeout(CLI_BOUND, self.0.run(program, args));
        run.await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_names_the_kind_and_nothing_else() {
        let credential = AzureCredential::ClientSecret {
            tenant_id: "tenant".to_owned(),
            client_id: "client".to_owned(),
            secret: "hunter2".into(),
        };
        assert_eq!(format!("{credential:?}"), "ClientSecret");
    }

    #[test]
    fn nothing_that_the_cli_printed_is_repeated_but_numbers() {
        for (text, said, kind) in [
            (
                "az not found on PATH",
                "the Azure CLI is not installed",
                AzureErrorKind::NoCredential,
            ),
            (
                "ERROR: Please run 'az login' to setup account. hunter2",
                "the Azure CLI is not logged in",
                AzureErrorKind::NoCredential,
            ),
            (
                "timed out error: timed out",
                "the Azure CLI did not end in time",
                AzureErrorKind::NoCredential,
            ),
            (
                "hunter2",
                "the Azure CLI failed",
                AzureErrorKind::NoCredential,
            ),
            (
                "AADSTS90002: Tenant 'hunter2' not found.",
                "status 400, AADSTS90002",
                AzureErrorKind::WrongTenant,
            ),
        ] {
            let error = cli_error(text);
            assert_eq!(error.to_string(), format!("getting a token: {said}"));
            assert_eq!(error.kind(), kind);
        }
    }
}
