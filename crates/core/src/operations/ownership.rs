//! Decides whether a creation may adopt the record that exists under its name.

use uuid::Uuid;

use super::Run;
use crate::catalog::Owner;

/// An existing record under the name of a creation, which left it unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingRecord {
    /// Its owner.
    pub owner: Owner,
    /// Whether it is unchanged since its owner created or adopted it. A run that resumes
    /// the owner's run adopts such a record.
    pub is_untouched: bool,
    /// The argument that prevented its adoption although its run is resumed: it differs, and
    /// cannot change in place.
    pub differs: Option<String>,
}

impl ExistingRecord {
    /// Describes a record that is left unchanged because of its owner.
    #[must_use]
    pub fn new(owner: Owner, is_untouched: bool) -> Self {
        Self {
            owner,
            is_untouched,
            differs: None,
        }
    }
}

/// The secret or the backend that has a name which a creation needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameHolder {
    /// Its identity.
    pub uuid: Uuid,
    /// Its owner.
    pub owner: Owner,
    /// The argument in its record that keeps it under its name whatever a run plans; `None` if
    /// a run may destroy it.
    pub kept: Option<KeptUnderItsName>,
}

/// Reason why no run takes a secret's name from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptUnderItsName {
    /// It has `deletion_protection`. A run that removes the protection does not destroy the
    /// secret.
    Protected,
    /// Its `on_destroy` is `retain`: a destroy leaves it.
    Retained,
}

/// The relation between a run and the owner of an existing record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerRelation {
    /// This run created or adopted the record, so the name is declared twice.
    ThisRun,
    /// The run that this one resumes created it, and it is unchanged since.
    ResumedRun,
    /// Any other run created it, or it was changed since.
    Other,
}

impl Run {
    /// Returns the relation of this run to the owner of an existing record.
    pub(crate) fn relation_to(&self, owner: &Owner, is_untouched: bool) -> OwnerRelation {
        let run = owner.stamp.run;
        if run == self.id {
            OwnerRelation::ThisRun
        } else if is_untouched && self.resumes == Some(run) {
            OwnerRelation::ResumedRun
        } else {
            OwnerRelation::Other
        }
    }

    /// Returns the former owner of a record that this run adopted: a destroy by this run
    /// returns the record instead.
    pub(crate) fn former_owner_of(&self, owner: &Owner) -> Option<Owner> {
        owner.former().filter(|_| owner.stamp.run == self.id)
    }
}
