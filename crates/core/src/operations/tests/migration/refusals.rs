//! What a migration refuses, before it changes anything.

use super::*;
use crate::catalog::CatalogErrorKind;
use crate::kek::KekPins;
use crate::store::{InMemoryStore, PayloadEncoding, StoreCapability};
use std::sync::Arc;

async fn organization(world: &World) -> Option<String> {
    let stored = world.stored(&RecordKey::new("organization")).await;
    stored.map(|stored| stored.body)
}

#[tokio::test(start_paused = true)]
async fn a_target_with_another_organization_of_the_name_is_refused() {
    let pair = Pair::new();
    filled(&pair).await;
    created(&pair.target, "theirs", "theirs").await;
    let before = organization(&pair.target).await;
    let refused = pair.migrate().await.unwrap_err();
    assert!(
        matches!(refused, OperationError::MigrationTargetTaken { .. }),
        "{refused:?}"
    );
    assert_eq!(organization(&pair.target).await, before);
    assert_eq!(pair.source.value("db").await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn the_source_itself_is_no_target() {
    let pair = Pair::new();
    filled(&pair).await;
    let same = Pair {
        target: pair.source.clone(),
        ..pair
    };
    let refused = same.migrate().await.unwrap_err();
    assert!(
        matches!(refused, OperationError::MigrationTargetTaken { .. }),
        "{refused:?}"
    );
    assert_eq!(same.source.value("db").await.unwrap(), "next");
}

//= docs/format.md#19-records
//= type=test
//# A reader MUST NOT use an organization in one of these states, unless it is the migration.
#[tokio::test(start_paused = true)]
async fn an_organization_that_arrives_is_used_by_nobody_and_moved_nowhere() {
    let pair = Pair::new();
    filled(&pair).await;
    // Killed when it would mark the source.
    pair.source.fail_catalog(
        crate::catalog::CatalogVerb::Write,
        1,
        crate::store::Landing::Before,
        CatalogErrorKind::Unavailable,
    );
    pair.migrate().await.unwrap_err();
    assert_eq!(pair.source.value("db").await.unwrap(), "next");
    for refused in [
        create(&pair.target.process(), "db", None)
            .await
            .unwrap_err(),
        pair.target.process().keys().status().await.unwrap_err(),
        pair.back().migrate().await.unwrap_err(),
    ] {
        let found = elsewhere(&refused).unwrap_or_else(|| panic!("{refused:?}"));
        assert_eq!(found.progress, MoveProgress::Arriving);
        assert_eq!(found.place, place("a"));
    }
    pair.migrated().await;
    assert_eq!(pair.target.value("db").await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn an_organization_that_moves_to_one_place_moves_to_no_other() {
    let pair = Pair::new();
    filled(&pair).await;
    pair.migrated().await;
    let elsewhere_too = Pair {
        target: World::new(),
        ..pair
    };
    let refused = elsewhere_too.migrate().await.unwrap_err();
    assert_eq!(elsewhere(&refused).unwrap().place, place("b"));
    assert_eq!(organization(&elsewhere_too.target).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_escrow_key_that_is_not_pinned_gets_no_wrap() {
    let pair = Pair::new();
    filled(&pair).await;
    let fingerprint = pair.source.process().keys().fingerprint().await.unwrap();
    let allowed = [crate::kek::pin_of(pair.source.kek.id())];
    let mut ends = Ends {
        source: pair.source.process(),
        target: pair.target.process(),
        from: place("a"),
        to: place("b"),
    };
    ends.source = ends.source.with_pins(KekPins {
        organization: Some(fingerprint),
        allowed_key_ids: Some(allowed.into()),
    });
    let refused = Migration::new(ends)
        .run(&|_| {}, &Interrupt::default())
        .await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, OperationError::KeyNotAllowed { .. }),
        "{refused:?}"
    );
    assert_eq!(pair.source.value("db").await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_the_target_cannot_store_is_an_obstacle() {
    let mut pair = Pair::new();
    let capability = StoreCapability {
        encoding: PayloadEncoding::Text,
        ..pair.source.store.capability().clone()
    };
    pair.target.store = Arc::new(InMemoryStore::new(capability));
    created(&pair.source, "small", &"x".repeat(42_702)).await;
    created(&pair.source, "large", &"x".repeat(42_703)).await;
    let survey = pair
        .migration()
        .survey(&|_| {}, &Interrupt::default())
        .await
        .unwrap();
    let subjects: Vec<_> = survey
        .obstacles
        .iter()
        .map(|it| it.subject.as_str())
        .collect();
    assert_eq!(subjects, ["large"]);
}

#[tokio::test(start_paused = true)]
async fn an_altered_record_is_an_obstacle_and_moves_nowhere() {
    let pair = Pair::new();
    filled(&pair).await;
    let altered = |body: &str| body.replace("hunter", "Hunter").replacen("db", "dc", 1);
    pair.source.alter(&name("db"), altered).await;
    let survey = pair
        .migration()
        .survey(&|_| {}, &Interrupt::default())
        .await
        .unwrap();
    assert_eq!(survey.obstacles.len(), 1);
    let done = pair.migrate().await.unwrap();
    assert!(!done.is_complete);
    assert_eq!(done.failed.len(), 1, "{:?}", done.failed);
    assert!(pair.target.document(&name("db")).await.current.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_begins_no_migration_and_continues_none() {
    let pair = Pair::new();
    filled(&pair).await;
    let interrupt = Interrupt::default();
    let refused = pair.migration().sweep(&|_| {}, &interrupt).await;
    assert!(
        matches!(refused, Err(OperationError::MigrationNotDone { .. })),
        "{refused:?}"
    );
    assert_eq!(organization(&pair.target).await, None);
    assert_eq!(pair.source.value("db").await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_had_the_organization_before_is_not_the_target_of_its_migration() {
    let pair = Pair::new();
    filled(&pair).await;
    pair.migrated().await;
    // A backup of the first platform is restored, from the time before.
    let former = Pair {
        source: pair.target.clone(),
        target: pair.source.clone(),
    };
    let key = RecordKey::new("organization");
    let body = ready(&organization(&former.target).await.unwrap());
    // Both platforms have the same MAC key.
    let process = former.source.warm().await;
    let mac_key = process.keys().mac_key().await.unwrap();
    let mac = hex::encode(mac_key.mac(key.as_str(), body.as_bytes()));
    let record = crate::catalog::StoredRecord { body, mac };
    former.target.catalog.overwrite(&key, record);
    let third = Pair {
        source: pair.target.clone(),
        target: World {
            connector: Arc::clone(&pair.target.connector),
            kek_connector: Arc::clone(&pair.target.kek_connector),
            ..World::new()
        },
    };
    super::kills::killed_before(
        &third,
        super::kills::Call::Source(crate::catalog::CatalogVerb::List, 1),
    )
    .await;
    for refused in [
        former.migrate().await.unwrap_err(),
        former
            .migration()
            .sweep(&|_| {}, &Interrupt::default())
            .await
            .unwrap_err(),
    ] {
        let found = elsewhere(&refused).unwrap_or_else(|| panic!("{refused:?}"));
        assert_eq!(found.progress, MoveProgress::Moving);
    }
}

/// Makes the record of a moved organization one of an organization in use.
fn ready(body: &str) -> String {
    let mut record: serde_json::Value = serde_json::from_str(body).unwrap();
    let state = record["state"].as_object_mut().unwrap();
    state.remove("migration");
    state["state"] = "ready".into();
    record.to_string()
}
