//! Restorations of an organization that has moved, or whose keys have changed since the backup.

use super::*;
use crate::operations::tests::escrow::{pinned, safe};
use crate::operations::tests::migration::{Pair, elsewhere, filled};

#[tokio::test(start_paused = true)]
async fn an_organization_that_has_moved_is_not_revived_from_a_backup() {
    let pair = Pair::new();
    filled(&pair).await;
    let backup = backed_up(&pair.source).await;
    let pin = Some(fingerprint(&pair.source).await);
    pair.migrated().await;
    let before = pair.source.catalog.list("").await.unwrap();
    for what in [APPLY, OVERWRITE] {
        let refused = restore(&pair.source, pin, &backup, what).await.unwrap_err();
        assert!(elsewhere(&refused).is_some(), "{refused:?}");
    }
    assert_eq!(pair.source.catalog.list("").await.unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_backup_under_keys_of_another_platform_is_not_restored_over_the_present_ones() {
    let pair = Pair::new();
    filled(&pair).await;
    let backup = backed_up(&pair.source).await;
    let pin = Some(fingerprint(&pair.source).await);
    pair.migrated().await;
    let writes = pair.target.counts().write;
    for what in [APPLY, OVERWRITE] {
        let refused = restore(&pair.target, pin, &backup, what).await;
        let is_refused = matches!(refused, Err(OperationError::Kek(_)));
        assert!(is_refused, "{refused:?}");
    }
    assert_eq!(pair.target.counts().write, writes);
    assert_eq!(pair.target.value("prod/api").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_record_of_the_organization_that_opens_no_more_is_replaced_if_a_pin_vouches_for_the_backup()
 {
    let begun_again = |record: &mut serde_json::Value| {
        record["state"] = serde_json::json!({"state": "initializing"});
    };
    let broken_wrap = |record: &mut serde_json::Value| {
        let wrapped = &mut record["state"]["mac_key"][0]["wrapped"];
        let digits = wrapped.as_str().unwrap();
        let last = if digits.ends_with('0') { "1" } else { "0" };
        *wrapped = format!("{}{last}", &digits[..digits.len() - 1]).into();
    };
    for (what, change) in [
        (
            "begun again",
            &begun_again as &dyn Fn(&mut serde_json::Value),
        ),
        ("broken wrap", &broken_wrap),
    ] {
        let world = World::new();
        created(&world, "db", "v").await;
        let backup = backed_up(&world).await;
        let pin = Some(fingerprint(&world).await);
        world
            .alter_key("organization", |body| {
                let mut record = serde_json::from_str(body).unwrap();
                change(&mut record);
                record.to_string()
            })
            .await;
        let altered = world.stored(&RecordKey::new("organization")).await;
        for (pin, how) in [(pin, APPLY), (None, OVERWRITE)] {
            let refused = restore(&world, pin, &backup, how).await;
            assert!(refused.is_err(), "{what}: {refused:?}");
        }
        let kept = world.stored(&RecordKey::new("organization")).await;
        assert_eq!(kept, altered, "{what}");
        let done = restore(&world, pin, &backup, OVERWRITE).await.unwrap();
        assert!(done.different[0].is_altered, "{what}");
        assert_eq!(world.value("db").await.unwrap(), "v", "{what}");
    }
}

#[tokio::test]
async fn no_escrow_key_changes_between_a_restoration_and_its_acceptance() {
    let world = World::new();
    created(&world, "db", "v").await;
    created(&world, "lost", "v").await;
    let backup = backed_up(&world).await;
    let pin = Some(fingerprint(&world).await);
    world
        .catalog
        .delete_by_hand(&record_key_of_name(&name("lost")));
    restore(&world, pin, &backup, APPLY).await.unwrap();
    let process = pinned(&world, &["safe"]).await;
    let interrupt = Interrupt::default();
    let refused = process.keys().add_escrow(safe(), &interrupt).await;
    let is_refused = matches!(refused, Err(OperationError::RestoreNotAccepted { .. }));
    assert!(is_refused, "{refused:?}");
    accepted(&world).await;
    let added = process.keys().add_escrow(safe(), &interrupt).await;
    added.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_was_left_is_not_revived_where_its_own_record_says_nothing_of_it() {
    let begun_again = |body: &str| {
        let mut record: serde_json::Value = serde_json::from_str(body).unwrap();
        record["state"] = serde_json::json!({"state": "initializing"});
        record.to_string()
    };
    for is_removed in [false, true] {
        let pair = Pair::new();
        filled(&pair).await;
        let backup = backed_up(&pair.source).await;
        let pin = Some(fingerprint(&pair.source).await);
        pair.migrated().await;
        let key = RecordKey::new("organization");
        match is_removed {
            true => pair.source.catalog.delete_by_hand(&key),
            false => pair.source.alter_key(key.as_str(), begun_again).await,
        }
        let writes = pair.source.counts().write;
        for what in [Restore::default(), APPLY, OVERWRITE] {
            let refused = restore(&pair.source, pin, &backup, what).await;
            // Without the flag, a record without keys stays as it is.
            let is_checked = is_removed || what.overwrites;
            let refused = refused.unwrap_err();
            let found = elsewhere(&refused);
            assert_eq!(found.is_some(), is_checked, "{refused:?}");
            assert!(found.is_none_or(|found| found.is_verified), "{refused:?}");
        }
        assert_eq!(pair.source.counts().write, writes);
        // A document that somebody else has made look like one that was moved proves nothing.
        for key in pair.source.catalog.list("").await.unwrap() {
            let mut stored = pair.source.stored(&key).await.unwrap();
            stored.mac = "00".repeat(32);
            pair.source.catalog.overwrite(&key, stored);
        }
        restore(&pair.source, pin, &backup, OVERWRITE)
            .await
            .unwrap();
        assert_eq!(pair.source.value("prod/api").await.unwrap(), "hunter2");
    }
}
