//! Defines the errors of sealing and opening.

use super::keys::KekId;
use super::limits::{MAX_WRAPPED_KEY_BYTES, MAX_WRAPPED_KEYS, MAX_WRAPS_BYTES};

/// The reason for which bytes are not an envelope, or an envelope does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The bytes are not an envelope.
    #[error("not a well-formed envelope: {0}")]
    Malformed(&'static str),
    /// The format of the envelope is not supported by this version.
    #[error("envelope format {0} is not supported")]
    UnsupportedFormat(u8),
    /// The cipher suite is not supported.
    #[error("envelope suite 0x{0:04x} is not supported")]
    UnsupportedSuite(u16),
    /// The envelope is well-formed, but does not open with this key in this context.
    ///
    /// # Security
    ///
    /// One error covers every reason. Distinct errors would be an oracle for the key
    /// and the plaintext.
    #[error("the envelope was refused: it was altered, moved, or sealed under another key")]
    //= docs/format.md#11-opening
    //# A reader MUST report every refusal of steps 4 and 5 as one and the same error.
    Refused,
}

/// The reason for which an envelope cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The operating system returned no randomness.
    #[error("the operating system gave no randomness")]
    Randomness(#[source] getrandom::Error),
    /// The context of a secret has an extension, or another context has none.
    #[error("a context has an extension exactly when it is not a secret's")]
    Context,
    /// There is no wrapped key, or there are too many.
    #[error("an envelope holds 1 to {MAX_WRAPPED_KEYS} wrapped keys, not {0}")]
    WrappedKeyCount(usize),
    /// The identifier of a KEK is empty or too long.
    #[error("the identifier of the {} key is empty or too long", .0.provider)]
    KekId(KekId),
    /// A KEK appears twice.
    #[error("the key {0} appears twice")]
    DuplicateKek(KekId),
    /// A wrapped key is empty or too long.
    #[error("what the key {0} wrapped is empty or exceeds {MAX_WRAPPED_KEY_BYTES} bytes")]
    WrappedKey(KekId),
    /// The wrapped keys are too long together.
    #[error("all wrapped keys together take {0} bytes; an envelope holds {MAX_WRAPS_BYTES}")]
    WrapsTooLong(usize),
    /// The plaintext is too long.
    #[error("the plaintext exceeds what an envelope can hold")]
    PlaintextTooLong,
}
