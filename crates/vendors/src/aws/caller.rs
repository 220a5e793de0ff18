//! Failures before a service looks at a request: the credential, the Region, the network.

use super::connection::AwsConnection;
use super::credential::AwsCredential;
use crate::aws::client::{AwsError, AwsErrorKind};
use crate::http::HttpErrorKind;

/// What a remedy says of the caller. Nothing in it is secret.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    role_arn: Option<String>,
    has_endpoint: bool,
    has_session_token: bool,
}

impl Caller {
    pub(super) fn new(connection: &AwsConnection, credential: &AwsCredential) -> Self {
        Self {
            role_arn: connection.assume_role.as_ref().map(|role| role.arn.clone()),
            has_endpoint: connection.endpoint.is_some(),
            has_session_token: matches!(
                credential,
                AwsCredential::Static(key) if key.session_token.is_some()
            ),
        }
    }

    /// Returns the configured role.
    pub(super) fn role_arn(&self) -> Option<&str> {
        self.role_arn.as_deref()
    }

    /// Returns the setting that is the likely cause.
    pub(super) fn setting(&self, error: &AwsError) -> Option<&'static str> {
        use AwsErrorKind as K;
        Some(match error.kind() {
            K::Unauthenticated if error.concerns_region() => "region",
            K::Unauthenticated if error.concerns_role() => "assume_role_arn",
            K::Unauthenticated if error.concerns_key() => "access_key_id",
            K::Unauthenticated => "secret_access_key",
            K::Expired if self.has_session_token => "session_token",
            K::Expired => "secret_access_key",
            K::Unexpected if self.has_endpoint => "endpoint",
            K::Unavailable | K::Misconfigured => match error.http()?.kind() {
                HttpErrorKind::Tls | HttpErrorKind::Connect | HttpErrorKind::Timeout => {
                    match self.has_endpoint {
                        true => "endpoint",
                        false => "region",
                    }
                }
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Returns the remedy.
    pub(super) fn remedy(&self, error: &AwsError, region: &str) -> Option<String> {
        use AwsErrorKind as K;
        Some(match error.kind() {
            K::Expired => {
                "The credentials in use have expired. Provide new ones, or log in again.".to_owned()
            }
            K::Unauthenticated => credentials(error, region, self.role_arn()),
            K::Unexpected => "Check endpoint if it is set, and any proxy or gateway between this \
                              machine and AWS."
                .to_owned(),
            K::Unavailable | K::Misconfigured => connection(error)?.to_owned(),
            _ => return None,
        })
    }
}

/// Returns the remedy for a session that could not be established.
pub(super) fn connecting(error: &AwsError) -> &'static str {
    match error.http() {
        Some(_) => "Check the certificate authorities that this machine trusts.",
        None => {
            "No region is configured. Set region, AWS_REGION, or a region in the profile in use."
        }
    }
}

/// Returns the remedy for credentials that AWS rejects.
fn credentials(error: &AwsError, region: &str, role_arn: Option<&str>) -> String {
    if error.concerns_region() {
        return format!(
            "The server belongs to another region than {region}. Check region, and endpoint if it \
             is set."
        );
    }
    if error.concerns_key() {
        return "AWS does not recognize the access key, or the session token belongs to another \
                key. Check access_key_id, and that the key is active and in this partition of AWS."
            .to_owned();
    }
    if error.concerns_signature() {
        return "The secret access key does not match the access key. Check secret_access_key_wo \
                (or AWS_SECRET_ACCESS_KEY), and this machine's clock."
            .to_owned();
    }
    if error.concerns_role() {
        return format!(
            "Let the credentials in use assume the role {}. They need sts:AssumeRole. The role's \
             trust policy must name them, and the external_id that it requires must be set.",
            role_arn.unwrap_or("that the profile or the environment names")
        );
    }
    let principal = error.principal();
    let principal = principal.map_or_else(String::new, |principal| format!(" ({principal})"));
    format!("Check the credentials in use{principal}, and this machine's clock.")
}

/// Returns the remedy for a connection that could not be established.
fn connection(error: &AwsError) -> Option<&'static str> {
    match error.http()?.kind() {
        HttpErrorKind::Tls => {
            Some("Check endpoint, and the certificate authorities that this machine trusts.")
        }
        HttpErrorKind::Connect | HttpErrorKind::Timeout => {
            Some("Check region and endpoint, and that this machine can reach AWS.")
        }
        _ => None,
    }
}
