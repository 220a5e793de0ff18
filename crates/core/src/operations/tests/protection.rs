//! The verified record decides, whatever the caller's state contains.

use super::*;
use crate::catalog::{CatalogErrorKind, OnDestroy, OrganizationState, RecordKey};

/// Creates a secret with changed arguments.
async fn created_with(world: &World, change: fn(&mut CreateSecret)) -> SecretView {
    let mut create = create_of("db", given("x"));
    change(&mut create);
    let process = world.warm().await;
    process
        .secrets()
        .create(create, &Interrupt::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_protected_secret_stays_whatever_the_caller_believes() {
    let world = World::new();
    let view = created_with(&world, |create| {
        create.arguments.deletion_protection = true;
    })
    .await;
    let process = world.process();
    let deleted = process
        .secrets()
        .delete(&any(&view.name, view.uuid), &Interrupt::default())
        .await;
    assert!(
        matches!(deleted, Err(OperationError::DeletionProtected { .. })),
        "{deleted:?}"
    );
    assert_eq!(world.value("db").await.unwrap(), "x");
}

#[tokio::test]
async fn a_retained_secret_stays_whatever_the_caller_believes() {
    let world = World::new();
    let view = created_with(&world, |create| {
        create.arguments.on_destroy = OnDestroy::Retain;
    })
    .await;
    let process = world.process();
    let deleted = process
        .secrets()
        .delete(&any(&view.name, view.uuid), &Interrupt::default())
        .await;
    deleted.unwrap();
    assert_eq!(world.value("db").await.unwrap(), "x");
}

#[tokio::test]
async fn a_deletion_never_takes_a_version_that_its_plan_has_not_seen() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let interrupt = Interrupt::default();
    let rotated = world
        .process()
        .secrets()
        .update(rotate(&view, "y"), &interrupt)
        .await;
    let rotated = rotated.unwrap();

    let process = world.process();
    let planned_before = process
        .secrets()
        .delete(&at(view.generation, &view.name, view.uuid), &interrupt)
        .await;
    assert!(
        matches!(
            planned_before,
            Err(OperationError::ChangedConcurrently { .. })
        ),
        "{planned_before:?}"
    );
    assert_eq!(world.value("db").await.unwrap(), "y");

    let planned_after = process
        .secrets()
        .delete(&at(rotated.generation, &view.name, view.uuid), &interrupt)
        .await;
    planned_after.unwrap();
    assert!(world.value("db").await.is_err());
}

#[tokio::test]
async fn an_organization_that_was_put_back_to_its_beginning_is_never_made_anew() {
    let world = World::new();
    let _ = created(&world, "db", "x").await;
    let key = RecordKey::new("organization");
    let stored = world.stored(&key).await.unwrap();
    let mut record: crate::catalog::OrganizationRecord =
        serde_json::from_str(&stored.body).unwrap();
    record.state = OrganizationState::Initializing;
    let body = serde_json::to_string(&record).unwrap();
    let mac = String::new();
    world.catalog.overwrite(
        &key,
        crate::catalog::StoredRecord {
            body: body.clone(),
            mac,
        },
    );

    let before = world.counts();
    let create = create_of("other", given("y"));
    let again = world
        .process()
        .secrets()
        .create(create, &Interrupt::default())
        .await;
    assert!(
        matches!(&again, Err(OperationError::Catalog(e)) if e.kind() == CatalogErrorKind::Altered),
        "{again:?}"
    );
    assert_eq!(world.counts().provision, before.provision);
    assert_eq!(world.stored(&key).await.unwrap().body, body);
}

#[tokio::test]
async fn a_record_of_a_later_release_is_refused_and_stays_as_it_was() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    world
        .alter(&view.name, |body| body.replacen('{', "{\"later\":1,", 1))
        .await;
    let updated = world
        .process()
        .secrets()
        .update(rotate(&view, "y"), &Interrupt::default())
        .await;
    assert!(
        matches!(&updated, Err(OperationError::Catalog(e)) if e.kind() == CatalogErrorKind::Corrupt),
        "{updated:?}"
    );
}
