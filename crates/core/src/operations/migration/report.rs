//! What a migration would do, has done, and could not do.

use crate::catalog::RecordKey;
use crate::operations::OperationError;
use planton_envelope::KekId;

/// How far a migration is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MigrationProgress {
    /// Nothing was moved.
    #[default]
    NotBegun,
    /// An earlier call has begun it, and was interrupted or has failed.
    Begun,
    /// The target has all, and the source leads there.
    Complete,
}

/// What is to be moved, and what keeps it from being moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationSurvey {
    /// How far the migration is.
    pub progress: MigrationProgress,
    /// The records to look at.
    pub total: usize,
    /// The records that were looked at.
    pub looked_at: usize,
    /// Secrets, displaced ones included.
    pub secrets: usize,
    /// Versions that move to the built-in backend of the target.
    pub versions: usize,
    /// Versions on registered backends whose data keys move to the key of the target.
    pub rewraps: usize,
    /// Registered backends.
    pub backends: usize,
    /// Keys that are going to wrap; empty while the target does not have them yet.
    pub keys: Vec<KekId>,
    /// Versions that their backend does not have any more, or not as their records say. They
    /// move as lost.
    pub lost: Vec<Unmoved>,
    /// Versions whose data keys no key at hand unwraps. They would be copied as they are.
    pub unopened: Vec<Unmoved>,
    /// What keeps the migration from beginning.
    pub obstacles: Vec<Unmoved>,
}

/// What a migration has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The records to move.
    pub total: usize,
    /// The records that were looked at.
    pub looked_at: usize,
    /// Records that this call has moved, tombstones included.
    pub records: usize,
    /// Versions that this call has put into the built-in backend of the target.
    pub versions: usize,
    /// Versions on registered backends that this call has wrapped again.
    pub rewraps: usize,
    /// Versions whose data keys no key at hand unwraps. They were copied as they are.
    pub unopened: Vec<Unmoved>,
    /// Versions that were lost before the migration.
    pub lost: Vec<Unmoved>,
    /// What failed. The next call tries it again.
    pub failed: Vec<Unmoved>,
    /// Whether the target has all, and may be used.
    pub is_complete: bool,
}

/// A record or a version that did not move, or not as a readable one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmoved {
    /// Name of the secret, or key of the record.
    pub subject: String,
    /// The version, if it is about one.
    pub version: Option<u64>,
    /// Why, without any value.
    pub reason: String,
}

impl Unmoved {
    pub(super) fn record(key: &RecordKey, error: &OperationError) -> Self {
        Self {
            subject: key.to_string(),
            version: None,
            reason: error.with_sources(),
        }
    }
}

/// What became of one record.
#[derive(Debug, Default)]
pub(super) struct Copied {
    /// Whether this call has copied it; otherwise an earlier one had.
    pub(super) is_new: bool,
    pub(super) versions: usize,
    pub(super) rewraps: usize,
    pub(super) unopened: Vec<Unmoved>,
    pub(super) lost: Vec<Unmoved>,
    /// A document that is not copied, since the target has used its name.
    pub(super) taken: Option<Unmoved>,
}

impl Copied {
    /// Returns the outcome for a document that is not copied.
    pub(super) fn taken(taken: Unmoved) -> Self {
        Self {
            taken: Some(taken),
            ..Self::default()
        }
    }
}

impl Migrated {
    pub(super) fn add(&mut self, copied: Copied) {
        self.records += usize::from(copied.is_new);
        self.versions += copied.versions;
        self.rewraps += copied.rewraps;
        self.unopened.extend(copied.unopened);
        self.lost.extend(copied.lost);
    }
}
