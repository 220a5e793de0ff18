//! The headers that tell who we are.
//!
//! Tokens come from Google's own crate: a key file signs them itself; with
//! Application Default Credentials it asks, by an HTTP client of its own, where
//! the environment says (docs/adr/0008). Impersonation goes over ours.

use std::error::Error;
use std::time::{Duration, Instant};

use google_cloud_auth::build_errors::Error as BuildError;
use google_cloud_auth::credentials::{self, CacheableResource, Credentials, service_account};
use google_cloud_auth::errors::CredentialsError;
use http::{Extensions, HeaderMap};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;

use super::bearer::CLOUD_PLATFORM;
use super::credential::{GcpCredential, ServiceAccountKey};
use super::endpoint::GcpEndpoint;
use super::error::{GcpError, GcpErrorKind};
use super::impersonation::{Impersonated, ServiceAccountEmail, impersonate};
use crate::http::{HttpClient, RequestLimits};

const OPERATION: &str = "get an access token";

/// Names the project that pays for requests, in the environment and in a request.
const QUOTA_PROJECT: &str = "GOOGLE_CLOUD_QUOTA_PROJECT";
const USER_PROJECT: &str = "x-goog-user-project";

const MAX_TRIES: u32 = 3;
const TIMEOUT: Duration = Duration::from_secs(15);
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// How to get credentials where there are none.
const NO_CREDENTIAL: &str = "Set service_account_key_json, or run `gcloud auth \
     application-default login`, or point GOOGLE_APPLICATION_CREDENTIALS to a credential's file, \
     or run on Google Cloud with a service account attached.";

/// Gives out the headers that authorize a request; shared by all that act as one
/// identity.
///
/// # Security
///
/// Google's crate keeps the key and its tokens in memory that it does not wipe.
#[derive(Debug)]
pub struct TokenSource {
    credential: GcpCredential,
    impersonate: Option<(ServiceAccountEmail, GcpEndpoint)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Raised whenever what is known is thrown away.
    generation: u64,
    credentials: Option<Credentials>,
    impersonated: Option<Impersonated>,
}

/// Headers of a request, and which of a source's they are.
#[derive(Debug)]
pub(super) struct Authorization {
    pub(super) headers: HeaderMap,
    generation: u64,
}

impl TokenSource {
    /// Takes who we are; nothing is read or sent before the first request.
    #[must_use]
    pub fn new(credential: GcpCredential) -> Self {
        Self {
            credential,
            impersonate: None,
            state: Mutex::default(),
        }
    }

    /// Acts as `account`, whose tokens IAM at `endpoint` gives out.
    #[must_use]
    pub fn impersonating(mut self, account: ServiceAccountEmail, endpoint: GcpEndpoint) -> Self {
        self.impersonate = Some((account, endpoint));
        self
    }

    /// Returns true where TLS has to protect the way to a token over our own client.
    pub(super) fn is_encrypted(&self) -> bool {
        let endpoint = self.impersonate.as_ref().map(|(_, endpoint)| endpoint);
        endpoint.is_some_and(GcpEndpoint::is_encrypted)
    }

    /// Returns the headers for a request.
    pub(super) async fn authorize(&self, http: &HttpClient) -> Result<Authorization, GcpError> {
        let mut state = self.state.lock().await;
        let generation = state.generation;
        let fresh = |state: &State| {
            let known = state.impersonated.as_ref();
            let known = known.filter(|known| known.is_fresh(Timestamp::now()));
            known.map(|known| known.headers.clone())
        };
        let headers = match (&self.impersonate, fresh(&state)) {
            (None, _) => self.own(&mut state).await?,
            (Some(_), Some(headers)) => headers,
            (Some((account, endpoint)), None) => {
                let mut own = self.own(&mut state).await?;
                let mut known = impersonate(http, endpoint, &own, account).await;
                if matches!(&known, Err(error) if error.kind() == GcpErrorKind::Unauthenticated) {
                    state.credentials = None;
                    own = self.own(&mut state).await?;
                    known = impersonate(http, endpoint, &own, account).await;
                }
                let mut known = known?;
                self.keep_quota_project(&own, &mut known.headers);
                state.impersonated.insert(known).headers.clone()
            }
        };
        Ok(Authorization {
            headers,
            generation,
        })
    }

    /// Has the project that the environment names pay for what the other account
    /// does, as Google's own impersonated credentials do. The one in a user's file
    /// is that user's: the account may have no right to it, and its own project pays.
    fn keep_quota_project(&self, own: &HeaderMap, headers: &mut HeaderMap) {
        let is_ambient = matches!(self.credential, GcpCredential::ApplicationDefault);
        if !is_ambient || std::env::var_os(QUOTA_PROJECT).is_none() {
            return;
        }
        if let Some(project) = own.get(USER_PROJECT) {
            headers.insert(USER_PROJECT, project.clone());
        }
    }

    /// Throws away what a server refused, unless somebody else has done so.
    pub(super) async fn refused(&self, authorization: &Authorization) {
        let mut state = self.state.lock().await;
        if state.generation == authorization.generation {
            *state = State {
                generation: state.generation + 1,
                ..State::default()
            };
        }
    }

