//! What KV version 2 returns: versions, metadata, and how responses are parsed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::http::HttpResponse;

/// The entry at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvEntry<T> {
    /// The current version.
    Present {
        /// The data.
        data: T,
        /// Number of the version.
        version: u64,
        /// Time of the write, in the server's form.
        created_time: String,
    },
    /// The current version was deleted or destroyed. Its number still counts.
    Deleted {
        /// Number of the version.
        version: u64,
    },
    /// Nothing was ever written at the path, or its metadata was deleted.
    Absent,
}

/// A version that was written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KvWritten {
    /// Number of the version.
    pub version: u64,
    /// Time of the write, in the server's form.
    pub created_time: String,
}

/// Metadata of a path.
#[derive(Clone, Debug, Deserialize)]
pub struct KvMetadata {
    /// The newest version; 0 for none.
    pub current_version: u64,
    /// The versions that the engine still lists.
    #[serde(default)]
    pub versions: BTreeMap<u64, KvVersion>,
}

/// Metadata of a version.
#[derive(Clone, Debug, Deserialize)]
pub struct KvVersion {
    /// Time of the write, in the server's form.
    pub created_time: String,
    /// Time of the deletion, past or future; empty for none.
    #[serde(default)]
    pub deletion_time: String,
    /// Whether the data was removed for good.
    #[serde(default)]
    pub destroyed: bool,
}

impl KvVersion {
    /// Returns true while the data is readable at `now`.
    #[must_use]
    pub fn is_readable(&self, now: Timestamp) -> bool {
        let deleted = match self.deletion_time.parse::<Timestamp>() {
            // `delete_version_after` sets a deletion time in the future:
            // https://openbao.org/api-docs/secret/kv/kv-v2/
            Ok(at) => at <= now,
            Err(_) => !self.deletion_time.is_empty(),
        };
        !self.destroyed && !deleted
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
pub(super) struct Read<T> {
    pub(super) data: Option<T>,
    pub(super) metadata: KvWritten,
}

#[derive(Deserialize)]
pub(super) struct WriteAnswer {
    #[serde(flatten)]
    pub(super) written: KvWritten,
    /// Set if the server will delete the version by itself.
    #[serde(default)]
    pub(super) deletion_time: String,
}

/// What KV version 1 returns: a value without metadata.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version1 {
    #[serde(rename = "data")]
    _data: IgnoredAny,
    #[serde(rename = "options", default)]
    _options: Option<IgnoredAny>,
}

/// Parses the `data` of a response. The parser's error is dropped, since it may quote a
/// value.
pub(in crate::openbao::client) fn parse<T: DeserializeOwned>(
    response: &HttpResponse,
) -> Result<T, ()> {
    serde_json::from_slice::<Envelope<T>>(response.body.expose())
        .map(|envelope| envelope.data)
        .map_err(|_| ())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn a_version_is_readable_until_it_is_deleted_or_destroyed() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (deletion_time, destroyed, readable) in [
            ("", false, true),
            ("", true, false),
            ("2025-12-31T23:59:59.123456789Z", false, false),
            ("2026-01-01T00:00:01Z", false, true),
            ("soon", false, false),
        ] {
            let version = KvVersion {
                created_time: String::new(),
                deletion_time: deletion_time.to_owned(),
                destroyed,
            };
            assert_eq!(
                version.is_readable(now),
                readable,
                "{deletion_time} {destroyed}"
            );
        }
    }
}
