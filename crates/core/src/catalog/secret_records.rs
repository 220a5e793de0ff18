//! Defines the records of secrets, which contain no plaintext and no payload.
//!
//! A later release may add fields. A rewrite would drop them, so a record with an
//! unknown field is rejected.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{EntryKey, Owner, PutId, Record, Removals, SecretArguments, SecretMetadata};
use crate::names::{SecretName, Slug};
use crate::store::{NativeVersionId, RemoteName};
use planton_envelope::{Fingerprint, KekId, SecretKind};

/// The document of a name: its current secret, and its displaced secrets until they are
/// deleted.
///
/// A document without any secret is a tombstone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretDocument {
    /// Generation of the document. Each write increments it, tombstones included.
    pub generation: u64,
    /// Random identifier of the write. It identifies a write whose response was lost.
    pub write_id: Uuid,
    /// Highest revision of any version under this name. A tombstone keeps it, so the
    /// versions of a recreated secret have higher revisions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_revision: u64,
    /// Write id of the document that a sweep has copied here from a former platform. A tombstone
    /// keeps it, so that a later sweep does not bring back what was destroyed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<Uuid>,
    /// The secret with this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<SecretRecord>,
    /// Displaced secrets, found by uuid only, until they are deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub displaced: Vec<SecretRecord>,
    /// The secrets that were removed last.
    #[serde(default, skip_serializing_if = "Removals::is_empty")]
    pub removed: Removals,
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

    /// Returns the secret with this uuid, mutable.
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

    /// Returns whether a secret that the document lacks, and that a caller saw at the generation
    /// `seen`, may be of a history that was abandoned.
    ///
    /// It is not if a later write has removed it.
    pub(crate) fn may_be_abandoned(&self, uuid: Uuid, seen: u64, floor: u64) -> bool {
        seen < floor && !self.removed.is_after(seen, uuid)
    }

    /// Names each secret that `base` has and this document lacks as removed by the next write.
    pub(crate) fn note_removals(&mut self, base: &Self) {
        for secret in base.current.iter().chain(&base.displaced) {
            if self.secret(secret.uuid).is_none() {
                self.removed.note(secret.uuid, base.generation + 1);
            }
        }
    }

    /// Raises the revision of each version that `base` lacks above all earlier ones
    /// under this name.
    ///
    /// So revisions increase even if the clock of this machine goes back.
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

    /// Returns true if the document contains no secret.
    #[must_use]
    pub(crate) fn is_tombstone(&self) -> bool {
        self.current.is_none() && self.displaced.is_empty()
    }

    /// Returns true if the document has never contained a secret, as far as it shows. A raise
    /// writes such a document where no record exists, and knows nothing of one that was removed
    /// without a trace.
    #[must_use]
    pub(crate) fn has_no_past(&self) -> bool {
        // Every version that was committed has a revision above zero.
        self.is_tombstone() && self.last_revision == 0
    }
}

/// A secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretRecord {
    /// Identity of the secret. A secret that is recreated under the same name gets
    /// another one.
    pub uuid: Uuid,
    /// Name and scope of the secret.
    pub name: SecretName,
    /// Kind of the secret: text or key-value.
    pub kind: SecretKind,
    /// UUID of the backend.
    pub backend: Uuid,
    /// Name of the backend, for humans.
    pub backend_name: Slug,
    /// Name of the object in the backend.
    pub remote_name: RemoteName,
    /// The put of the object's entry in the backend's index; absent for the built-in
    /// backend, which has no index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<PutId>,
    /// Objects of this secret that were found missing and were replaced. They are kept
    /// until the secret is destroyed, since the vendor may restore them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostObject>,
    /// Whether the secret is in use or being deleted.
    pub state: SecretState,
    /// Metadata of the secret.
    pub metadata: SecretMetadata,
    /// Arguments that only the provider uses; the record keeps them for an import.
    pub arguments: SecretArguments,
    /// Versions in ascending order; the last one is current. Every committed record has
    /// at least one. A creation builds its record without any, and adds the first after
    /// its put.
    pub versions: Vec<VersionRecord>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change of the value or the metadata.
    pub updated_at: Timestamp,
    /// Generation of the document at which a version, an argument or the state of this
    /// secret last changed. Other secrets of the name, a new owner and housekeeping do
    /// not change it.
    pub generation: u64,
    /// Owner of the record.
    pub owner: Owner,
}

/// An object that was found missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LostObject {
    /// Name of the object in the backend.
    pub remote_name: RemoteName,
    /// The put of the object's entry; absent for the built-in backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<PutId>,
    /// Versions that the object contained.
    pub versions: Vec<NativeVersionId>,
}

impl SecretRecord {
    /// Returns the current version; `None` only before the first put.
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

    /// Returns true if no version, argument or state changed since the owner created or
    /// adopted the record.
    #[must_use]
    pub(crate) fn is_untouched(&self) -> bool {
        self.state == SecretState::Ready && self.generation <= self.owner.stamp.generation
    }

    /// As [`native_ids`](Self::native_ids), with the envelopes that a rewrap has replaced:
    /// their deletion may have failed.
    #[must_use]
    pub(crate) fn stored_ids(&self) -> Vec<NativeVersionId> {
        let versions = self.versions.iter();
        let superseded = versions.flat_map(|version| version.superseded.iter().cloned());
        // The current version last, as in `native_ids`.
        superseded.chain(self.native_ids()).collect()
    }

