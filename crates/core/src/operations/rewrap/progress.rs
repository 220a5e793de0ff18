//! What a rewrap or a reseal has done, and what failed.

use super::envelope::Candidate;
use crate::catalog::RecordKey;
use crate::operations::OperationError;
use crate::store::{NativeVersionId, RemoteName};

/// What a rewrap or a reseal has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RewrapProgress {
    /// The documents to look at.
    pub documents: usize,
    /// The documents that were looked at.
    pub looked_at: usize,
    /// The versions that were wrapped again, or sealed again.
    pub rewrapped: usize,
    /// The versions whose wraps were the newest already, or that were sealed late enough.
    pub current: usize,
    /// The superseded envelopes that the store keeps.
    pub kept: Vec<KeptEnvelope>,
    /// The documents and versions that failed. The next call tries them again.
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

/// A document or a version that could not be finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRewrap {
    /// Name of the secret; key of the record, if its document is not verified.
    pub subject: String,
    /// The version; `None` if the whole document failed.
    pub version: Option<u64>,
    /// The failure, without any value.
    pub error: String,
    /// What a service says how to remove it, such as the grant that is missing.
    pub remedy: Option<String>,
}

impl RewrapProgress {
    /// Records the failure of a version.
    pub(super) fn fail(&mut self, candidate: &Candidate, error: &OperationError) {
        self.failed.push(FailedRewrap {
            subject: candidate.secret.name.to_string(),
            version: Some(candidate.version.number),
            error: error.with_sources(),
            remedy: error.remedy().map(str::to_owned),
        });
    }

    /// Records the failure of a whole document, whose content is not to be trusted.
    pub(super) fn fail_document(&mut self, key: &RecordKey, error: &OperationError) {
        self.failed.push(FailedRewrap {
            subject: key.to_string(),
            version: None,
            error: error.with_sources(),
            remedy: error.remedy().map(str::to_owned),
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
