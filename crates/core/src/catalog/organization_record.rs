//! The record of an organization.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Record;
use crate::names::Slug;
use planton_envelope::KekId;

/// An organization's own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationRecord {
    /// Raised by one with each write.
    pub generation: u64,
    /// The catalog's uuid: another one is another platform.
    pub uuid: Uuid,
    /// The organization's name.
    pub organization: Slug,
    /// The uuid of the built-in backend.
    pub platform_backend: Uuid,
    /// How far its first use has come.
    pub state: OrganizationState,
    /// When it came into being.
    pub created_at: Timestamp,
}

/// How far an organization's first use has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum OrganizationState {
    /// The KEK may still have to be created. The only state that allows it.
    Initializing,
    /// The KEK and the MAC key exist.
    Ready {
        /// The MAC key, under each of the organization's KEKs.
        mac_key: Vec<WrappedMacKey>,
    },
}

impl OrganizationState {
    /// Returns true once first use is complete.
    #[must_use]
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }
}

/// The organization's MAC key under one KEK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrappedMacKey {
    /// The KEK.
    pub kek: KekId,
    /// The wrap, in hexadecimal.
    pub wrapped: String,
}

impl Record for OrganizationRecord {
    fn generation(&self) -> u64 {
        self.generation
    }

    /// Compares all: each write has a random uuid or wrap of its own.
    fn is_same_write(&self, other: &Self) -> bool {
        self == other
    }
}
