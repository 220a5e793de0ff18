//! An attacker who may write to the catalog or the store, without the keys, cannot forge
//! anything.

use super::*;
use crate::catalog::{CatalogErrorKind, StoredRecord, record_key_of_name};
use crate::kek::KekErrorKind;

fn altered<T: std::fmt::Debug>(result: &Result<T, OperationError>) {
    assert!(
        matches!(result, Err(OperationError::Catalog(error)) if error.kind() == CatalogErrorKind::Altered),
        "{result:?}"
    );
}

/// Checks that nothing is written or opened because of the record.
async fn assert_altered(world: &World, view: &SecretView) {
    let interrupt = Interrupt::default();
    let process = world.process();
    for selector in [Selector::Name(view.name.clone()), Selector::Uuid(view.uuid)] {
        altered(&process.secrets().open(&selector, None).await);
    }
    altered(
        &process
            .secrets()
            .is_current_value(view.uuid, &text("x"))
            .await,
    );
    altered(
        &process
            .secrets()
            .update(rotate(view, "y"), &interrupt)
            .await,
    );
    altered(
        &process
            .secrets()
            .create(create_of("db", given("x")), &interrupt)
            .await,
    );
    altered(
        &process
            .secrets()
            .delete(&any(&view.name, view.uuid), &interrupt)
            .await,
    );
    let counts = world.counts();
    assert_eq!((counts.put, counts.delete, counts.get), (1, 0, 0));
}

//= docs/format.md#17-catalog-mac
//= type=test
//# A reader MUST NOT open an envelope by a record whose MAC does not verify.
//= docs/format.md#17-catalog-mac
//= type=test
//# A writer MUST NOT change the document of a secret whose MAC does not verify.
#[tokio::test]
async fn a_record_that_was_changed_by_hand_is_altered() {
    type Change = fn(&str) -> String;
    let changes: [Change; 6] = [
        |body| body.replacen("\"keep_versions\":10", "\"keep_versions\":11", 1),
        |body| body.replacen("\"generation\":", "\"generation\":1", 1),
        |body| body.replacen("planton/acme/org/db-", "planton/acme/org/other-", 1),
        |body| body.replacen("\"payload_sha256\":\"", "\"payload_sha256\":\"0", 1),
        |body| body.replacen("\"provider\":\"local\"", "\"provider\":\"transit\"", 1),
        |body| format!("{body} "),
    ];
    for change in changes {
        let world = World::new();
        let view = created(&world, "db", "x").await;
        world.alter(&view.name, change).await;
        assert_altered(&world, &view).await;
    }
}

#[tokio::test]
async fn a_refresh_needs_no_key_and_verifies_nothing() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    world
        .alter(&view.name, |body| {
            body.replacen("\"keep_versions\":10", "\"keep_versions\":11", 1)
        })
        .await;
    world
        .kek
        .deny(KekVerb::Unwrap, crate::kek::KekErrorKind::PermissionDenied);
    match refreshed(&world, &view).await.unwrap() {
        Refreshed::Present(now) => assert_eq!(now.arguments.keep_versions, 11),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_mac_that_is_missing_cut_or_of_another_record_is_altered() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let key = record_key_of_name(&view.name);
    let whole = world.stored(&key).await.unwrap();
    for mac in [
        String::new(),
        whole.mac[..62].to_owned(),
        "zz".to_owned(),
        whole.mac.clone() + "00",
    ] {
        let record = StoredRecord {
            mac,
            ..whole.clone()
        };
        world.catalog.overwrite(&key, record);
        assert_altered(&world, &view).await;
    }
}

#[tokio::test]
async fn a_record_under_another_key_is_altered() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let other = created(&world, "other", "theirs").await;
    let (key, from) = (
        record_key_of_name(&view.name),
        record_key_of_name(&other.name),
    );
    let moved = world.stored(&from).await.unwrap();
    world.catalog.overwrite(&key, moved);
    let interrupt = Interrupt::default();
    let process = world.process();
    altered(
        &process
            .secrets()
            .open(&Selector::Name(view.name.clone()), None)
            .await,
    );
    altered(
        &process
            .secrets()
            .update(rotate(&view, "y"), &interrupt)
            .await,
    );
    altered(
        &process
            .secrets()
            .delete(&any(&view.name, view.uuid), &interrupt)
            .await,
    );
    altered(
        &process
            .secrets()
            .create(create_of("db", given("x")), &interrupt)
            .await,
    );
}

