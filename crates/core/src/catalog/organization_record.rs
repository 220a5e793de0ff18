//! Defines the record of an organization.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    CatalogError, Elsewhere, KekRecord, Move, MoveProgress, ORGANIZATION_RECORD, Record, RecordKey,
};
use crate::names::Slug;
use planton_envelope::KekId;

/// The record of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationRecord {
    /// Generation of the record. Each write increments it.
    pub generation: u64,
    /// UUID of the catalog. Another uuid means another platform.
    pub uuid: Uuid,
    /// Name of the organization.
    pub organization: Slug,
    /// UUID of the built-in backend.
    pub platform_backend: Uuid,
    /// The KEK of the built-in backend and of all credentials, where the platform's settings
    /// alone do not tell it for good. First use writes it before the key is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main_key: Option<KekId>,
    /// Progress of the organization's first use.
    pub state: OrganizationState,
    /// Keys under which the MAC key and each data key of the platform are wrapped as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escrow: Vec<KekRecord>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Least generation of each record of the catalog: set when an operator accepts that the
    /// catalog was rolled back; 0 before the first time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub floor: u64,
    /// A restoration that has begun and is not accepted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restoration: Option<Restoration>,
    /// The migration that brought the organization to this platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived_by: Option<Uuid>,
}

/// A restoration of the catalog's records from a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restoration {
    /// Random identifier.
    pub id: Uuid,
    /// How far it has got.
    pub state: RestorationState,
    /// Time of the backup.
    pub backup_of: Timestamp,
    /// Time at which the restoration began.
    pub began_at: Timestamp,
}

/// The progress of a restoration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RestorationState {
    /// Records are still being written: the absence of one means nothing.
    Writing,
    /// All records are written. States may have seen newer ones.
    Written,
}

impl OrganizationRecord {
    /// Returns a digest of the identifiers and settings of the escrow keys, in hexadecimal: the
    /// first 16 bytes of SHA-256. Their order does not matter. Absent without any.
    #[must_use]
    pub(crate) fn escrow_digest(&self) -> Option<String> {
        if self.escrow.is_empty() {
            return None;
        }
        let part = |key: &KekRecord| {
            let part = (&key.kek, &key.settings);
            serde_json::to_string(&part).expect("records are plain JSON")
        };
        let mut parts: Vec<String> = self.escrow.iter().map(part).collect();
        parts.sort_unstable();
        let json = serde_json::to_vec(&parts).expect("records are plain JSON");
        let digest = Sha256::digest(json);
        Some(hex::encode(&digest[..DIGEST_BYTES]))
    }
}

/// The bytes of a digest of escrow keys. The state of each secret contains one.
const DIGEST_BYTES: usize = 16;

/// The progress of an organization's first use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum OrganizationState {
    /// The KEK may not exist yet. No other state allows its creation.
    Initializing,
    /// The KEK and the MAC key exist.
    Ready {
        /// The MAC key, wrapped under each of the organization's KEKs.
        mac_key: Vec<WrappedMacKey>,
    },
    /// A migration fills this platform. Nobody else may use it.
    Arriving {
        /// As in `Ready`.
        mac_key: Vec<WrappedMacKey>,
        /// The migration, with the platform that it comes from.
        migration: Move,
    },
    /// A migration empties this platform. Nobody may begin to use it.
    Moving {
        /// As in `Ready`.
        mac_key: Vec<WrappedMacKey>,
        /// The migration, with the platform that it goes to.
        migration: Move,
    },
    /// A migration has emptied this platform.
    Moved {
        /// As in `Ready`.
        mac_key: Vec<WrappedMacKey>,
        /// The migration, with the platform that has all.
        migration: Move,
    },
}

impl OrganizationState {
    /// Returns true if the first use is complete.
    #[must_use]
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }

    /// Returns the wraps of the MAC key; `None` before there is one.
    #[must_use]
    pub(crate) fn mac_key(&self) -> Option<&[WrappedMacKey]> {
        match self {
            Self::Initializing => None,
            Self::Ready { mac_key }
            | Self::Arriving { mac_key, .. }
            | Self::Moving { mac_key, .. }
            | Self::Moved { mac_key, .. } => Some(mac_key),
        }
    }

    /// Checks that no migration has this platform, or has emptied it.
    ///
    /// # Errors
    ///
    /// `Moved`, with the other platform.
    //= docs/format.md#19-records
    //# A reader MUST NOT use an organization in one of these states, unless it is the migration.
    pub(crate) fn expect_in_place(&self) -> Result<(), CatalogError> {
        self.elsewhere()
            .map_or(Ok(()), |elsewhere| Err(elsewhere.error(&record_key())))
    }

    /// Returns whether no migration has this platform as its source or its target.
    pub(crate) fn is_in_place(&self) -> bool {
        self.elsewhere().is_none()
    }

    /// Returns the error of [`expect_in_place`](Self::expect_in_place) for a record whose MAC
    /// was verified; `None` if there is none.
    pub(crate) fn verified_elsewhere(&self) -> Option<CatalogError> {
        let elsewhere = Elsewhere {
            is_verified: true,
            ..self.elsewhere()?
        };
        Some(elsewhere.error(&record_key()))
    }

    fn elsewhere(&self) -> Option<Elsewhere> {
        let (migration, progress) = match self {
            Self::Initializing | Self::Ready { .. } => return None,
            Self::Arriving { migration, .. } => (migration, MoveProgress::Arriving),
            Self::Moving { migration, .. } => (migration, MoveProgress::Moving),
            Self::Moved { migration, .. } => (migration, MoveProgress::Moved),
        };
        Some(migration.elsewhere(progress))
    }
}

fn record_key() -> RecordKey {
    RecordKey::new(ORGANIZATION_RECORD)
}

/// The organization's MAC key, wrapped under one KEK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrappedMacKey {
    /// The KEK.
    pub kek: KekId,
    /// The wrapped key, in hexadecimal.
    pub wrapped: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record for OrganizationRecord {
    /// Compares all fields: each write has a random uuid or a wrapped key of its own.
    fn is_same_write(&self, other: &Self) -> bool {
        self == other
    }
}
