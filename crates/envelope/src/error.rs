//! Why sealing or opening failed.

use super::keys::KekId;
use super::limits::{MAX_WRAPPED_KEY_BYTES, MAX_WRAPPED_KEYS};

/// Why bytes are no envelope, or an envelope does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The bytes are not an envelope.
    #[error("not a well-formed envelope: {0}")]
    Malformed(&'static str),
    /// An envelope of a format that this version does not know.
    #[error("envelope format {0} is not supported")]
    UnsupportedFormat(u8),
    /// A cipher suite that is not on the list.
    #[error("envelope suite 0x{0:04x} is not supported")]
    UnsupportedSuite(u16),
    /// A well-formed envelope that this key does not open in this context.
    ///
    /// # Security
    ///
    /// One and the same for every reason: an error that told them apart would
    /// answer an attacker's questions about key and plaintext.
    #[error("the envelope was refused: it was altered, moved, or sealed under another key")]
    //= docs/format.md#11-opening
    //# A reader MUST report every refusal of steps 4 and 5 as one and the same error.
    Refused,
}

/// Why an envelope cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness(#[source] getrandom::Error),
    /// The context has no configuration digest and is a credential's, or has one
    /// and is not.
    #[error("a context has a configuration digest exactly when it is a credential's")]
    Context,
    /// No wrapped key, or too many.
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
    /// The plaintext is too long.
    #[error("the plaintext exceeds what an envelope can hold")]
    PlaintextTooLong,
}
