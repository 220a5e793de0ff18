//! The age file of one wrapped key: version 1, one X25519 stanza, one chunk.
//!
//! <https://c2sp.org/age> defines it. Files of one recipient and 64 bytes of plaintext all
//! have the same layout, so that a parser compares positions and skips nothing.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use planton_secret::SecretBytes;
use zeroize::Zeroizing;

use super::recipient::Recipient;

/// Length of what is wrapped: data key and binding.
pub(super) const PLAINTEXT_BYTES: usize = 64;

/// Length of the file.
pub(super) const FILE_BYTES: usize = HEADER_BYTES + NONCE_BYTES + PLAINTEXT_BYTES + TAG_BYTES;

const VERSION: &str = "age-encryption.org/v1\n";
const STANZA: &str = "-> X25519 ";
const MAC: &str = "---";

const FILE_KEY_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 16;
/// Length of 32 bytes in base64 without padding.
const KEY_TEXT_BYTES: usize = 43;
/// Both lines of the stanza, with their line ends.
const STANZA_BYTES: usize = STANZA.len() + KEY_TEXT_BYTES + 1 + KEY_TEXT_BYTES + 1;
const HEADER_BYTES: usize = VERSION.len() + STANZA_BYTES + MAC.len() + 1 + KEY_TEXT_BYTES + 1;

// Written with aws-lc-rs and not with the crate `age`: docs/adr/0018-age-without-its-crate.md.

/// The nonce of the last chunk of a payload, which is also its first: counter 0, flag 1.
const ONLY_CHUNK: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Why a file cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EncryptError {
    /// The operating system returned no randomness.
    #[error("the operating system returned no randomness")]
    Randomness,
    /// The public key is a point of low order, which agrees on no secret.
    #[error("the recipient's public key is invalid")]
    Recipient,
}

/// Encrypts `plaintext` of [`PLAINTEXT_BYTES`] to `recipient`.
pub(super) fn encrypt(
    recipient: &Recipient,
    plaintext: &SecretBytes,
) -> Result<Vec<u8>, EncryptError> {
    let randomness = |_| EncryptError::Randomness;
    let mut file_key = FileKey::default();
    aws_lc_rs::rand::fill(file_key.as_mut_slice()).map_err(randomness)?;
    let mut nonce = [0; NONCE_BYTES];
    aws_lc_rs::rand::fill(&mut nonce).map_err(randomness)?;
    let ephemeral =
        EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(randomness)?;
    let share = ephemeral.compute_public_key().map_err(randomness)?;
    let public_key = UnparsedPublicKey::new(&X25519, recipient.public_key());
    let wrap_key = agreement::agree_ephemeral(ephemeral, public_key, Unspecified, |shared| {
        wrap_key(shared, share.as_ref(), recipient)
    });
    let wrap_key = wrap_key.map_err(|_| EncryptError::Recipient)?;
    let wrapped = seal(&wrap_key, [0; 12], file_key.as_slice());

    let mut file = String::with_capacity(HEADER_BYTES);
    file.push_str(VERSION);
    file.push_str(STANZA);
    STANDARD_NO_PAD.encode_string(share.as_ref(), &mut file);
    file.push('\n');
    STANDARD_NO_PAD.encode_string(wrapped.as_slice(), &mut file);
    file.push('\n');
    file.push_str(MAC);
    let mac = hmac::sign(&header_key(&file_key), file.as_bytes());
    file.push(' ');
    STANDARD_NO_PAD.encode_string(mac.as_ref(), &mut file);
    file.push('\n');

    let mut file = file.into_bytes();
    file.extend_from_slice(&nonce);
    let payload_key = payload_key(&file_key, &nonce);
    let payload = seal(&payload_key, ONLY_CHUNK, plaintext.expose());
    file.extend_from_slice(&payload);
    Ok(file)
}

/// Decrypts a file with the identity of `recipient`; `None`, whatever the reason.
pub(super) fn decrypt(
    identity: &PrivateKey,
    recipient: &Recipient,
    file: &[u8],
) -> Option<SecretBytes> {
    let parts = Parts::parse(file)?;
    let file_key = unwrap_file_key(identity, recipient, &parts.share, &parts.wrapped)?;
    hmac::verify(&header_key(&file_key), parts.authenticated, &parts.mac).ok()?;
    let key = payload_key(&file_key, parts.nonce);
    let mut plaintext = open(&key, ONLY_CHUNK, parts.payload)?;
    Some(SecretBytes::new(std::mem::take(&mut *plaintext)))
}

pub(super) fn unwrap_file_key(
    identity: &PrivateKey,
    recipient: &Recipient,
    share: &[u8; 32],
    wrapped: &[u8; 32],
) -> Option<FileKey> {
    let public_key = UnparsedPublicKey::new(&X25519, share);
    // Fails for a share of low order.
    let wrap_key = agreement::agree(identity, public_key, Unspecified, |shared| {
        wrap_key(shared, share, recipient)
    });
    let opened = open(&wrap_key.ok()?, [0; 12], wrapped)?;
    let mut file_key = FileKey::default();
    file_key.copy_from_slice(opened.get(..FILE_KEY_BYTES)?);
    Some(file_key)
}

