//! Reports the functions that a backend lacks the features for.

use std::fmt;

use super::Failure;
use crate::store::StoreError;

/// A feature that a function of the suite needs and that a backend lacks, so nothing
/// was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// A single version cannot be deleted.
    DeletesNoVersion,
    /// The name of a deleted object cannot be reused at once.
    KeepsDeletedNames,
    /// A further version of an object that is gone recreates the object.
    MakesObjectsAnew,
    /// A single version of an object cannot be removed without the store.
    NobodyRemovesOneVersion,
    /// The content of a version cannot be replaced.
    NobodyReplacesAVersion,
}

/// The functions that could not check anything, with their gaps.
#[must_use = "a gap that nobody expects is a hole in the suite"]
#[derive(Debug)]
pub struct Gaps(Vec<(&'static str, Gap)>);

/// The reason for which a function ended early.
pub enum Halt {
    /// The store violated a guarantee.
    Failed(Failure),
    /// The backend lacks the feature to check.
    Lacking(Gap),
}

impl Gaps {
    pub(super) fn new(gaps: Vec<(&'static str, Gap)>) -> Self {
        Self(gaps)
    }

    /// Returns the functions that could not check anything, in order.
    #[must_use]
    pub fn all(&self) -> &[(&'static str, Gap)] {
        &self.0
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Gap> for Halt {
    fn from(gap: Gap) -> Self {
        Self::Lacking(gap)
    }
}

impl fmt::Debug for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::Lacking(gap) => gap.fmt(f),
        }
    }
}
