//! The credential of Google Cloud Storage: a key file or Application Default Credentials,
//! and an impersonated account.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use object_store::CredentialProvider;
use object_store::gcp::GcpCredential;

use super::super::fault::{Fault, FaultKind};
use super::super::http_service::ExtraHeaders;
use super::no_credential;
use crate::gcp::client::{Authorization, GcpError, GcpErrorKind, TokenSource};
use crate::http::HttpClient;
use planton_core::deadline::Stop;

/// Provides the tokens of Google's own crate.
#[derive(Debug)]
pub(in crate::bucket::client) struct GcsProvider {
    http: HttpClient,
    tokens: TokenSource,
    extra: ExtraHeaders,
    used: Mutex<Option<Arc<Authorization>>>,
}

impl GcsProvider {
    /// Provides `tokens`. Their other headers, such as the project to bill, go to `extra`.
    pub(in crate::bucket::client) fn new(
        http: HttpClient,
        tokens: TokenSource,
        extra: ExtraHeaders,
    ) -> Self {
        Self {
            http,
            tokens,
            extra,
            used: Mutex::new(None),
        }
    }

    /// Discards the credentials whose token was rejected. Returns whether there were any.
    ///
    /// Each of several requests with the same token may call it.
    pub(in crate::bucket::client) async fn renews(&self) -> bool {
        let used = {
            let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.clone()
        };
        match used {
            Some(used) => {
                self.tokens.refused(&used).await;
                true
            }
            None => false,
        }
    }
}

#[async_trait]
impl CredentialProvider for GcsProvider {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        let authorized = self.tokens.authorize(&self.http).await;
        let authorized = authorized.map_err(|error| no_credential(fault(error)))?;
        let mut headers = authorized.headers.clone();
        let token = headers.remove(AUTHORIZATION);
        let token = token.as_ref().and_then(|value| value.to_str().ok());
        let token = token.and_then(|text| text.strip_prefix("Bearer "));
        let Some(token) = token else {
            let said = "the credential has no bearer token";
            return Err(no_credential(Fault::new(FaultKind::Unauthenticated, said)));
        };
        let bearer = token.to_owned();
        *self.extra.lock().unwrap_or_else(PoisonError::into_inner) = headers;
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(authorized));
        Ok(Arc::new(GcpCredential { bearer }))
    }
}

fn fault(error: GcpError) -> Fault {
    use GcpErrorKind as K;
    let kind = match error.kind() {
        _ if Stop::beneath(&error).is_some() => FaultKind::Ended,
        K::Unavailable => FaultKind::Unavailable,
        K::RateLimited => FaultKind::RateLimited,
        K::Unexpected => FaultKind::Unexpected,
        K::Misconfigured => FaultKind::Misconfigured,
        K::InvalidArgument
        | K::NotFound
        | K::AlreadyExists
        | K::Aborted
        | K::FailedPrecondition
        | K::KeyDisabled
        | K::KeyPendingDestruction
        | K::KeyDestroyed
        | K::PermissionDenied
        | K::Unauthenticated => FaultKind::Unauthenticated,
    };
    let remedy = error.remedy().map(str::to_owned);
    let said = error.to_string();
    Fault::new(kind, said)
        .with_remedy(remedy)
        .with_source(error)
}