/// The parts of a file, by position.
struct Parts<'a> {
    share: [u8; 32],
    wrapped: [u8; 32],
    mac: [u8; 32],
    /// What the header's MAC covers: everything up to the mark, without the blank after it.
    authenticated: &'a [u8],
    nonce: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Parts<'a> {
    //= docs/format.md#30-age-recipient
    //# A reader MUST refuse a `wrapped` of another length or layout.
    fn parse(file: &'a [u8]) -> Option<Self> {
        if file.len() != FILE_BYTES {
            return None;
        }
        let (header, rest) = file.split_at(HEADER_BYTES);
        let (nonce, payload) = rest.split_at(NONCE_BYTES);
        let text = std::str::from_utf8(header).ok()?;
        let lines = text.strip_prefix(VERSION)?.strip_suffix('\n')?;
        let mut lines = lines.split('\n');
        let share = key(lines.next()?.strip_prefix(STANZA)?)?;
        let wrapped = key(lines.next()?)?;
        let mac = key(lines.next()?.strip_prefix(MAC)?.strip_prefix(' ')?)?;
        lines.next().is_none().then_some(Self {
            share,
            wrapped,
            mac,
            authenticated: &file[..HEADER_BYTES - KEY_TEXT_BYTES - 2],
            nonce,
            payload,
        })
    }
}

/// Decodes 32 bytes from canonical base64 without padding.
fn key(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    // The engine refuses padding and unused bits that are not zero.
    let length = STANDARD_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (length == bytes.len()).then_some(bytes)
}

type Key = Zeroizing<[u8; 32]>;
pub(super) type FileKey = Zeroizing<[u8; FILE_KEY_BYTES]>;

/// <https://c2sp.org/age#x25519-recipient-stanza>
fn wrap_key(shared: &[u8], share: &[u8], recipient: &Recipient) -> Result<Key, Unspecified> {
    let salt = [share, recipient.public_key()].concat();
    Ok(derive(&salt, shared, b"age-encryption.org/v1/X25519"))
}

/// <https://c2sp.org/age#header-mac>
fn header_key(file_key: &FileKey) -> hmac::Key {
    let key = derive(&[], file_key.as_slice(), b"header");
    hmac::Key::new(hmac::HMAC_SHA256, key.as_slice())
}

/// <https://c2sp.org/age#payload>
fn payload_key(file_key: &FileKey, nonce: &[u8]) -> Key {
    derive(nonce, file_key.as_slice(), b"payload")
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> Key {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let mut key = Zeroizing::new([0; 32]);
    prk.expand(&[info], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .expect("32 bytes are within the limits of HKDF");
    key
}

fn cipher(key: &Key) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice());
    LessSafeKey::new(key.expect("the key has 32 bytes"))
}

fn seal(key: &Key, nonce: [u8; 12], plaintext: &[u8]) -> Zeroizing<Vec<u8>> {
    // Of the full size at once: a growing buffer would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(plaintext.len() + TAG_BYTES));
    bytes.extend_from_slice(plaintext);
    let nonce = Nonce::assume_unique_for_key(nonce);
    cipher(key)
        .seal_in_place_append_tag(nonce, Aad::empty(), &mut *bytes)
        .expect("64 bytes are within the limits of the cipher");
    bytes
}

fn open(key: &Key, nonce: [u8; 12], bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(bytes.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = cipher(key).open_in_place(nonce, Aad::empty(), &mut bytes);
    let length = opened.ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::AgeIdentity;

    /// The header of the file `x25519` of age's test kit:
    /// <https://github.com/C2SP/CCTV/blob/main/age/testdata/x25519>.
    const HEADER: &str = "age-encryption.org/v1\n-> X25519 \
                          TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n\
                          hjabGXwSLQ9c3S6Lw2i+S2Tu2fiwQHHslbBN6B41FLE\n--- \
                          WyJp9F/9FOZh7gJdheq2WIJcwHgYc8NIVh3ddwhrcNg\n";
    const IDENTITY: &str =
        "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";

    #[test]
    fn the_stanza_and_the_mac_of_ages_test_kit_are_understood() {
        let file = [HEADER.as_bytes(), &[0; FILE_BYTES - HEADER_BYTES]].concat();
        let parts = Parts::parse(&file).expect("the layout of one stanza");
        let identity = AgeIdentity::parse(IDENTITY).expect("an identity");
        let file_key = identity.unwrap_file_key(&parts.share, &parts.wrapped);
        let file_key = file_key.expect("the identity's own stanza");
        assert_eq!(file_key.as_slice(), b"YELLOW SUBMARINE");
        let verified = hmac::verify(&header_key(&file_key), parts.authenticated, &parts.mac);
        verified.expect("the header's MAC");
    }

    #[test]
    fn a_recipient_of_low_order_is_refused() {
        let recipient = Recipient::of_public_key([0; 32]);
        let refused = encrypt(&recipient, &SecretBytes::new(vec![1; PLAINTEXT_BYTES]));
        assert_eq!(refused, Err(EncryptError::Recipient));
    }
}
