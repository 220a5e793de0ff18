//! Defines the record of an organization.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{KekRecord, Record};
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
}

impl OrganizationState {
    /// Returns true if the first use is complete.
    #[must_use]
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }
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

impl Record for OrganizationRecord {
    /// Compares all fields: each write has a random uuid or a wrapped key of its own.
    fn is_same_write(&self, other: &Self) -> bool {
        self == other
    }
}
