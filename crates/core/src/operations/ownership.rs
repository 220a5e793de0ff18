//! Whose a record is that a creation meets, and whether the creation may take it.

use super::Run;
use crate::catalog::Owner;

/// A record that a creation met and left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetRecord {
    /// Whose it is.
    pub owner: Owner,
    /// Whether nothing has changed since its owner created or adopted it: if that
    /// run was interrupted, naming it adopts the record.
    pub is_untouched: bool,
    /// What kept it from being adopted though its run is the one to resume: the
    /// argument that differs and cannot change in place.
    pub differs: Option<String>,
}

impl MetRecord {
    /// Describes a record that is left alone for whose it is.
    #[must_use]
    pub fn new(owner: Owner, is_untouched: bool) -> Self {
        Self {
            owner,
            is_untouched,
            differs: None,
        }
    }
}

/// Whose a record is to a creation that meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// This run has created or adopted it itself.
    DeclaredTwice,
    /// It is as the run left it that this one resumes.
    Resumed,
    /// Neither.
    Another,
}

impl Run {
    /// Decides whose a record is that a creation of this run meets.
    pub(crate) fn meets(&self, owner: &Owner, is_untouched: bool) -> Meeting {
        let run = owner.stamp.run;
        if run == self.id {
            Meeting::DeclaredTwice
        } else if is_untouched && self.resumes == Some(run) {
            Meeting::Resumed
        } else {
            Meeting::Another
        }
    }

    /// Returns the owner to put back where this run would destroy what it adopted.
    pub(crate) fn former_owner_of(&self, owner: &Owner) -> Option<Owner> {
        owner.former().filter(|_| owner.stamp.run == self.id)
    }
}
