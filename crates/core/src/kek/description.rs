//! What a key's keeper says of it before it is used.

use std::time::Duration;

/// What [`describe`](super::KeyEncryptionKey::describe) found of a usable key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// How the key rotates.
    pub rotation: KeyRotation,
    /// The newest version, where the keeper numbers versions.
    pub newest_version: Option<u64>,
}

/// How a key rotates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRotation {
    /// By itself, with this period.
    Every(Duration),
    /// By itself, with a period that the keeper does not tell.
    Automatic,
    /// Only when somebody rotates it.
    Manual,
    /// Never: imported material, a custom key store, an age recipient.
    Never,
    /// Unknown: the credential may not ask.
    Unknown,
}

/// The role of a KEK in a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KekSlot {
    /// The main key.
    Encryption,
    /// An escrow key, by its position.
    Escrow(usize),
}