    async fn own(&self, state: &mut State) -> Result<HeaderMap, GcpError> {
        let mut wait = FIRST_WAIT;
        let mut tries = 1;
        loop {
            let credentials = match &state.credentials {
                Some(credentials) => credentials,
                None => state.credentials.insert(self.build()?),
            };
            let headers = credentials.headers(Extensions::new());
            let error = match tokio::time::timeout(bound(), headers).await {
                Ok(Ok(CacheableResource::New { data, .. })) => return Ok(data),
                // Only those who name a version are told that it is the newest.
                Ok(Ok(CacheableResource::NotModified)) => {
                    return Err(GcpError::new(
                        GcpErrorKind::Unexpected,
                        OPERATION,
                        self.path(),
                    ));
                }
                Ok(Err(error)) => Some(error),
                Err(_) => None,
            };
            // Once it has failed for good it never tries again by itself.
            state.credentials = None;
            let is_transient = error.as_ref().is_none_or(CredentialsError::is_transient);
            if !is_transient || tries == MAX_TRIES {
                return Err(self.explain(error.as_ref()));
            }
            tries += 1;
            tokio::time::sleep(wait).await;
            wait *= 4;
        }
    }

    fn build(&self) -> Result<Credentials, GcpError> {
        // Google's crate takes the process's provider. It is ours already, or
        // the same one: there is no other in this program.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let built = match &self.credential {
            GcpCredential::ServiceAccount(key) => service_account::Builder::new(self.parse(key)?)
                .with_access_specifier(service_account::AccessSpecifier::from_scopes([
                    CLOUD_PLATFORM,
                ]))
                .build(),
            GcpCredential::ApplicationDefault => credentials::Builder::default()
                .with_scopes([CLOUD_PLATFORM])
                .build(),
        };
        built.map_err(|error| self.explain_build(&error))
    }

    fn parse(&self, key: &ServiceAccountKey) -> Result<Value, GcpError> {
        serde_json::from_str(key.json().expose())
            .map_err(|_| GcpError::new(GcpErrorKind::Unauthenticated, OPERATION, self.path()))
    }

    /// Explains why there are no credentials. The error itself may quote a
    /// file: it stays out.
    fn explain_build(&self, error: &BuildError) -> GcpError {
        let remedy = if error.is_loading() {
            format!("The file with Application Default Credentials cannot be read. {NO_CREDENTIAL}")
        } else {
            "The file with Application Default Credentials is of a form or a type that is not \
             known. Make another with `gcloud auth application-default login`."
                .to_owned()
        };
        GcpError::new(GcpErrorKind::Unauthenticated, OPERATION, self.path()).with_remedy(remedy)
    }

    /// Explains why there is no token. The error itself may quote a server's
    /// answer: it stays out.
    fn explain(&self, error: Option<&CredentialsError>) -> GcpError {
        // The metadata server that is not there is the last resort of those who
        // configured nothing.
        let nothing =
            error.is_some_and(|error| says(error, "not running in a Google Cloud Environment"));
        let (kind, remedy) = match error {
            _ if nothing => (
                GcpErrorKind::Unauthenticated,
                format!("No credential was found. {NO_CREDENTIAL}"),
            ),
            Some(error) if !error.is_transient() && is_unread(error) => (
                GcpErrorKind::Unauthenticated,
                "The workload's own token cannot be read from the file that the credential_source \
                 of the Application Default Credentials names."
                    .to_owned(),
            ),
            Some(error) if !error.is_transient() => (
                GcpErrorKind::Unauthenticated,
                self.refused_remedy().to_owned(),
            ),
            _ => (
                GcpErrorKind::Unavailable,
                format!("The service that gives out tokens did not answer. {NO_CREDENTIAL}"),
            ),
        };
        GcpError::new(kind, OPERATION, self.path()).with_remedy(remedy)
    }

    fn refused_remedy(&self) -> &'static str {
        match self.credential {
            GcpCredential::ServiceAccount(_) => {
                "The credential was refused: it was revoked, has run out, or its account is \
                 disabled."
            }
            GcpCredential::ApplicationDefault => {
                "The credential was refused: it was revoked, has run out, or its account is \
                 disabled; or the provider of the workload identity pool does not take the \
                 workload's own token, or lets it act as no other account."
            }
        }
    }

    fn path(&self) -> &'static str {
        match self.credential {
            GcpCredential::ServiceAccount(_) => "service account key",
            GcpCredential::ApplicationDefault => "Application Default Credentials",
        }
    }
}

/// Returns how long one try may take, within the operation's own deadline.
fn bound() -> Duration {
    let deadline = RequestLimits::current().deadline;
    let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
    left.map_or(TIMEOUT, |left| left.min(TIMEOUT))
}

/// Returns true where a file could not be read. What cannot be reached is no such
/// error: it may pass.
fn is_unread(error: &(dyn Error + 'static)) -> bool {
    error.is::<std::io::Error>() || error.source().is_some_and(is_unread)
}

/// Returns true where an error or one beneath it has these words.
fn says(error: &(dyn Error + 'static), words: &str) -> bool {
    let beneath = error.source();
    error.to_string().contains(words) || beneath.is_some_and(|error| says(error, words))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::io;

    use super::*;

    fn explained(error: &CredentialsError) -> GcpError {
        TokenSource::new(GcpCredential::ApplicationDefault).explain(Some(error))
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_apart_from_a_refusal_and_an_outage() {
        let unread = || io::Error::new(io::ErrorKind::NotFound, "hunter2");
        for (error, kind, told) in [
            (
                CredentialsError::new(false, "hunter2", unread()),
                GcpErrorKind::Unauthenticated,
                "credential_source",
            ),
            (
                CredentialsError::from_msg(false, "hunter2"),
                GcpErrorKind::Unauthenticated,
                "The credential was refused",
            ),
            // A connection that broke is an error of this kind as well.
            (
                CredentialsError::from_source(true, unread()),
                GcpErrorKind::Unavailable,
                "did not answer",
            ),
        ] {
            let explained = explained(&error);
            let remedy = explained.remedy().unwrap();
            assert_eq!(explained.kind(), kind, "{remedy}");
            assert!(remedy.contains(told), "{remedy}");
            assert!(!format!("{explained:?} {explained}").contains("hunter2"));
        }
    }
}
