//! What the catalog holds of secret backends, and of the default one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Owner;
use super::Record;
use crate::names::Slug;
use crate::store::{NativeVersionId, RemoteName, StoreSettings};
use planton_envelope::KekId;

/// Which backend a secret goes to when it names none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DefaultBackendRecord {
    /// Raised by one with each write.
    pub generation: u64,
    /// Chosen anew by each write: after a lost answer its writer knows it again.
    pub write_id: Uuid,
    /// The backend's name; `platform` is the built-in one.
    pub backend: Slug,
    /// The generation with which the backend or its owner last changed: the record
    /// is also written again as it is.
    pub changed: u64,
    /// Whose the choice is; absent where nobody has made one, or it was unmade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

impl DefaultBackendRecord {
    /// Returns true where the choice has not changed since `owner` made or adopted it.
    #[must_use]
    pub(crate) fn is_untouched(&self, owner: &Owner) -> bool {
        self.changed <= owner.stamp.generation
    }
}

/// All that stands under a backend's name. Without a backend it is a tombstone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendDocument {
    /// Raised by one with each write, tombstones included.
    pub generation: u64,
    /// Chosen anew by each write: after a lost answer its writer knows it again.
    pub write_id: Uuid,
    /// The backend that answers to the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendRecord>,
}

/// One secret backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendRecord {
    /// Its identity; a recreated namesake has another one.
    pub uuid: Uuid,
    /// Its name.
    pub name: Slug,
    /// Whether it is in use or being deleted.
    pub state: BackendState,
    /// Whether it became the default and has not ceased to be since, as far as
    /// this record knows. Where it says no, it surely is not; where it says yes,
    /// the default's own record has the last word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_default: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it stores; nothing secret.
    pub settings: StoreSettings,
    /// The sealed credential; absent where the vendor's ambient chain serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SealedCredential>,
    /// An object of this backend's own, by which its place is known again when
    /// its address changes; absent where nobody ever verified the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<MarkerRecord>,
    /// What only the provider acts on; kept so that an import restores it.
    pub arguments: BackendArguments,
    /// When it came into being.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The document's generation when what a practitioner sets last changed. A new
    /// owner and housekeeping leave it alone.
    pub generation: u64,
    /// Whose it is.
    pub owner: Owner,
}

/// Whether a backend is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BackendState {
    /// In use.
    Ready,
    /// On its way out; no new secret may go there.
    Deleting,
}

/// A backend's credential, sealed like a secret under the organization's KEK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedCredential {
    /// The document's generation that it was written with: each new one's is
    /// higher.
    pub version: u64,
    /// The envelope in text form.
    pub envelope: String,
    /// The KEK that may open it.
    pub kek: KekId,
}

/// The object by which a backend's place is known again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkerRecord {
    /// Its name in the backend.
    pub remote_name: RemoteName,
    /// The backend's own identifier of its version.
    pub native_id: NativeVersionId,
    /// SHA-256 of what is stored, in hexadecimal.
    pub sha256: String,
}

/// What only the provider acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendArguments {
    /// The trigger of new credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_wo_version: Option<String>,
    /// Whether the connection is probed before it is saved.
    pub verify_connection: bool,
    /// What a destroy does.
    #[serde(default)]
    pub on_destroy: BackendOnDestroy,
}

/// What a destroy does with a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendOnDestroy {
    /// Deletes its marker and what interrupted creations left there, then its record.
    #[default]
    Delete,
    /// Deletes its record alone, without asking a store that is gone for good.
    Forget,
}

impl BackendRecord {
    /// Returns true where nothing has changed since its owner created or adopted it.
    #[must_use]
    pub(crate) fn is_untouched(&self) -> bool {
        self.state == BackendState::Ready && self.generation <= self.owner.stamp.generation
    }
}

impl Default for DefaultBackendRecord {
    /// Returns what holds without a record: the built-in backend, chosen by nobody.
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
    fn generation(&self) -> u64 {
        self.generation
    }

    fn is_same_write(&self, other: &Self) -> bool {
        self.write_id == other.write_id
    }
}

impl Record for BackendDocument {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn is_same_write(&self, other: &Self) -> bool {
        self.write_id == other.write_id
    }
}
