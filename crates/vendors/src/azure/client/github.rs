//! The OIDC token of a GitHub workflow.

use std::fmt;

use async_trait::async_trait;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method};
use serde::Deserialize;
use url::Url;

use super::environment::variable;
use super::error::{AzureError, AzureErrorKind, AzurePlace, identity};
use super::transport::failure;
use crate::http::{HttpClient, HttpRequest};
use planton_secret::SecretString;

/// The audience that Entra ID requires in the token:
/// <https://learn.microsoft.com/graph/api/resources/federatedidentitycredential>
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The address that issues a workflow's token, and the token for that request.
pub(super) struct GitHubToken {
    url: String,
    request_token: SecretString,
}

impl GitHubToken {
    /// Environment variable with that address, set in a workflow that may have a token:
    /// <https://docs.github.com/actions/reference/security/oidc#methods-for-requesting-the-oidc-token>
    pub(super) const URL: &'static str = "ACTIONS_ID_TOKEN_REQUEST_URL";

    /// Reads GitHub's variables from the environment, if they are set.
    pub(super) fn from_environment() -> Option<Self> {
        Some(Self {
            url: variable(Self::URL)?,
            request_token: SecretString::new(variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?),
        })
    }
}

impl fmt::Debug for GitHubToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GitHubToken(redacted)")
    }
}

/// Requests a token from GitHub for each token request to Entra ID.
#[derive(Debug)]
pub(super) struct GitHubAssertion {
    http: HttpClient,
    token: GitHubToken,
}

impl GitHubAssertion {
    pub(super) fn new(http: HttpClient, token: GitHubToken) -> Self {
        Self { http, token }
    }

    async fn ask(&self) -> Result<String, AzureError> {
        let said = |what: &str| identity(AzureErrorKind::NoCredential, what);
        let mut url: Url = self.token.url.parse().map_err(|_| {
            let name = GitHubToken::URL;
            said(&format!("{name} is not a URL"))
        })?;
        url.query_pairs_mut().append_pair("audience", AUDIENCE);
        let bearer = format!("Bearer {}", self.token.request_token.expose());
        let mut bearer = HeaderValue::from_str(&bearer)
            .map_err(|_| said("GitHub's request token cannot be sent"))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, bearer);
        let request = HttpRequest {
            method: Method::GET,
            url,
            headers,
            body: None,
        };
        let response = self.http.send(&request).await;
        let response =
            response.map_err(|error| AzureError::from_http(&error, AzurePlace::Identity))?;
        if !response.status.is_success() {
            let status = response.status.as_u16();
            return Err(said(&format!("GitHub gave no token: status {status}")));
        }
        let answer: Answer = serde_json::from_slice(response.body.expose())
            .map_err(|_| said("GitHub's answer has no token"))?;
        Ok(answer.value)
    }
}

#[derive(Deserialize)]
struct Answer {
    value: String,
}

#[async_trait]
impl ClientAssertion for GitHubAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.ask().await.map_err(failure)
    }
}
