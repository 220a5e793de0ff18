//! The cryptographic calls that everything sealed is built from, each made in
//! one place only, so that the published test vectors run through the very
//! calls that seal and open.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// The length of an AES-GCM nonce.
pub(crate) const NONCE_BYTES: usize = 12;

/// The length of an AES-GCM tag.
pub(crate) const TAG_BYTES: usize = 16;

/// An AES-GCM call that was refused: a wrong tag, or more than 64 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AeadRefused;

/// HKDF was asked for more than 255 blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputTooLong;

/// Encrypts `buffer` in place and returns the tag (AES-256-GCM, NIST SP 800-38D).
pub(crate) fn aead_seal(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    associated_data: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG_BYTES], AeadRefused> {
    Aes256Gcm::new(key.into())
        .encrypt_inout_detached(nonce.into(), associated_data, buffer.into())
        .map(Into::into)
        .map_err(|_| AeadRefused)
}

/// Checks the tag, and only then decrypts `buffer` in place.
//= docs/format.md#11-opening
//# A reader MUST NOT release plaintext before the tag has verified.
pub(crate) fn aead_open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    associated_data: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_BYTES],
) -> Result<(), AeadRefused> {
    Aes256Gcm::new(key.into())
        .decrypt_inout_detached(nonce.into(), associated_data, buffer.into(), tag.into())
        .map_err(|_| AeadRefused)
}

/// 256 bits of a key.
///
/// # Security
///
/// On the heap, where they are wiped: moving an array would leave a copy of it on the
/// stack each time, and nothing wipes those.
pub(crate) type KeyBytes = Box<Zeroizing<[u8; 32]>>;

/// Returns room for a key, to be filled in place.
pub(crate) fn zeroed_key() -> KeyBytes {
    Box::new(Zeroizing::new([0; 32]))
}

/// A pseudorandom key from which others are expanded (HKDF-SHA-512, RFC 5869).
pub(crate) struct PseudorandomKey(Hkdf<Sha512>);

impl PseudorandomKey {
    /// HKDF-Extract.
    pub(crate) fn extract(salt: &[u8], key: &[u8]) -> Self {
        Self(Hkdf::new(Some(salt), key))
    }

    /// HKDF-Expand; the info is the concatenation of `info`.
    pub(crate) fn expand(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputTooLong> {
        self.0
            .expand_multi_info(info, output)
            .map_err(|_| OutputTooLong)
    }

    /// HKDF-Expand to a 256-bit key.
    pub(crate) fn expand_key(&self, info: &[&[u8]]) -> KeyBytes {
        let mut key = zeroed_key();
        self.expand(info, key.as_mut_slice())
            .expect("32 bytes are below HKDF-SHA-512's limit of 16,320");
        key
    }
}

/// Returns the first 32 bytes of HMAC-SHA-512 over the concatenated `parts`.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
    for part in parts {
        mac.update(part);
    }
    let whole: [u8; 64] = mac.finalize().into_bytes().into();
    *whole
        .first_chunk()
        .expect("64 bytes have a first chunk of 32")
}

/// Returns SHA-256 over the concatenated `parts`.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}

/// Returns `N` bytes from the operating system; not for keys.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Returns a key from the operating system.
pub(crate) fn random_key() -> Result<KeyBytes, getrandom::Error> {
    let mut key = zeroed_key();
    getrandom::fill(key.as_mut_slice())?;
    Ok(key)
}

#[cfg(test)]
mod tests;
