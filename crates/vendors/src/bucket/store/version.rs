//! The identifier of a version, and the last segment of its object's key.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use planton_core::store::NativeVersionId;

/// Number of hexadecimal digits of the payload's digest in an identifier.
const DIGEST_DIGITS: usize = 32;

/// A version: `<version>-<attempt>`, which is the last segment of its key, and `-<digest>`.
///
/// Nothing in it comes from the vendor. So a restored or copied object with the same content
/// under the same name is the same version. The digest is no part of the key: another payload
/// of the same attempt finds the key taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredVersion {
    leaf: String,
    digest: Option<String>,
}

impl StoredVersion {
    /// Describes the version with `payload`.
    pub(super) fn new(version: u64, attempt: Uuid, payload: &[u8]) -> Self {
        let mut digest = digest_of(payload);
        digest.truncate(DIGEST_DIGITS);
        Self {
            leaf: format!("{version}-{}", attempt.simple()),
            digest: Some(digest),
        }
    }

    /// Parses an identifier; that of a listing has no digest.
    pub(super) fn parse(id: &NativeVersionId) -> Option<Self> {
        let text = id.as_str();
        let (leaf, digest) = match text.match_indices('-').nth(1) {
            Some((at, _)) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let fits = digest.is_none_or(|digest| digest.len() == DIGEST_DIGITS && is_hex(digest));
        let digest = digest.map(str::to_owned);
        (fits && Self::is_leaf(leaf)).then(|| Self {
            leaf: leaf.to_owned(),
            digest,
        })
    }

    /// Returns true for the last segment of a version's key.
    pub(super) fn is_leaf(text: &str) -> bool {
        text.split_once('-').is_some_and(|(version, attempt)| {
            let is_number = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
            is_number && version.len() <= 20 && attempt.len() == 32 && is_hex(attempt)
        })
    }

    /// Returns the last segment of the key.
    pub(super) fn leaf(&self) -> &str {
        &self.leaf
    }

    /// Returns whether a payload with this SHA-256, in hexadecimal, is that of the version.
    pub(super) fn has_digest(&self, whole: &str) -> bool {
        whole.len() == 2 * DIGEST_DIGITS
            && self
                .digest
                .as_deref()
                .is_none_or(|digest| whole.starts_with(digest))
    }

    pub(super) fn into_native_id(self) -> NativeVersionId {
        NativeVersionId::new(match self.digest {
            Some(digest) => format!("{}-{digest}", self.leaf),
            None => self.leaf,
        })
    }
}

/// Returns the SHA-256 of a payload in hexadecimal.
pub(super) fn digest_of(payload: &[u8]) -> String {
    hex::encode(Sha256::digest(payload))
}

fn is_hex(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    text.bytes().all(known)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn an_identifier_depends_on_version_attempt_and_payload_alone() {
        let attempt = Uuid::from_u128(7);
        let id = StoredVersion::new(3, attempt, b"payload").into_native_id();
        let text = "3-00000000000000000000000000000007-239f59ed55e737c77147cf55ad0c1b03";
        assert_eq!(id.as_str(), text);
        let parsed = StoredVersion::parse(&id).unwrap();
        assert_eq!(parsed.leaf(), "3-00000000000000000000000000000007");
        assert!(parsed.has_digest(&digest_of(b"payload")));
        assert!(!parsed.has_digest(&digest_of(b"other")));
        assert_eq!(parsed.into_native_id(), id);
    }

    #[test]
    fn a_listed_identifier_has_no_digest_and_matches_any() {
        let id = NativeVersionId::new("1-00000000000000000000000000000007".to_owned());
        let listed = StoredVersion::parse(&id).unwrap();
        assert!(listed.has_digest(&digest_of(b"payload")));
        assert_eq!(listed.into_native_id(), id);
    }

    #[test]
    fn a_text_that_leads_elsewhere_is_no_identifier() {
        for text in [
            "",
            "1",
            "1-",
            "-00000000000000000000000000000007",
            "1-../00000000000000000000000000007",
            "1-0000000000000000000000000000000G",
            "1-00000000000000000000000000000007-",
            "1-00000000000000000000000000000007-ab",
        ] {
            let id = NativeVersionId::new(text.to_owned());
            assert_eq!(StoredVersion::parse(&id), None, "{text}");
        }
    }
}
