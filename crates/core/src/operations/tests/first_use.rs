//! First use of an organization: one record, one MAC key, one KEK.

use super::*;
use crate::catalog::{
    CatalogErrorKind, CatalogVerb, OrganizationRecord, OrganizationState, RecordKey, StoredRecord,
};
use crate::kek::KekErrorKind;
use crate::store::Landing;

fn key() -> RecordKey {
    RecordKey::new("organization")
}

async fn record(world: &World) -> OrganizationRecord {
    let stored = world.stored(&key()).await.unwrap();
    serde_json::from_str(&stored.body).unwrap()
}

/// Checks that every process has the same record and MAC key.
async fn assert_settled(world: &World) {
    world.process().ensure().await.unwrap();
    let record = record(world).await;
    assert!(record.state.is_ready());
    let OrganizationState::Ready { mac_key } = &record.state else {
        panic!("not ready");
    };
    assert_eq!(mac_key.len(), 1);
    let view = created(world, "settled", "x").await;
    assert_eq!(view.catalog, record.uuid);
    assert_eq!(world.value("settled").await.unwrap(), "x");
    let before = world.counts().provision;
    world.process().ensure().await.unwrap();
    assert_eq!(
        world.counts().provision,
        before,
        "ready and provisioned again"
    );
}

#[tokio::test]
async fn racing_first_uses_end_with_one_record_and_one_mac_key() {
    for nth in 1..=2 {
        let world = World::new();
        let racing = world.clone();
        world.catalog.before(CatalogVerb::Write, nth, async move {
            let interrupt = Interrupt::default();
            let create = create_of("theirs", given("theirs"));
            racing
                .process()
                .secrets()
                .create(create, &interrupt)
                .await
                .unwrap();
        });
        let ours = world.process();
        let create = create_of("ours", given("ours"));
        let view = ours
            .secrets()
            .create(create, &Interrupt::default())
            .await
            .unwrap();
        assert_eq!(view.catalog, record(&world).await.uuid);
        for named in ["ours", "theirs"] {
            assert_eq!(
                world.value(named).await.unwrap(),
                named,
                "race at write {nth}"
            );
        }
        assert_settled(&world).await;
    }
}

#[tokio::test]
async fn first_use_converges_after_each_failure() {
    use CatalogErrorKind::{Conflict, Unavailable};
    for nth in 1..=2 {
        for landing in [Landing::Before, Landing::After] {
            for kind in [Conflict, Unavailable] {
                let world = World::new();
                world.fail_catalog(CatalogVerb::Write, nth, landing, kind);
                let first = world.process().ensure().await.map(|record| record.uuid);
                assert_eq!(
                    first.is_ok(),
                    kind == Conflict,
                    "{nth} {landing:?} {first:?}"
                );
                world.process().ensure().await.unwrap();
                assert_settled(&world).await;
            }
        }
    }
}

#[tokio::test]
async fn a_denied_provision_leaves_initializing_and_a_later_one_completes() {
    for verb in [KekVerb::Provision, KekVerb::Wrap] {
        let world = World::new();
        world.kek.deny(verb, KekErrorKind::PermissionDenied);
        let create = create_of("db", given("x"));
        let denied = world
            .process()
            .secrets()
            .create(create, &Interrupt::default())
            .await;
        assert!(
            matches!(&denied, Err(OperationError::Kek(error)) if error.kind() == KekErrorKind::PermissionDenied),
            "{denied:?}"
        );
        let before = record(&world).await;
        assert!(!before.state.is_ready());
        let missing = world.process().existing().await.map(|record| record.uuid);
        assert!(matches!(
            missing,
            Err(OperationError::OrganizationMissing { .. })
        ));

        world.kek.allow();
        assert_settled(&world).await;
        assert_eq!(
            record(&world).await.uuid,
            before.uuid,
            "the catalog keeps its uuid"
        );
    }
}

