//! Digests that a caller keeps of what it has seen.

use sha2::{Digest, Sha256};

/// Digest of a text in a record that a caller has seen, for the caller to keep and to compare.
///
/// It is truncated to 16 bytes, since a state contains one or more for each secret. A record
/// with another text and the same digest takes 2^128 attempts to find. Two such records take
/// 2^64, but both have to be sealed and signed with the keys of the organization, and who has
/// those keys needs no collision.
///
/// The text is usually a digest itself. It is hashed again because a record may not be verified
/// yet, so its digest may be any text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenDigest([u8; 16]);

impl SeenDigest {
    /// Returns the digest of `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(text).into();
        let first = digest.first_chunk();
        Self(*first.expect("32 bytes have a first chunk of 16"))
    }

    /// Returns the digest that [`to_bytes`](Self::to_bytes) returned.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes to keep.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_start_of_sha_256_and_survives_its_bytes() {
        // https://www.di-mgt.com.au/sha_testvectors.html
        let digest = SeenDigest::of("abc");
        assert_eq!(
            hex::encode(digest.to_bytes()),
            "ba7816bf8f01cfea414140de5dae2223"
        );
        assert_eq!(SeenDigest::from_bytes(digest.to_bytes()), digest);
        assert_ne!(SeenDigest::of("abd"), digest);
    }
}
