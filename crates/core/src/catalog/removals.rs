//! Names what a document no longer contains, for states that know an abandoned history.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most removals that a document names.
const MAX_REMOVALS: usize = 8;

/// The secrets or backends that were removed from a document, the oldest first.
///
/// Since a rollback was accepted, a document without a secret does not show that the secret was
/// deleted: its record may only be of the abandoned history. A removal shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Removals(Vec<Removal>);

/// The removal of a secret or of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    /// Its identity.
    uuid: Uuid,
    /// Generation of the write that removed it. A floor does not raise it.
    generation: u64,
}

impl Removals {
    /// Returns true if the document names none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the identities of what was removed.
    pub(crate) fn uuids(&self) -> impl Iterator<Item = Uuid> {
        self.0.iter().map(|removal| removal.uuid)
    }

    /// Notes that the write of this generation removes `uuid`. The oldest removals are dropped.
    pub(crate) fn note(&mut self, uuid: Uuid, generation: u64) {
        self.0.retain(|removal| removal.uuid != uuid);
        self.0.push(Removal { uuid, generation });
        let excess = self.0.len().saturating_sub(MAX_REMOVALS);
        self.0.drain(..excess);
    }

    /// Returns whether `uuid` was removed after the generation `seen`.
    ///
    /// An earlier removal may have come back with a backup, after the record that it concerns
    /// was restored from an older one.
    pub(crate) fn is_after(&self, seen: u64, uuid: Uuid) -> bool {
        let mut removals = self.0.iter();
        removals.any(|removal| removal.uuid == uuid && removal.generation > seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_counts_for_what_was_seen_before_it_only() {
        let (removed, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut removals = Removals::default();
        removals.note(removed, 7);
        assert!(removals.is_after(6, removed));
        assert!(!removals.is_after(7, removed));
        assert!(!removals.is_after(6, other));
    }

    #[test]
    fn a_document_names_its_last_eight_removals_each_once() {
        let mut removals = Removals::default();
        for number in 1..=10 {
            removals.note(Uuid::from_u128(number), 1);
            removals.note(Uuid::from_u128(number), 2);
        }
        assert_eq!(removals.0.len(), MAX_REMOVALS);
        assert!(!removals.is_after(0, Uuid::from_u128(2)));
        assert!(removals.is_after(1, Uuid::from_u128(3)));
    }
}
