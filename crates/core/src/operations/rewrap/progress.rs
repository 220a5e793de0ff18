//! What a rewrap has done, and what failed.

use super::envelope::Candidate;
use crate::catalog::{CatalogErrorKind, RecordKey};
use crate::operations::OperationError;
use crate::store::{NativeVersionId, RemoteName};

/// What a rewrap has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RewrapProgress {
    /// The documents to look at.
    pub documents: usize,
    /// The documents that were looked at.
    pub looked_at: usize,
    /// The versions that were wrapped again.
    pub rewrapped: usize,
    /// The versions whose wraps were the newest already.
    pub current: usize,
    /// The superseded envelopes that the store keeps.
    pub kept: Vec<KeptEnvelope>,
    /// The documents and versions that failed. The next rewrap tries them again.
    pub failed: Vec<FailedRewrap>,
}

/// A superseded envelope that its store keeps, since it deletes no single version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEnvelope {
    /// The object.
    pub object: RemoteName,
    /// The store's identifier of the version.
    pub version: NativeVersionId,
}

/// A document or a version that a rewrap could not finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRewrap {
    /// Name of the secret; key of the record, if its document is not verified.
    pub subject: String,
    /// The version; `None` if the whole document failed.
    pub version: Option<u64>,
    /// The failure, without any value.
    pub error: String,
}

impl RewrapProgress {
    /// Records the failure of a version.
    pub(super) fn fail(&mut self, candidate: &Candidate, error: &OperationError) {
        self.failed.push(FailedRewrap {
            subject: candidate.secret.name.to_string(),
            version: Some(candidate.version.number),
            error: error.with_sources(),
        });
    }

    /// Records the failure of a whole document, whose content is not to be trusted.
    pub(super) fn fail_document(&mut self, key: &RecordKey, error: &OperationError) {
        self.failed.push(FailedRewrap {
            subject: key.to_string(),
            version: None,
            error: error.with_sources(),
        });
    }

    /// Adds what was done to the versions of one document.
    pub(super) fn add(&mut self, done: Self) {
        self.rewrapped += done.rewrapped;
        self.current += done.current;
        self.kept.extend(done.kept);
        self.failed.extend(done.failed);
    }
}

/// Returns true for a failure that no other document of the backend would escape.
pub(super) fn ends_all(error: &OperationError) -> bool {
    match error {
        OperationError::Interrupted { .. } | OperationError::KeyNotAllowed { .. } => true,
        OperationError::Catalog(error) if concerns_one_record(error.kind()) => false,
        OperationError::Catalog(_) => true,
        error => error.interruption().is_some(),
    }
}

/// Returns true for a failure of the catalog that is about one record.
fn concerns_one_record(kind: CatalogErrorKind) -> bool {
    use CatalogErrorKind as K;
    match kind {
        K::Altered | K::Corrupt | K::Removed | K::Conflict => true,
        K::PermissionDenied
        | K::Unauthenticated
        | K::RateLimited
        | K::Unavailable
        | K::Unexpected
        | K::Misconfigured => false,
    }
}