    /// Returns the version with this number, to be changed.
    pub(crate) fn version_mut(&mut self, number: u64) -> Option<&mut VersionRecord> {
        let mut versions = self.versions.iter_mut();
        versions.find(|version| version.number == number)
    }

    /// Returns the entry keys of all objects of the secret.
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

    /// Returns the reference to this secret for other tools: `$secret/<slug>` or
    /// `$secret/@<env>/<slug>`.
    #[must_use]
    pub(crate) fn reference(&self) -> String {
        match &self.name.environment {
            Some(environment) => format!("$secret/@{environment}/{}", self.name.name),
            None => format!("$secret/{}", self.name.name),
        }
    }
}

/// The state of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SecretState {
    /// In use.
    Ready,
    /// Being deleted; any process that finds the secret completes the deletion.
    Deleting,
}

/// An immutable version of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionRecord {
    /// Number of the version, from 1.
    pub number: u64,
    /// Time of the write in milliseconds since 1970, raised above every earlier
    /// revision under the same name if necessary.
    pub revision: u64,
    /// The backend's own identifier of the version.
    pub native_id: NativeVersionId,
    /// SHA-256 of the envelope's payload part, in hexadecimal.
    pub payload_sha256: String,
    /// SHA-256 of the envelope's list of wraps, in hexadecimal. A rewrap changes it.
    pub wraps_sha256: String,
    /// KEKs that may open the version.
    pub keks: Vec<KekId>,
    /// Fingerprint of the value, keyed from the DEK, to compare a candidate value with.
    pub fingerprint: Fingerprint,
    /// Envelopes that a rewrap or a reseal has replaced, until their deletion is known: at most
    /// [`MAX_SUPERSEDED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<NativeVersionId>,
    /// What a reseal has replaced; absent before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resealed: Option<Resealed>,
    /// Time of the write.
    pub created_at: Timestamp,
}

/// The reseals of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resealed {
    /// Time of the last one.
    pub at: Timestamp,
    /// `payload_sha256` of the payloads that were replaced, the oldest first. A state that
    /// has seen one of them has seen this version.
    pub former_payloads: Vec<String>,
}

/// The most payloads that [`Resealed`] keeps. A state that has not been refreshed during so
/// many reseals reports a catalog that was rolled back.
const MAX_FORMER_PAYLOADS: usize = 16;

/// How many superseded envelopes of a version its record names, for a store that keeps them.
pub(crate) const MAX_SUPERSEDED: usize = 16;

impl VersionRecord {
    /// Takes over from `other` what a rewrap or a reseal changes.
    pub(crate) fn renew_as(&mut self, other: &Self) {
        self.native_id.clone_from(&other.native_id);
        self.payload_sha256.clone_from(&other.payload_sha256);
        self.wraps_sha256.clone_from(&other.wraps_sha256);
        self.keks.clone_from(&other.keks);
        self.fingerprint = other.fingerprint;
        self.superseded.clone_from(&other.superseded);
        self.resealed.clone_from(&other.resealed);
    }

    /// Returns whether this is the version `before`, perhaps rewrapped or resealed since.
    pub(crate) fn is_renewal_of(&self, before: &Self) -> bool {
        self.number == before.number
            && self.has_been(|payload_sha256| payload_sha256 == before.payload_sha256)
    }

    /// Returns whether the version has the payload that `is_same` finds by its digest, or had it
    /// before a reseal.
    pub(crate) fn has_been(&self, is_same: impl Fn(&str) -> bool) -> bool {
        let former = self
            .resealed
            .as_ref()
            .map(|resealed| &resealed.former_payloads);
        let mut payloads = former.into_iter().flatten();
        is_same(&self.payload_sha256) || payloads.any(|former| is_same(former))
    }

    /// Returns the time at which the present data key sealed the version.
    pub(crate) fn sealed_at(&self) -> Timestamp {
        let resealed = self.resealed.as_ref();
        resealed.map_or(self.created_at, |resealed| resealed.at)
    }

    /// Replaces the payload by one under another data key.
    pub(crate) fn reseal(
        &mut self,
        payload_sha256: String,
        fingerprint: Fingerprint,
        at: Timestamp,
    ) {
        let resealed = self.resealed.get_or_insert_with(|| Resealed {
            at,
            former_payloads: Vec::new(),
        });
        resealed.at = at;
        let former = std::mem::replace(&mut self.payload_sha256, payload_sha256);
        resealed.former_payloads.push(former);
        let excess = resealed
            .former_payloads
            .len()
            .saturating_sub(MAX_FORMER_PAYLOADS);
        resealed.former_payloads.drain(..excess);
        self.fingerprint = fingerprint;
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record for SecretDocument {
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
                "wraps_sha256": "",
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
        // A pruned revision is not reused, and the remaining versions keep their
        // revisions.
        let mut pruned = commit(&[1000, 1001, 1002], 1);
        pruned.current = None;
        assert_eq!(pruned.last_revision, 1002);
        // A recreated secret continues from the tombstone's revision.
        let tombstone = pruned;
        let mut again = SecretDocument {
            current: Some(secret(2, &[7])),
            ..tombstone.clone()
        };
        again.raise_revisions(&tombstone);
        assert_eq!(revisions(&again), [1003]);
    }
}
