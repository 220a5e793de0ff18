//! Impersonates another service account, with one request to IAM.

use std::fmt;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::bearer::{CLOUD_PLATFORM, bearer};
use super::endpoint::GcpEndpoint;
use super::error::{GcpError, GcpErrorKind};
use crate::http::{HttpClient, HttpRequest};
use planton_secret::SecretBytes;

const OPERATION: &str = "GenerateAccessToken";

/// Minimum remaining lifetime of a token.
const MARGIN: SignedDuration = SignedDuration::from_secs(240);

/// The email address of a service account: `name@project.iam.gserviceaccount.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountEmail(String);

/// The text is not a service account's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an email address such as name@project.iam.gserviceaccount.com")]
pub struct InvalidServiceAccount;

/// The headers of an impersonated account, and their time of expiry.
#[derive(Debug)]
pub(super) struct Impersonated {
    pub(super) headers: HeaderMap,
    expires_at: Timestamp,
}

impl ServiceAccountEmail {
    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidServiceAccount`] if it does not have the format above.
    pub fn parse(text: &str) -> Result<Self, InvalidServiceAccount> {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let part = |text: &str| !text.is_empty() && text.bytes().all(known);
        match text.split_once('@') {
            Some((name, domain)) if part(name) && part(domain) && domain.contains('.') => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(InvalidServiceAccount),
        }
    }
}

impl fmt::Display for ServiceAccountEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Impersonated {
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        self.expires_at.duration_since(now) > MARGIN
    }
}

/// Requests a token of `account`, authorized by the headers `own`.
pub(super) async fn impersonate(
    http: &HttpClient,
    endpoint: &GcpEndpoint,
    own: &HeaderMap,
    account: &ServiceAccountEmail,
) -> Result<Impersonated, GcpError> {
    let path = format!("projects/-/serviceAccounts/{account}");
    let mut headers = own.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = serde_json::json!({"scope": [CLOUD_PLATFORM], "lifetime": "3600s"});
    let request = HttpRequest {
        method: Method::POST,
        url: endpoint.url(&format!("v1/{path}:generateAccessToken"), &[]),
        headers,
        body: Some(SecretBytes::new(body.to_string().into_bytes())),
    };
    let sent = http.send(&request).await;
    let response = sent.map_err(|error| GcpError::from_http(error, OPERATION, &path))?;
    if !response.status.is_success() {
        let error = GcpError::from_response(&response, OPERATION, &path, "iamcredentials");
        return Err(match error.kind() {
            GcpErrorKind::Unauthenticated
            | GcpErrorKind::RateLimited
            | GcpErrorKind::Unavailable
            | GcpErrorKind::Unexpected
            | GcpErrorKind::Misconfigured => error,
            // A missing account must not be mistaken for a missing resource.
            _ => error
                .with_kind(GcpErrorKind::PermissionDenied)
                .with_remedy(format!(
                    "Check that the service account {account} exists, and grant the role Service \
                     Account Token Creator (roles/iam.serviceAccountTokenCreator) on it to the \
                     credential in use."
                )),
        });
    }
    let answer = response.json::<Answer>();
    let answer = answer.map_err(|answer| GcpError::unexpected(answer, OPERATION, &path))?;
    let token = Zeroizing::new(answer.access_token);
    let malformed = || GcpError::unexpected(response.unexpected(), OPERATION, &path);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer(&token).ok_or_else(malformed)?);
    Ok(Impersonated {
        headers,
        expires_at: answer.expire_time,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: String,
    expire_time: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_plain_address() {
        assert!(ServiceAccountEmail::parse("ci@acme.iam.gserviceaccount.com").is_ok());
        for bad in [
            "", "ci", "@a.b", "ci@", "ci@acme", "ci@a.b/c", "ci@a.b:c", "c i@a.b", "a@b@c.d",
        ] {
            assert_eq!(
                ServiceAccountEmail::parse(bad),
                Err(InvalidServiceAccount),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_token_is_left_minutes_before_it_runs_out() {
        let now = Timestamp::UNIX_EPOCH;
        let lasting = |seconds| Impersonated {
            headers: HeaderMap::new(),
            expires_at: now + SignedDuration::from_secs(seconds),
        };
        assert!(lasting(241).is_fresh(now));
        assert!(!lasting(240).is_fresh(now));
        assert!(!lasting(0).is_fresh(now));
    }
}