#[tokio::test]
async fn what_is_no_record_is_corrupt_and_never_quoted() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    for body in ["\"hunter2\"", "{\"generation\":\"hunter2\"}", "hunter2", ""] {
        let record = StoredRecord {
            body: body.to_owned(),
            mac: String::new(),
        };
        world
            .catalog
            .overwrite(&record_key_of_name(&view.name), record);
        let failed = refreshed(&world, &view).await.unwrap_err();
        let OperationError::Catalog(error) = &failed else {
            panic!("{failed:?}");
        };
        assert_eq!(error.kind(), CatalogErrorKind::Corrupt);
        let mut told = format!("{failed} {failed:?}");
        let mut source = std::error::Error::source(&failed);
        while let Some(error) = source {
            told += &format!("{error} {error:?}");
            source = error.source();
        }
        assert!(!told.contains("hunter2"), "{told}");
    }
}

//= docs/format.md#11-opening
//= type=test
//# A reader MUST NOT use a wrapped DEK of a KEK that the catalog does not name for the
//# version.
#[tokio::test]
async fn a_key_that_the_record_does_not_name_is_not_asked() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let process = world.process();
    let selector = Selector::Uuid(view.uuid);
    process.secrets().open(&selector, None).await.unwrap();

    let key = record_key_of_name(&view.name);
    world
        .forge(key.as_str(), |body| {
            let forged = body.replace("\"provider\":\"local\"", "\"provider\":\"other\"");
            assert_ne!(forged, body);
            forged
        })
        .await;
    let unwrapped = world.counts().unwrap;
    let opened = process.secrets().open(&selector, None).await;
    let refused = matches!(opened, Err(OperationError::EnvelopeRefused { .. }));
    assert!(refused, "{opened:?}");
    assert_eq!(world.counts().unwrap, unwrapped);
}

/// Lets nobody unwrap, as a role that only plans.
fn withhold(world: &World) {
    let kek = &world.kek;
    kek.deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
}

/// Puts the record of `from` in the place of `to`'s, as a restore that went wrong does.
async fn misplace(world: &World, from: &str, to: &str) {
    let key = |named| record_key_of_name(&name(named));
    let record = world.stored(&key(from)).await.unwrap();
    world.catalog.overwrite(&key(to), record);
}

#[tokio::test]
async fn the_record_of_another_name_ends_no_secret() {
    for is_withheld in [false, true] {
        let world = World::new();
        let view = created(&world, "db", "hunter2").await;
        let other = created(&world, "other", "theirs").await;
        misplace(&world, "other", "db").await;
        if is_withheld {
            withhold(&world);
        }
        altered(&refreshed(&world, &view).await);
        world.kek.allow();
        let interrupt = Interrupt::default();
        let process = world.process();
        let secrets = process.secrets();
        secrets.delete(&own(&other), &interrupt).await.unwrap();
        // That of a tombstone.
        misplace(&world, "other", "db").await;
        if is_withheld {
            withhold(&world);
        }
        altered(&refreshed(&world, &view).await);
    }
}

#[tokio::test]
async fn a_forged_end_leaves_the_state_alone_where_the_mac_key_is_at_hand() {
    let world = World::new();
    let view = created(&world, "db", "hunter2").await;
    let forge = |body: &str| {
        let mut document: serde_json::Value = serde_json::from_str(body).unwrap();
        document.as_object_mut().unwrap().remove("current");
        document.to_string()
    };
    world.alter(&view.name, forge).await;
    altered(&refreshed(&world, &view).await);
    // A role that only plans finds out in its next apply.
    withhold(&world);
    assert_eq!(refreshed(&world, &view).await.unwrap(), Refreshed::Gone);
}

#[tokio::test(start_paused = true)]
async fn a_kek_that_is_not_at_hand_is_asked_once_a_minute() {
    let world = World::new();
    let mut gone = Vec::new();
    for named in ["one", "two", "three"] {
        let view = created(&world, named, "hunter2").await;
        let process = world.process();
        let interrupt = Interrupt::default();
        let secrets = process.secrets();
        secrets.delete(&own(&view), &interrupt).await.unwrap();
        gone.push(view);
    }
    withhold(&world);
    let process = world.process();
    let before = world.kek.calls(KekVerb::Unwrap);
    for view in &gone {
        let found = process.secrets().refresh(&seen(view)).await;
        assert_eq!(found.unwrap(), Refreshed::Gone);
    }
    assert_eq!(world.kek.calls(KekVerb::Unwrap) - before, 1);
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    let found = process.secrets().refresh(&seen(&gone[0])).await;
    assert_eq!(found.unwrap(), Refreshed::Gone);
    assert_eq!(world.kek.calls(KekVerb::Unwrap) - before, 2);
}