#[tokio::test]
async fn a_lagging_node_neither_provisions_nor_denies_a_ready_organization() {
    let world = World::new();
    world.fail_catalog(
        CatalogVerb::Write,
        2,
        Landing::Before,
        CatalogErrorKind::Unavailable,
    );
    world.process().ensure().await.unwrap_err();
    let initializing = world.stored(&key()).await.unwrap();
    world.process().ensure().await.unwrap();
    let ready = world.stored(&key()).await.unwrap();
    let provisions = world.counts().provision;
    for ensure in [true, false] {
        world.catalog.overwrite(&key(), initializing.clone());
        world.catalog.serve_stale(&key());
        world.catalog.overwrite(&key(), ready.clone());
        let process = world.process();
        let found = if ensure {
            process.ensure().await
        } else {
            process.existing().await
        };
        assert!(found.unwrap().state.is_ready());
    }
    assert_eq!(world.counts().provision, provisions);
}

#[tokio::test]
async fn the_mac_key_is_there_for_whoever_asked_while_first_use_was_under_way() {
    let world = World::new();
    let process = std::sync::Arc::new(world.process());
    // Another task requests the MAC key while this one creates it.
    let asking = std::sync::Arc::clone(&process);
    let (send, receive) = tokio::sync::oneshot::channel();
    world.catalog.before(CatalogVerb::Write, 2, async move {
        let asked = tokio::spawn(async move { asking.keys().mac_key().await.is_ok() });
        tokio::task::yield_now().await;
        send.send(asked).unwrap();
    });
    process.ensure().await.unwrap();
    assert!(
        receive.await.unwrap().await.unwrap(),
        "whoever waited got none"
    );
    assert!(
        process.keys().mac_key().await.is_ok(),
        "nor does whoever comes later"
    );
}

#[tokio::test]
async fn another_catalog_is_a_different_platform() {
    let world = World::new();
    let empty = world.process().expect_catalog(uuid::Uuid::nil()).await;
    assert!(matches!(
        empty,
        Err(OperationError::DifferentPlatform { found: None, .. })
    ));
    let organization = world.warm().await;
    let uuid = organization.existing().await.unwrap().uuid;
    organization.expect_catalog(uuid).await.unwrap();
    let other = organization.expect_catalog(uuid::Uuid::nil()).await;
    assert!(
        matches!(other, Err(OperationError::DifferentPlatform { found: Some(found), .. }) if found == uuid)
    );
}

#[tokio::test]
async fn an_altered_organization_record_is_refused_by_all_that_writes() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let stored = world.stored(&key()).await.unwrap();
    let mut altered = record(&world).await;
    altered.platform_backend = uuid::Uuid::new_v4();
    let body = serde_json::to_string(&altered).unwrap();
    let record = crate::catalog::StoredRecord { body, ..stored };
    world.catalog.overwrite(&key(), record);
    let interrupt = Interrupt::default();
    let process = world.process();
    let create = process
        .secrets()
        .create(create_of("new", given("x")), &interrupt)
        .await;
    let update = process
        .secrets()
        .update(rotate(&view, "y"), &interrupt)
        .await;
    for result in [create, update] {
        assert!(
            matches!(&result, Err(OperationError::Catalog(error)) if error.kind() == CatalogErrorKind::Altered),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn an_unfinished_record_that_somebody_else_wrote_is_not_continued() {
    let recipient = r#""escrow":[{"kek":{"provider":"test","id":"theirs"},"settings":{"kind":"test","configuration":{"key":"theirs"}}}],"created_at""#;
    for (from, to) in [
        (r#""created_at""#, recipient),
        (r#""generation":1,"#, r#""generation":7,"#),
        (r#""organization":"acme""#, r#""organization":"other""#),
    ] {
        let world = World::new();
        world.fail_catalog(
            CatalogVerb::Write,
            2,
            Landing::Before,
            CatalogErrorKind::Unavailable,
        );
        world.process().ensure().await.unwrap_err();
        let begun = world.stored(&key()).await.unwrap();
        let body = begun.body.replacen(from, to, 1);
        assert_ne!(body, begun.body, "{from}");
        let forged = StoredRecord { body, ..begun };
        let world = World::new();
        world.catalog.overwrite(&key(), forged.clone());
        let error = world.process().ensure().await.unwrap_err();
        let OperationError::Catalog(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error.kind(), CatalogErrorKind::Altered, "{to}");
        assert_eq!(world.counts().provision, 0);
        assert_eq!(world.stored(&key()).await.unwrap(), forged);
    }
}
