use jiff::Timestamp;

use super::look::status;
use super::*;
use crate::openbao::client::{KvMetadata, KvVersion};
use planton_core::store::VersionStatus;

#[test]
fn names_are_plain_segments_of_512_bytes_at_most() {
    let name = |text: &str| check(&RemoteName::new(text.to_owned()), "put").is_ok();
    assert!(name("planton/acme/env/prod/db-0badcafe"));
    assert!(name(&"a".repeat(512)));
    for bad in [
        "", "/a", "a/", "a//b", "a/../b", "a/./b", "a b", "a%2fb", "a?b", "é", "a*",
    ] {
        assert!(!name(bad), "{bad}");
    }
    assert!(!name(&"a".repeat(513)));
}

#[test]
fn status_tells_present_missing_and_replaced_apart() {
    let ours = StoredVersion {
        slot: "1-0badcafe".to_owned(),
        created_time: "2026-01-01T00:00:00.1Z".to_owned(),
    };
    let now = "2026-02-01T00:00:00Z".parse().unwrap_or(Timestamp::MAX);
    let metadata = |current_version, created: &str, deleted: &str, destroyed| KvMetadata {
        current_version,
        versions: [(
            1,
            KvVersion {
                created_time: created.to_owned(),
                deletion_time: deleted.to_owned(),
                destroyed,
            },
        )]
        .into(),
    };
    let at = "2026-01-01T00:00:00.1Z";
    for (metadata, expected) in [
        (metadata(1, at, "", false), VersionStatus::Present),
        (
            metadata(1, at, "2026-01-02T00:00:00Z", false),
            VersionStatus::Missing,
        ),
        (metadata(1, at, "", true), VersionStatus::Missing),
        (metadata(2, at, "", false), VersionStatus::Replaced),
        (
            metadata(1, "2026-01-01T00:00:00.2Z", "", false),
            VersionStatus::Replaced,
        ),
        (
            KvMetadata {
                current_version: 12,
                versions: [].into(),
            },
            VersionStatus::Replaced,
        ),
        (
            KvMetadata {
                current_version: 0,
                versions: [].into(),
            },
            VersionStatus::Missing,
        ),
    ] {
        assert_eq!(status(&metadata, &ours, now), expected, "{metadata:?}");
    }
}
