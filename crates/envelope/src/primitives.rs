//! Makes each cryptographic call in one place.
//!
//! So the published test vectors exercise the same calls as sealing and opening, and each
//! call that sees a key or a plaintext wipes its stack.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use stack::wiping_stack;

mod stack;

/// Length of an AES-GCM nonce.
pub(crate) const NONCE_BYTES: usize = 12;

/// Length of an AES-GCM tag.
pub(crate) const TAG_BYTES: usize = 16;

/// Error of an AES-GCM call: a wrong tag, or more than 64 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AeadRefused;

/// Error of an HKDF call for more than 255 blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OutputTooLong;

/// Encrypts `buffer` in place and returns the tag (AES-256-GCM, NIST SP 800-38D).
pub(crate) fn aead_seal(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    associated_data: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG_BYTES], AeadRefused> {
    wiping_stack(|| {
        Aes256Gcm::new(key.into())
            .encrypt_inout_detached(nonce.into(), associated_data, buffer.into())
            .map(Into::into)
            .map_err(|_| AeadRefused)
    })
}

/// Verifies the tag, and only then decrypts `buffer` in place.
//= docs/format.md#11-opening
//# A reader MUST NOT release plaintext before the tag has verified.
pub(crate) fn aead_open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    associated_data: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_BYTES],
) -> Result<(), AeadRefused> {
    wiping_stack(|| {
        Aes256Gcm::new(key.into())
            .decrypt_inout_detached(nonce.into(), associated_data, buffer.into(), tag.into())
            .map_err(|_| AeadRefused)
    })
}

/// A key of 256 bits.
///
/// # Security
///
/// The bytes are on the heap and are zeroized there. Each move of an array would leave
/// a copy on the stack, and nothing would zeroize it.
pub(crate) type KeyBytes = Box<Zeroizing<[u8; 32]>>;

/// Returns a zeroed buffer for a key, to be filled in place.
pub(crate) fn zeroed_key() -> KeyBytes {
    Box::new(Zeroizing::new([0; 32]))
}

/// Derives one 256-bit key for each of `infos` (HKDF-SHA-512, RFC 5869). An info is the
/// concatenation of its parts.
pub(crate) fn derive_keys<const N: usize>(
    salt: &[u8],
    key: &[u8],
    infos: [&[&[u8]]; N],
) -> [KeyBytes; N] {
    wiping_stack(|| {
        let pseudorandom = PseudorandomKey::extract(salt, key);
        infos.map(|info| {
            let mut key = zeroed_key();
            pseudorandom
                .expand(info, key.as_mut_slice())
                .expect("32 bytes are below HKDF-SHA-512's limit of 16,320");
            key
        })
    })
}

/// A pseudorandom key to expand other keys from.
struct PseudorandomKey(Hkdf<Sha512>);

impl PseudorandomKey {
    /// Extracts the key with HKDF-Extract.
    fn extract(salt: &[u8], key: &[u8]) -> Self {
        Self(Hkdf::new(Some(salt), key))
    }

    /// Expands the key with HKDF-Expand; the info is the concatenation of `info`.
    fn expand(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputTooLong> {
        self.0
            .expand_multi_info(info, output)
            .map_err(|_| OutputTooLong)
    }
}

/// Returns the first 32 bytes of HMAC-SHA-512 over the concatenated `parts`.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    wiping_stack(|| {
        let mut mac =
            Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
        for part in parts {
            mac.update(part);
        }
        let whole: [u8; 64] = mac.finalize().into_bytes().into();
        *whole
            .first_chunk()
            .expect("64 bytes have a first chunk of 32")
    })
}

/// Returns the SHA-256 of the concatenated `parts`.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    wiping_stack(|| {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part);
        }
        digest.finalize().into()
    })
}

/// Returns `N` random bytes from the operating system; not for keys.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Returns a random key from the operating system.
pub(crate) fn random_key() -> Result<KeyBytes, getrandom::Error> {
    let mut key = zeroed_key();
    getrandom::fill(key.as_mut_slice())?;
    Ok(key)
}

#[cfg(test)]
mod tests;
