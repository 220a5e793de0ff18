//! Seals and opens secret versions: envelope format 1. No I/O at all.
//!
//! `docs/format.md` publishes the format; the vectors in `tests/vectors` freeze
//! it. [`Sealer`] makes an [`Envelope`], [`Envelope::open`] opens one, and
//! [`SecretValue`] is what a practitioner's plaintext looks like inside.

mod context;
mod derive;
mod error;
mod fingerprint;
mod format;
mod keys;
mod limits;
mod local;
mod mac;
mod open;
mod primitives;
mod seal;
mod value;

pub use context::{Context, Purpose};
pub use error::{EnvelopeError, SealError};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use format::{Envelope, TEXT_PREFIX};
pub use keys::{DataKey, KekId, WrapBinding, WrappedKey};
pub use limits::{
    MAX_KEK_ID_BYTES, MAX_PROVIDER_BYTES, MAX_WRAPPED_KEY_BYTES, MAX_WRAPPED_KEYS,
    max_plaintext_bytes,
};
pub use local::{KEY_FILE_BYTES, LocalKey, RootKey};
pub use mac::MacKey;
pub use open::Opened;
pub use planton_secret::{SecretBytes, SecretString};
pub use seal::Sealer;
pub use value::{InvalidValue, SecretKind, SecretValue};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
