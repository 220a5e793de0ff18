//! Seals and opens secret versions in envelope format 1, without any I/O.
//!
//! `docs/format.md` publishes the format, and the vectors in `tests/vectors` freeze it.
//! [`Sealer`] creates an [`Envelope`], and [`Envelope::open`] opens it. [`SecretValue`]
//! is the plaintext of a secret.

mod context;
mod derive;
mod error;
mod fingerprint;
mod format;
mod key_file;
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
pub use key_file::{KeyFile, MAX_KEY_FILE_BYTES, MAX_ROOT_KEYS, RootKey};
pub use keys::{DataKey, KekId, WrapBinding, WrappedKey};
pub use limits::{
    MAX_KEK_ID_BYTES, MAX_PROVIDER_BYTES, MAX_WRAPPED_KEY_BYTES, MAX_WRAPPED_KEYS, MAX_WRAPS_BYTES,
    max_plaintext_bytes, wrap_bytes,
};
pub use local::LocalKey;
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
