//! The credential of S3: a static key or AWS's own chain, and an assumed role.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

use super::super::fault::{Fault, FaultKind};
use super::no_credential;
use crate::aws::client::{AwsError, AwsErrorKind, AwsSession};

/// Provides the credentials of a session of AWS's SDK.
///
/// # Security
///
/// `object_store` keeps the secret part of a credential in memory that it does not zeroize,
/// as AWS's SDK does.
#[derive(Debug)]
pub(in crate::bucket::client) struct S3Provider {
    session: AwsSession,
    used: Mutex<Option<Credentials>>,
}

impl S3Provider {
    pub(in crate::bucket::client) fn new(session: AwsSession) -> Self {
        Self {
            session,
            used: Mutex::new(None),
        }
    }

    /// Returns the Region that requests are signed for.
    pub(in crate::bucket::client) fn region(&self) -> &str {
        self.session.region()
    }

    /// Loads another credential in the place of the one that was rejected. Returns whether
    /// there is another one.
    pub(in crate::bucket::client) async fn renews(&self) -> bool {
        let used = {
            let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.clone()
        };
        match used {
            Some(used) => self.session.renews(&used).await.unwrap_or(false),
            None => false,
        }
    }
}

#[async_trait]
impl CredentialProvider for S3Provider {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let loaded = self.session.credentials().await;
        let loaded = loaded.map_err(|error| no_credential(fault(error)))?;
        let sent = [Some(loaded.access_key_id()), loaded.session_token()];
        if !sent.into_iter().flatten().all(is_header_value) {
            let said = "the access key ID or the session token contains a control character";
            let unusable = Fault::new(FaultKind::Unauthenticated, said);
            let remedy = "Check access_key_id and session_token for a line break at the end.";
            return Err(no_credential(unusable.with_remedy(Some(remedy.to_owned()))));
        }
        let credential = AwsCredential {
            key_id: loaded.access_key_id().to_owned(),
            secret_key: loaded.secret_access_key().to_owned(),
            token: loaded.session_token().map(str::to_owned),
        };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = Some(loaded);
        Ok(Arc::new(credential))
    }
}

/// Returns true for a text that a header can contain. `object_store` panics at any other.
fn is_header_value(text: &str) -> bool {
    http::HeaderValue::from_str(text).is_ok()
}

/// Classifies a failure to load a credential, or to find the Region.
pub(in crate::bucket::client) fn fault(error: AwsError) -> Fault {
    use AwsErrorKind as K;
    let kind = match error.kind() {
        K::Unavailable => FaultKind::Unavailable,
        K::RateLimited => FaultKind::RateLimited,
        K::Misconfigured => FaultKind::Misconfigured,
        K::PermissionDenied | K::Unauthenticated | K::Expired => FaultKind::Unauthenticated,
        K::Unexpected => FaultKind::Unexpected,
        _ => FaultKind::Unauthenticated,
    };
    let remedy = match kind {
        _ if error.concerns_role() => {
            "Let the credentials in use assume the role in assume_role_arn. They need \
             sts:AssumeRole, and the role's trust policy must name them."
        }
        FaultKind::Misconfigured if error.http().is_none() => {
            "No Region is configured. Set region, AWS_REGION, or a region in the profile in use."
        }
        _ => {
            "Set access_key_id and secret_access_key, or provide credentials of AWS's default \
             chain."
        }
    };
    let stopped = planton_core::deadline::Stop::beneath(&error).is_some();
    let kind = if stopped { FaultKind::Ended } else { kind };
    let said = error.to_string();
    Fault::new(kind, said)
        .with_remedy(Some(remedy.to_owned()))
        .with_source(error)
}
