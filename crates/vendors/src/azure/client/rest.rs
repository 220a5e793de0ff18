//! Requests of a vault's REST API without the SDK, whose client of keys is a beta.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::OnceCell;
use url::Url;
use zeroize::Zeroizing;

use super::error::{AzureError, AzureErrorKind, AzurePlace};
use super::token::AzureTokens;
use super::transport::RefusedToken;
use super::vault::VaultUrl;
use crate::http::{HttpClient, HttpRequest, HttpResponse};
use planton_secret::SecretBytes;

/// The version of the API:
/// <https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups?view=rest-keyvault-keys-7.4>.
const API_VERSION: &str = "7.4";

/// A request to a vault.
#[derive(Debug)]
pub struct VaultCall<'a> {
    /// The method.
    pub method: Method,
    /// The path, such as `/keys/name`.
    pub path: &'a str,
    /// The body, as JSON.
    pub body: Option<SecretBytes>,
}

/// Sends requests to one vault, with the tokens that its challenge asks for.
#[derive(Debug)]
pub(super) struct VaultRest {
    http: HttpClient,
    vault: VaultUrl,
    tokens: Arc<AzureTokens>,
    refused: RefusedToken,
    scope: OnceCell<String>,
}

impl VaultRest {
    pub(super) fn new(
        http: HttpClient,
        vault: VaultUrl,
        tokens: Arc<AzureTokens>,
        refused: RefusedToken,
    ) -> Self {
        Self {
            http,
            vault,
            tokens,
            refused,
            scope: OnceCell::new(),
        }
    }

    /// Sends a request. If its token is rejected, retries once with another.
    pub(super) async fn call(&self, call: &VaultCall<'_>) -> Result<HttpResponse, AzureError> {
        let mut url = self.vault.url().clone();
        url.set_path(call.path);
        url.query_pairs_mut()
            .append_pair("api-version", API_VERSION);
        let scope = self.scope.get_or_try_init(|| self.challenge(call, &url));
        let scope = scope.await?.as_str();
        let mut renewed = false;
        loop {
            let token = self.tokens.token(&[scope]).await?;
            let authorization = Zeroizing::new(format!("Bearer {}", token.token.secret()));
            let request = HttpRequest {
                method: call.method.clone(),
                url: url.clone(),
                headers: headers(&authorization, call.body.is_some())?,
                body: call.body.clone(),
            };
            let response = self.send(&request).await?;
            let status = response.status;
            if status.is_success() {
                return Ok(response);
            }
            if status == StatusCode::UNAUTHORIZED {
                self.refused.remember(authorization.as_bytes());
                if !renewed {
                    renewed = true;
                    continue;
                }
            }
            let body = response.body.expose();
            return Err(AzureError::of_vault(
                status.as_u16(),
                body,
                response.retried,
            ));
        }
    }

    /// Sends a request without token and body, and returns the scope of the tokens that
    /// the vault asks for:
    /// <https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses>.
    async fn challenge(&self, call: &VaultCall<'_>, url: &Url) -> Result<String, AzureError> {
        let request = HttpRequest {
            method: call.method.clone(),
            url: url.clone(),
            headers: HeaderMap::new(),
            body: None,
        };
        let response = self.send(&request).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            let said = response.unexpected().to_string();
            return Err(match response.status.is_success() {
                true => AzureError::unexpected(said),
                false => AzureError::of_vault(
                    response.status.as_u16(),
                    response.body.expose(),
                    response.retried,
                ),
            });
        }
        let challenge = response.headers.get(WWW_AUTHENTICATE);
        let scope = challenge
            .and_then(|header| header.to_str().ok())
            .and_then(scope_of);
        scope.ok_or_else(|| {
            AzureError::new(
                AzureErrorKind::UntrustedChallenge,
                AzurePlace::Vault,
                "its challenge names no resource",
            )
        })
    }

    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, AzureError> {
        let sent = self.http.send(request).await;
        sent.map_err(|error| AzureError::from_http(&error, AzurePlace::Vault))
    }
}

fn headers(authorization: &str, has_body: bool) -> Result<HeaderMap, AzureError> {
    let mut value = HeaderValue::from_str(authorization).map_err(|_| {
        AzureError::new(
            AzureErrorKind::Unexpected,
            AzurePlace::Identity,
            "the token is no valid header",
        )
    })?;
    value.set_sensitive(true);
    let mut headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(headers)
}

/// Returns the scope in `Bearer authorization="…", resource="https://vault.azure.net"`, or
/// in a challenge with `scope="…/.default"`.
fn scope_of(challenge: &str) -> Option<String> {
    let parameters = challenge.strip_prefix("Bearer ")?;
    let mut found = parameters.split(',').filter_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        match name {
            "scope" => Some(value.to_owned()),
            "resource" => Some(format!("{value}/.default")),
            _ => None,
        }
    });
    found.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_names_a_scope_or_a_resource() {
        let authority = r#"authorization="https://login.microsoftonline.com/t""#;
        for (challenge, scope) in [
            (
                format!(r#"Bearer {authority}, resource="https://vault.azure.net""#),
                Some("https://vault.azure.net/.default"),
            ),
            (
                format!(r#"Bearer {authority}, scope="https://vault.azure.net/.default""#),
                Some("https://vault.azure.net/.default"),
            ),
            (format!("Bearer {authority}"), None),
            (r#"Basic realm="vault""#.to_owned(), None),
            ("Bearer resource=https://vault.azure.net".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(scope_of(&challenge).as_deref(), scope, "{challenge}");
        }
    }
}
