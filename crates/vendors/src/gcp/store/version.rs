//! Identifies versions.

use sha2::{Digest, Sha256};

use super::api::SecretVersion;
use planton_core::store::NativeVersionId;

/// A version of a secret. Its number alone is not unique over time: a secret that is
/// deleted and created again counts from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredVersion {
    /// The number within its secret.
    pub(super) number: u64,
    /// The time of its creation, in the server's format. It distinguishes versions of
    /// the same number in different secrets of this name.
    pub(super) create_time: String,
    /// The version's etag at its creation, with the quotes, or an empty text. With it,
    /// one request destroys this version and no other.
    pub(super) etag: String,
    /// The first 16 hexadecimal digits of the payload's SHA-256. A read verifies its
    /// payload with it, without another request.
    pub(super) digest: String,
}

impl StoredVersion {
    pub(super) fn new(version: &SecretVersion, payload: &[u8]) -> Self {
        // An etag is opaque: one that does not fit into the identifier is omitted.
        let fits = |b: u8| b.is_ascii_graphic() && b != b'@';
        let etag = version.etag.as_str();
        Self {
            number: version.number(),
            create_time: version.create_time.clone(),
            etag: if etag.bytes().all(fits) { etag } else { "" }.to_owned(),
            digest: digest(payload),
        }
    }

    /// Parses `{number}@{time}@{etag}@{digest}`. Returns `None` for any other text.
    pub(super) fn parse(id: &NativeVersionId) -> Option<Self> {
        let parts: Vec<&str> = id.as_str().split('@').collect();
        let [number, create_time, etag, digest] = parts[..] else {
            return None;
        };
        let value: u64 = number.parse().ok()?;
        let is_digest = digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        (value > 0 && value.to_string() == number && !create_time.is_empty() && is_digest).then(
            || Self {
                number: value,
                create_time: create_time.to_owned(),
                etag: etag.to_owned(),
                digest: digest.to_owned(),
            },
        )
    }

    pub(super) fn into_native_id(self) -> NativeVersionId {
        NativeVersionId::new(format!(
            "{}@{}@{}@{}",
            self.number, self.create_time, self.etag, self.digest
        ))
    }

    /// Returns true for the same version, in any state.
    pub(super) fn is(&self, version: &SecretVersion) -> bool {
        self.number == version.number() && self.create_time == version.create_time
    }

    /// Returns true for the payload of this version.
    pub(super) fn has(&self, payload: &[u8]) -> bool {
        self.digest == digest(payload)
    }
}

fn digest(payload: &[u8]) -> String {
    hex::encode(&Sha256::digest(payload)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(etag: &str) -> SecretVersion {
        SecretVersion {
            name: "projects/1/secrets/s/versions/12".to_owned(),
            create_time: "2026-01-01T00:00:00.123456Z".to_owned(),
            state: "ENABLED".to_owned(),
            etag: etag.to_owned(),
        }
    }

    #[test]
    fn native_ids_round_trip_and_refuse_what_is_not_ours() {
        let stored = StoredVersion::new(&version("\"16211dd90b37e7\""), b"PSE1");
        assert!(stored.is(&version("another")) && stored.has(b"PSE1") && !stored.has(b"PSE2"));
        let id = stored.clone().into_native_id();
        let text = "12@2026-01-01T00:00:00.123456Z@\"16211dd90b37e7\"@";
        assert!(id.as_str().starts_with(text), "{id}");
        assert_eq!(StoredVersion::parse(&id), Some(stored));
        for bad in [
            "",
            "12",
            "12@t@e",
            "0@t@e@0123456789abcdef",
            "012@t@e@0123456789abcdef",
            "x@t@e@0123456789abcdef",
            "latest@t@e@0123456789abcdef",
            "1/../2@t@e@0123456789abcdef",
            "1@@e@0123456789abcdef",
            "1@t@e@0123",
            "1@t@e@0123456789abcdef@",
        ] {
            let id = NativeVersionId::new(bad.to_owned());
            assert_eq!(StoredVersion::parse(&id), None, "{bad}");
        }
    }

    #[test]
    fn a_version_without_a_usable_etag_has_none() {
        for etag in ["", "a@b", "a b", "é"] {
            let stored = StoredVersion::new(&version(etag), b"PSE1");
            assert_eq!(stored.etag, "", "{etag}");
            assert_eq!(
                StoredVersion::parse(&stored.clone().into_native_id()),
                Some(stored)
            );
        }
    }
}
