//! Tests that the key commitment rejects a second key.
//!
//! AES-GCM does not commit to its key: with two keys, an attacker can construct one
//! ciphertext that both decrypt.

use aes_gcm::KeyInit;
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::BlockCipherEncrypt;

use super::*;
use crate::DataKey;
use crate::derive::VersionKeys;
use crate::primitives;
use crate::seal::PAYLOAD_NONCE;

const CIPHERTEXT_BYTES: usize = 48;

//= docs/format.md#10-payload
//= type=test
//# A reader MUST NOT decrypt a payload whose commitment differs from CK.
#[test]
fn payload_that_decrypts_under_two_keys_opens_under_the_committed_one_only() {
    let salt = [7; 32];
    let data_keys = [1, 2].map(|byte| DataKey::copy_of(&[byte; 32]));
    let [first, second] = data_keys
        .each_ref()
        .map(|key| VersionKeys::derive(key, &salt, &context().encode()));
    let length = (CIPHERTEXT_BYTES as u32).to_be_bytes();
    let associated_data = [context().encode().as_slice(), &length].concat();
    let (ciphertext, tag) =
        two_key_ciphertext(&first.encryption, &second.encryption, &associated_data);

    // The attack must succeed on plain AES-GCM; otherwise this test proves nothing.
    let mut plaintexts = [ciphertext; 2];
    for (keys, buffer) in [&first, &second].into_iter().zip(&mut plaintexts) {
        let key = &keys.encryption;
        primitives::aead_open(key, &PAYLOAD_NONCE, &associated_data, buffer, &tag)
            .expect("one ciphertext, two keys");
    }
    assert_ne!(plaintexts[0], plaintexts[1]);

    for (commitment, opens) in [
        (*first.commitment.as_bytes(), [true, false]),
        (*second.commitment.as_bytes(), [false, true]),
        ([0; 32], [false, false]),
    ] {
        let payload = [&salt[..], &commitment, &length, &ciphertext, &tag].concat();
        let wraps = vec![(kek_id("local", "x"), WrappedKey::new(vec![0]))];
        let envelope = Envelope::from_sealed(&context(), wraps, payload).expect("envelope");
        let envelope = Envelope::parse(&envelope.encode()).expect("well-formed");
        for (key, opens) in data_keys.iter().zip(opens) {
            match envelope.open(key, &context()) {
                Ok(_) => assert!(opens),
                Err(error) => {
                    assert_eq!(error, EnvelopeError::Refused);
                    assert!(!opens);
                }
            }
        }
    }
}

/// Constructs a ciphertext whose tag is the same under both keys, by its last block.
///
/// The tags are polynomials in the hash keys, and linear in every block.
fn two_key_ciphertext(
    first: &[u8; 32],
    second: &[u8; 32],
    associated_data: &[u8],
) -> ([u8; CIPHERTEXT_BYTES], [u8; 16]) {
    let hash_keys = [first, second].map(|key| encrypt_block(key, [0; 16]));
    let masks = [first, second].map(|key| {
        let mut counter = [0; 16];
        counter[..12].copy_from_slice(&PAYLOAD_NONCE);
        counter[15] = 1;
        encrypt_block(key, counter)
    });
    let mut ciphertext = [0x5a; CIPHERTEXT_BYTES];
    ciphertext[CIPHERTEXT_BYTES - 16..].fill(0);
    let tag = |key: usize, ciphertext: &[u8]| {
        ghash(hash_keys[key], associated_data, ciphertext) ^ masks[key]
    };

    // The last block is multiplied by the square of the hash key.
    let difference = tag(0, &ciphertext) ^ tag(1, &ciphertext);
    let [one, two] = hash_keys.map(|key| multiply(key, key));
    let last = multiply(difference, invert(one ^ two));
    ciphertext[CIPHERTEXT_BYTES - 16..].copy_from_slice(&last.to_be_bytes());

    assert_eq!(tag(0, &ciphertext), tag(1, &ciphertext));
    (ciphertext, tag(0, &ciphertext).to_be_bytes())
}

fn encrypt_block(key: &[u8; 32], block: [u8; 16]) -> u128 {
    let mut block = block.into();
    Aes256::new(key.into()).encrypt_block(&mut block);
    u128::from_be_bytes(block.into())
}

fn ghash(key: u128, associated_data: &[u8], ciphertext: &[u8]) -> u128 {
    let blocks = associated_data.chunks(16).chain(ciphertext.chunks(16));
    let lengths = ((associated_data.len() as u128 * 8) << 64) | (ciphertext.len() as u128 * 8);
    let hash = blocks.fold(0, |hash, chunk| {
        let mut block = [0; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        multiply(hash ^ u128::from_be_bytes(block), key)
    });
    multiply(hash ^ lengths, key)
}

/// Multiplies in GF(2^128) with GCM's bit order (NIST SP 800-38D, 6.3).
fn multiply(x: u128, y: u128) -> u128 {
    let mut product = 0;
    let mut power = y;
    for bit in (0..128).rev() {
        if (x >> bit) & 1 == 1 {
            product ^= power;
        }
        let carry = power & 1;
        power >>= 1;
        if carry == 1 {
            power ^= 0xe1 << 120;
        }
    }
    product
}

/// Inverts by Fermat's little theorem: the power 2^128 - 2.
fn invert(x: u128) -> u128 {
    const ONE: u128 = 1 << 127;
    let mut power = x;
    (1..128).fold(ONE, |inverse, _| {
        power = multiply(power, power);
        multiply(inverse, power)
    })
}
