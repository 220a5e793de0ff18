//! How a version is identified: its path, and when it was written there.

use uuid::Uuid;

use planton_core::store::{NativeVersionId, RemoteName};

/// A version at a path of its own. Something else that is written there has
/// another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredVersion {
    /// `{version}-{attempt}`.
    pub(super) slot: String,
    /// When the server wrote it, in the server's own form.
    pub(super) created_time: String,
}

impl StoredVersion {
    /// Returns the last segment of the path for a version and an attempt.
    pub(super) fn slot(version: u64, attempt: Uuid) -> String {
        let attempt = hex::encode(&attempt.as_bytes()[..4]);
        format!("{version}-{attempt}")
    }

    /// Parses `{version}-{attempt}@{time}`; `None` for what was not given out here.
    pub(super) fn parse(id: &NativeVersionId) -> Option<Self> {
        let (slot, created_time) = id.as_str().split_once('@')?;
        (Self::is_slot(slot) && !created_time.is_empty()).then(|| Self {
            slot: slot.to_owned(),
            created_time: created_time.to_owned(),
        })
    }

    /// Says whether a path's last segment is of the form `{version}-{attempt}`.
    pub(super) fn is_slot(text: &str) -> bool {
        let Some((version, attempt)) = text.split_once('-') else {
            return false;
        };
        let is_version = version
            .parse::<u64>()
            .is_ok_and(|number| number.to_string() == version);
        is_version && attempt.len() == 8 && attempt.bytes().all(|b| b.is_ascii_hexdigit())
    }

    pub(super) fn into_native_id(self) -> NativeVersionId {
        NativeVersionId::new(format!("{}@{}", self.slot, self.created_time))
    }

    pub(super) fn path(&self, name: &RemoteName) -> String {
        format!("{name}/{}", self.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_ids_round_trip_and_refuse_what_is_not_ours() {
        let slot = StoredVersion::slot(12, Uuid::from_u128(0x0bad_cafe << 96));
        assert_eq!(slot, "12-0badcafe");
        let version = StoredVersion {
            slot,
            created_time: "2026-01-01T00:00:00.123456789Z".to_owned(),
        };
        let id = version.clone().into_native_id();
        assert_eq!(StoredVersion::parse(&id), Some(version));
        for bad in [
            "",
            "1-0badcafe",
            "1-0badcafe@",
            "x-0badcafe@t",
            "1-../..@t",
            "01-0badcafe@t",
        ] {
            assert_eq!(
                StoredVersion::parse(&NativeVersionId::new(bad.to_owned())),
                None,
                "{bad}"
            );
        }
    }
}
