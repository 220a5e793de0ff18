//! The records of secrets. They contain no plaintext and no payload.
//!
//! A later release may add fields. A rewrite would drop them, so a record with an unknown
//! field is rejected.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{EntryKey, Owner, PutId, Record, SecretArguments, SecretMetadata};
use crate::names::{SecretName, Slug};
use crate::store::{NativeVersionId, RemoteName};
use planton_envelope::{Fingerprint, KekId, SecretKind};

/// All that stands under one name: the secret, and those that it replaces until
/// they are deleted. Without any it is a tombstone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretDocument {
    /// Raised by one with each write, tombstones included.
    pub generation: u64,
    /// Chosen anew by each write: after a lost answer its writer knows it again.
    pub write_id: Uuid,
    /// The highest revision that a version under this name was given; a tombstone
    /// keeps it, so that a recreated secret goes on from there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_revision: u64,
    /// The secret that answers to the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<SecretRecord>,
    /// Replaced secrets, found by uuid only, until they are deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub displaced: Vec<SecretRecord>,
}

impl SecretDocument {
    /// Returns the secret with this uuid, current or displaced.
    #[must_use]
    pub(crate) fn secret(&self, uuid: Uuid) -> Option<&SecretRecord> {
        self.current
            .iter()
            .chain(&self.displaced)
            .find(|secret| secret.uuid == uuid)
    }

    /// Returns the secret with this uuid, to be changed.
    pub(crate) fn secret_mut(&mut self, uuid: Uuid) -> Option<&mut SecretRecord> {
        self.current
            .iter_mut()
            .chain(&mut self.displaced)
            .find(|secret| secret.uuid == uuid)
    }

    /// Removes the secret with this uuid.
    pub(crate) fn remove(&mut self, uuid: Uuid) {
        self.current.take_if(|secret| secret.uuid == uuid);
        self.displaced.retain(|secret| secret.uuid != uuid);
    }

    /// Makes the revision of each version that `base` does not have greater than
    /// all that were ever given under this name, whatever this machine's clock says.
    pub(crate) fn raise_revisions(&mut self, base: &Self) {
        let mut last = base.last_revision;
        for secret in self.current.iter_mut().chain(&mut self.displaced) {
            let known = base.secret(secret.uuid);
            for version in &mut secret.versions {
                if known.is_none_or(|known| known.version(version.number).is_none()) {
                    version.revision = version.revision.max(last + 1);
                    last = version.revision;
                }
            }
        }
        self.last_revision = last;
    }

    /// Returns true when no secret is left.
    #[must_use]
    pub(crate) fn is_tombstone(&self) -> bool {
        self.current.is_none() && self.displaced.is_empty()
    }
}

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretRecord {
    /// Its identity; a recreated namesake has another one.
    pub uuid: Uuid,
    /// Its name and scope.
    pub name: SecretName,
    /// Text or key-value.
    pub kind: SecretKind,
    /// The backend's uuid.
    pub backend: Uuid,
    /// The backend's name, for people.
    pub backend_name: Slug,
    /// The object's name in the backend.
    pub remote_name: RemoteName,
    /// The put of the object's entry in the index of its backend; absent on the
    /// built-in backend, which has no index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<PutId>,
    /// Objects of this secret that were found missing and replaced by another one:
    /// kept until the secret is destroyed, since a vendor may bring one back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostObject>,
    /// Whether it is in use or being deleted.
    pub state: SecretState,
    /// What a practitioner sets besides the value.
    pub metadata: SecretMetadata,
    /// What only the provider acts on; kept so that an import restores it.
    pub arguments: SecretArguments,
    /// Ascending by number; the last one is current. Never empty.
    pub versions: Vec<VersionRecord>,
    /// When it came into being.
    pub created_at: Timestamp,
    /// When value or metadata last changed.
    pub updated_at: Timestamp,
    /// The document's generation when a version, an argument or the state of this
    /// secret last changed. A namesake that comes or goes, a new owner and
    /// housekeeping raise the document's and leave this one.
    pub generation: u64,
    /// Whose it is.
    pub owner: Owner,
}

/// An object that was found missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LostObject {
    /// Its name in the backend.
    pub remote_name: RemoteName,
    /// The put of its entry; absent on the built-in backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<PutId>,
    /// The versions that it held.
    pub versions: Vec<NativeVersionId>,
}

impl SecretRecord {
    /// Returns the current version; `None` only while the first is being put.
    #[must_use]
    pub(crate) fn current_version(&self) -> Option<&VersionRecord> {
        self.versions.last()
    }

    /// Returns the version with this number.
    #[must_use]
    pub(crate) fn version(&self, number: u64) -> Option<&VersionRecord> {
        self.versions
            .iter()
            .find(|version| version.number == number)
    }

    /// Returns the number of the next version.
    #[must_use]
    pub(crate) fn next_number(&self) -> u64 {
        self.current_version()
            .map_or(1, |version| version.number + 1)
    }

