//! What a backend has no means for, told rather than passed over.

use std::fmt;

use super::Failure;
use crate::store::StoreError;

/// Something that a function of the suite needs, and that a backend does not
/// have: nothing could be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// One version cannot be deleted by itself.
    DeletesNoVersion,
    /// The name of a deleted object cannot be used again at once.
    KeepsDeletedNames,
    /// A further version of an object that is gone makes it anew.
    MakesObjectsAnew,
    /// Nobody can remove one version of an object.
    NobodyRemovesOneVersion,
    /// Nobody can put something else in the place of a version.
    NobodyReplacesAVersion,
}

/// The functions that could not check anything, each with the gap.
#[must_use = "a gap that nobody expects is a hole in the suite"]
#[derive(Debug)]
pub struct Gaps(Vec<(&'static str, Gap)>);

/// Why a function did not come to its end.
pub enum Halt {
    /// The store did what it must not.
    Failed(Failure),
    /// The backend has no means for what is checked.
    Lacking(Gap),
}

impl Gaps {
    pub(super) fn new(gaps: Vec<(&'static str, Gap)>) -> Self {
        Self(gaps)
    }

    /// Returns each function that could not check anything, in their order.
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
