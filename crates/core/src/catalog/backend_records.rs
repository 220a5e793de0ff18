//! Defines the records of secret backends and of the default backend.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BackendKeys, Owner, Record, RecordKey, Removals};
use crate::names::Slug;
use crate::store::{NativeVersionId, RemoteName, StoreSettings};
use planton_envelope::KekId;

/// The default backend: the backend of a secret whose configuration names none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DefaultBackendRecord {
    /// Generation of the record. Each write increments it.
    pub generation: u64,
    /// Random identifier of the write. It identifies a write whose response was lost.
    pub write_id: Uuid,
    /// Name of the backend; `platform` is the built-in one.
    pub backend: Slug,
    /// Generation at which `backend` or `owner` last changed. A raise does not change
    /// it.
    pub changed: u64,
    /// Owner of the choice; absent if none was made, or if it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

impl DefaultBackendRecord {
    /// Returns true if the choice is unchanged since `owner` made or adopted it.
    #[must_use]
    pub(crate) fn is_untouched(&self, owner: &Owner) -> bool {
        self.changed <= owner.stamp.generation
    }
}

/// The document of a backend's name. A document without a backend is a tombstone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendDocument {
    /// Generation of the document. Each write increments it, tombstones included.
    pub generation: u64,
    /// Random identifier of the write. It identifies a write whose response was lost.
    pub write_id: Uuid,
    /// The backend with this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendRecord>,
    /// The backends that were removed last.
    #[serde(default, skip_serializing_if = "Removals::is_empty")]
    pub removed: Removals,
}

impl BackendDocument {
    /// Returns the key of the document of the backend `name`.
    pub(crate) fn key_of(name: &Slug) -> RecordKey {
        RecordKey::new(format!("backends/{name}"))
    }

    /// Returns whether a backend that the document lacks, and that a caller saw at the generation
    /// `seen`, may be of a history that was abandoned.
    ///
    /// It is not if a later write has removed it.
    pub(crate) fn may_be_abandoned(&self, uuid: Uuid, seen: u64, floor: u64) -> bool {
        seen < floor && !self.removed.is_after(seen, uuid)
    }
}

/// A secret backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendRecord {
    /// Identity of the backend. A backend that is recreated under the same name gets
    /// another one.
    pub uuid: Uuid,
    /// Name of the backend.
    pub name: Slug,
    /// Whether the backend is in use or being deleted.
    pub state: BackendState,
    /// Whether the backend was made the default and not replaced since, according to
    /// this record.
    ///
    /// False is certain. If it is true, the record of the default backend decides.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_default: bool,
    /// Human-readable description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Settings of the store. They are not secret.
    pub settings: StoreSettings,
    /// Sealed credential; absent if the vendor's ambient credential chain is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SealedCredential>,
    /// The KEKs of its secrets.
    #[serde(default, skip_serializing_if = "BackendKeys::is_default")]
    pub keys: BackendKeys,
    /// Marker of the backend. It proves that a changed address leads to the same place;
    /// absent if the connection was never verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<MarkerRecord>,
    /// Arguments that only the provider uses; the record keeps them for an import.
    pub arguments: BackendArguments,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Generation of the document at which an argument of the practitioner last
    /// changed. A new owner and housekeeping do not change it.
    pub generation: u64,
    /// Owner of the record.
    pub owner: Owner,
}

/// The state of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BackendState {
    /// In use.
    Ready,
    /// Being deleted; no new secret may be created there.
    Deleting,
}

/// The credential of a backend, sealed under the organization's KEK as a secret's value
/// is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedCredential {
    /// Generation of the document that first contained this credential. A later
    /// credential has a higher one.
    pub version: u64,
    /// Envelope in text form.
    pub envelope: String,
    /// The KEKs that may open it.
    pub keks: Vec<KekId>,
}

/// The marker of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkerRecord {
    /// Name of the marker in the backend.
    pub remote_name: RemoteName,
    /// The backend's own identifier of the marker's version.
    pub native_id: NativeVersionId,
    /// SHA-256 of the stored payload, in hexadecimal.
    pub sha256: String,
}

/// Arguments of a backend that only the provider uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendArguments {
    /// Trigger of new credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_wo_version: Option<String>,
    /// Whether the connection is tested before the backend is saved.
    pub verify_connection: bool,
    /// Effect of a destroy.
    #[serde(default)]
    pub on_destroy: BackendOnDestroy,
}

/// The effect of a destroy on a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendOnDestroy {
    /// Deletes the marker and the objects of interrupted creations, then the record.
    #[default]
    Delete,
    /// Deletes the record only, without a request to a store that is gone for good.
    Forget,
}

impl BackendRecord {
    /// Returns true if the record is unchanged since its owner created or adopted it.
    #[must_use]
    pub(crate) fn is_untouched(&self) -> bool {
        self.state == BackendState::Ready && self.generation <= self.owner.stamp.generation
    }
}

impl Default for DefaultBackendRecord {
    /// Returns the default without a record: the built-in backend, without an owner.
    fn default() -> Self {
        Self {
            generation: 0,
            write_id: Uuid::nil(),
            backend: Slug::platform_backend(),
            changed: 0,
            owner: None,
        }
    }
}

impl Record for DefaultBackendRecord {
    fn is_same_write(&self, other: &Self) -> bool {
        self.write_id == other.write_id
    }
}

impl Record for BackendDocument {
    fn is_same_write(&self, other: &Self) -> bool {
        self.write_id == other.write_id
    }
}