    /// Returns the native ids of all versions.
    #[must_use]
    pub(crate) fn native_ids(&self) -> Vec<NativeVersionId> {
        self.versions
            .iter()
            .map(|version| version.native_id.clone())
            .collect()
    }

    /// Returns true where no version, argument or state has changed since its owner
    /// created or adopted it.
    #[must_use]
    pub(crate) fn is_untouched(&self) -> bool {
        self.state == SecretState::Ready && self.generation <= self.owner.stamp.generation
    }

    /// Returns the keys of the entries of all its objects.
    #[must_use]
    pub(crate) fn entries(&self) -> Vec<EntryKey> {
        let lost = self.lost.iter().map(|lost| lost.entry);
        let puts = std::iter::once(self.entry).chain(lost).flatten();
        puts.map(|put| EntryKey {
            backend: self.backend,
            secret: self.uuid,
            put,
        })
        .collect()
    }

    /// Returns how others refer to this secret: `$secret/<slug>` or
    /// `$secret/@<env>/<slug>`.
    #[must_use]
    pub(crate) fn reference(&self) -> String {
        match &self.name.environment {
            Some(environment) => format!("$secret/@{environment}/{}", self.name.name),
            None => format!("$secret/{}", self.name.name),
        }
    }
}

/// Whether a secret is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SecretState {
    /// In use.
    Ready,
    /// On its way out; whoever meets it finishes it.
    Deleting,
}

/// One immutable version of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionRecord {
    /// From 1.
    pub number: u64,
    /// When it was written, in milliseconds since 1970, raised where that is not
    /// greater than an earlier revision under the same name.
    pub revision: u64,
    /// The backend's own identifier.
    pub native_id: NativeVersionId,
    /// SHA-256 of the envelope's payload part, in hexadecimal.
    pub payload_sha256: String,
    /// The KEKs that may open it.
    pub keks: Vec<KekId>,
    /// Tells whether a candidate is this version's value; keyed from its DEK.
    pub fingerprint: Fingerprint,
    /// When it was written.
    pub created_at: Timestamp,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record for SecretDocument {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn is_same_write(&self, other: &Self) -> bool {
        self.write_id == other.write_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{OnDestroy, new_secret_uuid};

    fn secret(random: u64, revisions: &[u64]) -> SecretRecord {
        let name: SecretName = "db".parse().expect("a name");
        let versions = revisions.iter().zip(1..).map(|(revision, number)| {
            let version = serde_json::json!({
                "number": number,
                "revision": revision,
                "native_id": number.to_string(),
                "payload_sha256": "",
                "keks": [],
                "fingerprint": "00".repeat(32),
                "created_at": Timestamp::UNIX_EPOCH,
            });
            serde_json::from_value(version).expect("a version")
        });
        SecretRecord {
            uuid: new_secret_uuid(&name, random),
            name,
            kind: SecretKind::Text,
            backend: Uuid::nil(),
            backend_name: "platform".parse().expect("a slug"),
            remote_name: RemoteName::new(String::new()),
            entry: None,
            lost: Vec::new(),
            state: SecretState::Ready,
            metadata: SecretMetadata::default(),
            arguments: SecretArguments {
                value_wo_version: None,
                generate: None,
                copy_from: None,
                deletion_protection: false,
                on_destroy: OnDestroy::Delete,
                keep_versions: 10,
                takes_over: None,
            },
            versions: versions.collect(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            generation: 1,
            owner: serde_json::from_value(serde_json::json!({
                "stamp": {"run": Uuid::nil(), "generation": 1},
                "origin": {"at": Timestamp::UNIX_EPOCH},
            }))
            .expect("an owner"),
        }
    }

    fn revisions(document: &SecretDocument) -> Vec<u64> {
        let versions = document.current.iter().flat_map(|secret| &secret.versions);
        versions.map(|version| version.revision).collect()
    }

    #[test]
    fn a_revision_is_greater_than_all_before_it_though_the_clock_goes_back() {
        let mut base = SecretDocument::default();
        let mut commit = |versions: &[u64], random: u64| {
            let mut document = SecretDocument {
                current: Some(secret(random, versions)),
                ..base.clone()
            };
            document.raise_revisions(&base);
            base = document.clone();
            document
        };
        assert_eq!(revisions(&commit(&[1000], 1)), [1000]);
        // A clock that went back, and one that stands still.
        assert_eq!(revisions(&commit(&[1000, 400], 1)), [1000, 1001]);
        assert_eq!(
            revisions(&commit(&[1000, 1001, 1001], 1)),
            [1000, 1001, 1002]
        );
        // What was pruned is not given again, and what stays keeps its own.
        let mut pruned = commit(&[1000, 1001, 1002], 1);
        pruned.current = None;
        assert_eq!(pruned.last_revision, 1002);
        // A namesake goes on from the tombstone.
        let tombstone = pruned;
        let mut again = SecretDocument {
            current: Some(secret(2, &[7])),
            ..tombstone.clone()
        };
        again.raise_revisions(&tombstone);
        assert_eq!(revisions(&again), [1003]);
    }
}
