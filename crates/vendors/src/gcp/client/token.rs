//! The headers that authorize requests.
//!
//! Google's own crate provides the tokens. With a key file it signs them itself. With
//! Application Default Credentials it requests them over its own HTTP client, from the
//! source that the environment configures (docs/adr/0008). Impersonation uses the HTTP
//! client of this project.

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
use crate::http::{HttpClient, OperationContext};

const OPERATION: &str = "get an access token";

/// The billed project: the environment variable, and the header of a request.
const QUOTA_PROJECT: &str = "GOOGLE_CLOUD_QUOTA_PROJECT";
const USER_PROJECT: &str = "x-goog-user-project";

const MAX_TRIES: u32 = 3;
const TIMEOUT: Duration = Duration::from_secs(15);
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Remedy for missing credentials.
const NO_CREDENTIAL: &str = "Set the service account's key (service_account_key_json_wo; in the \
     provider block service_account_key_json), or run `gcloud auth application-default login`, or point GOOGLE_APPLICATION_CREDENTIALS to a credential's file, \
     or run on Google Cloud with a service account attached.";

/// Provides the headers that authorize a request. All clients of one identity share it.
///
/// # Security
///
/// Google's crate stores the key and its tokens in memory that it does not zeroize.
#[derive(Debug)]
pub struct TokenSource {
    credential: GcpCredential,
    impersonate: Option<(ServiceAccountEmail, GcpEndpoint)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Incremented each time the cached credentials are discarded.
    generation: u64,
    credentials: Option<Credentials>,
    impersonated: Option<Impersonated>,
}

/// Headers of a request, and the generation of the credentials that they belong to.
#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) headers: HeaderMap,
    generation: u64,
}

impl TokenSource {
    /// Creates a source without any I/O. The first request loads the credentials.
    #[must_use]
    pub fn new(credential: GcpCredential) -> Self {
        Self {
            credential,
            impersonate: None,
            state: Mutex::default(),
        }
    }

    /// Impersonates `account`, whose tokens come from IAM at `endpoint`.
    #[must_use]
    pub fn impersonating(mut self, account: ServiceAccountEmail, endpoint: GcpEndpoint) -> Self {
        self.impersonate = Some((account, endpoint));
        self
    }

    /// Returns true if the token requests over this project's HTTP client need TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        let endpoint = self.impersonate.as_ref().map(|(_, endpoint)| endpoint);
        endpoint.is_some_and(GcpEndpoint::is_encrypted)
    }

    /// Returns the headers for a request.
    pub(crate) async fn authorize(&self, http: &HttpClient) -> Result<Authorization, GcpError> {
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

    /// Bills the project that the environment names for requests of the impersonated
    /// account, as Google's own impersonated credentials do. A quota project in a
    /// user's file belongs to that user. The account may lack permission on it, so its
    /// own project is billed instead.
    fn keep_quota_project(&self, own: &HeaderMap, headers: &mut HeaderMap) {
        let is_ambient = matches!(self.credential, GcpCredential::ApplicationDefault);
        if !is_ambient || std::env::var_os(QUOTA_PROJECT).is_none() {
            return;
        }
        if let Some(project) = own.get(USER_PROJECT) {
            headers.insert(USER_PROJECT, project.clone());
        }
    }

    /// Discards rejected credentials, unless another request has already done so.
    pub(crate) async fn refused(&self, authorization: &Authorization) {
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
                // Google's crate returns this only to a caller that passes an entity
                // tag.
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
            // After a permanent failure, these credentials never retry by themselves.
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
        // Google's crate uses the process's default crypto provider. This program has
        // only one.
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

    /// Describes a failure to build credentials. Omits the error, which may quote a
    /// file.
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

    /// Describes a failure to get a token. Omits the error, which may quote a response.
    fn explain(&self, error: Option<&CredentialsError>) -> GcpError {
        // Without any configuration, the chain ends at the metadata server, which is
        // absent here.
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

/// Returns the timeout of one try, within the operation's deadline.
fn bound() -> Duration {
    let deadline = OperationContext::current().deadline;
    let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
    left.map_or(TIMEOUT, |left| left.min(TIMEOUT))
}

/// Returns true if a file could not be read. An unreachable server is another error,
/// which may be transient.
fn is_unread(error: &(dyn Error + 'static)) -> bool {
    error.is::<std::io::Error>() || error.source().is_some_and(is_unread)
}

/// Returns true if the error or one of its sources contains these words.
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
            // A broken connection is also an error of this kind.
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
