//! Drift is detected, and corrected by the next write.

use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::operations::DeletedSecret;
use crate::store::{Landing, NativeVersionId, RemoteName, StoreErrorKind, StoreVerb};

fn stored(world: &World) -> (RemoteName, NativeVersionId) {
    let object = world.store.objects().remove(0);
    let version = world.store.versions(&object).pop().unwrap();
    (object, version)
}

#[tokio::test]
async fn a_version_that_is_gone_or_replaced_is_lost_and_the_next_write_goes_on() {
    for replaced in [false, true] {
        let world = World::new();
        let view = created(&world, "db", "v1").await;
        let (object, version) = stored(&world);
        let struck = if replaced {
            world.store.replace_version(&object, &version, b"theirs")
        } else {
            world.store.remove_version(&object, &version)
        };
        assert!(struck);
        assert_eq!(
            refreshed(&world, &view).await.unwrap(),
            Refreshed::VersionLost(unmarked(&view))
        );

        let opened = world.value("db").await;
        match opened {
            Err(OperationError::VersionLost { version: 1, .. }) => assert!(!replaced),
            Err(OperationError::Store(error)) => {
                assert!(replaced && error.kind() == StoreErrorKind::Corrupt);
            }
            other => panic!("{other:?}"),
        }
        let process = world.warm().await;
        let update = process
            .secrets()
            .update(rotate(&view, "v1"), &Interrupt::default())
            .await;
        let mended = update.unwrap();
        assert_eq!((mended.uuid, number(&mended)), (view.uuid, Some(2)));
        assert_eq!(world.value("db").await.unwrap(), "v1");
    }
}

#[tokio::test]
async fn an_object_that_is_gone_is_drift_and_a_denied_look_is_not() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    for kind in [
        StoreErrorKind::PermissionDenied,
        StoreErrorKind::Unauthenticated,
        StoreErrorKind::Unavailable,
        StoreErrorKind::RateLimited,
    ] {
        world.fail_store(StoreVerb::Describe, 1, Landing::Before, kind);
        let failed = refreshed(&world, &view).await;
        assert!(
            matches!(&failed, Err(OperationError::Store(error)) if error.kind() == kind),
            "{failed:?}"
        );
    }
    for kind in [
        CatalogErrorKind::PermissionDenied,
        CatalogErrorKind::Unavailable,
    ] {
        world.fail_catalog(CatalogVerb::Read, 1, Landing::Before, kind);
        let failed = refreshed(&world, &view).await;
        assert!(
            matches!(&failed, Err(OperationError::Catalog(error)) if error.kind() == kind),
            "{failed:?}"
        );
    }
    let (object, _) = stored(&world);
    world.store.remove_object(&object);
    assert_eq!(
        refreshed(&world, &view).await.unwrap(),
        Refreshed::VersionLost(unmarked(&view))
    );
    // The name stays taken.
    let create = create_of("db", given("other"));
    let refused = world.process();
    let refused = refused
        .secrets()
        .create(create, &Interrupt::default())
        .await;
    let exists = matches!(refused, Err(OperationError::AlreadyExists { .. }));
    assert!(exists, "{refused:?}");
}

#[tokio::test]
async fn a_record_that_is_missing_is_nobodys_end() {
    let world = World::new();
    let empty = world.catalog.snapshot();
    world.warm().await;
    let view = created(&world, "db", "v1").await;
    let organization = crate::catalog::RecordKey::new("organization");
    let kept = world.stored(&organization).await.unwrap();
    world.catalog.restore(empty);
    world.catalog.overwrite(&organization, kept);
    assert_eq!(
        refreshed(&world, &view).await.unwrap(),
        Refreshed::RecordMissing
    );
    let process = world.warm().await;
    let update = process
        .secrets()
        .update(rotate(&view, "v2"), &Interrupt::default())
        .await;
    assert!(
        matches!(update, Err(OperationError::RecordMissing { .. })),
        "{update:?}"
    );
    let opened = world.value("db").await;
    assert!(
        matches!(opened, Err(OperationError::SecretNotFound { .. })),
        "{opened:?}"
    );
    let deleted = process
        .secrets()
        .delete(&own(&view), &Interrupt::default())
        .await;
    assert_eq!(deleted.unwrap(), DeletedSecret::RecordMissing);
    let new = created(&world, "db", "v1").await;
    assert_ne!(new.uuid, view.uuid);
    // The object of the lost secret remains.
    assert_eq!(world.unreferenced(&["db"]).await, 1);
}

#[tokio::test]
async fn a_lagging_node_never_makes_a_secret_disappear() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    process
        .secrets()
        .delete(&any(&old.name, old.uuid), &interrupt)
        .await
        .unwrap();
    let key = crate::catalog::record_key_of_name(&old.name);
    let lag = || world.catalog.serve_stale(&key);
    // From now on a stale read may return the tombstone.
    lag();
    let view = process
        .secrets()
        .create(create_of("db", given("x")), &interrupt)
        .await
        .unwrap();

    assert_eq!(
        refreshed(&world, &view).await.unwrap(),
        Refreshed::Present(view.clone())
    );
    let imported = RefreshSecret {
        backend: None,
        seen: None,
        ..seen(&view)
    };
    let tombstone = world.catalog.snapshot();
    drop(tombstone);
    for ask in 0..5 {
        let world = World::new();
        let old = created(&world, "db", "old").await;
        let process = world.warm().await;
        process
            .secrets()
            .delete(&any(&old.name, old.uuid), &interrupt)
            .await
            .unwrap();
        world.catalog.serve_stale(&key);
        let view = process
            .secrets()
            .create(create_of("db", given("x")), &interrupt)
            .await
            .unwrap();
        let late = world.process();
        match ask {
            0 => {
                let request = RefreshSecret {
                    name: imported.name.clone(),
                    uuid: view.uuid,
                    backend: None,
                    seen: None,
                };
                let refreshed = late.secrets().refresh(&request).await.unwrap();
                assert_eq!(present(&refreshed), Some(unmarked(&view)));
            }
            1 => {
                let found = late.secrets().find(&view.name).await.unwrap();
                assert_eq!(found, unmarked(&view));
            }
            2 => {
                let selector = Selector::Uuid(view.uuid);
                assert_eq!(
                    late.secrets().open(&selector, None).await.unwrap().view,
                    unmarked(&view)
                );
            }
            3 => {
                late.secrets()
                    .delete(&any(&view.name, view.uuid), &interrupt)
                    .await
                    .unwrap();
                assert!(
                    world.document(&view.name).await.is_tombstone(),
                    "it is still there"
                );
                assert!(world.store.objects().is_empty());
            }
            _ => {
                let updated = late.secrets().update(rotate(&view, "y"), &interrupt).await;
                assert_eq!(number(&updated.unwrap()), Some(2));
            }
        }
    }
}

#[tokio::test]
async fn a_lagging_node_hides_no_version() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    world
        .catalog
        .serve_stale(&crate::catalog::record_key_of_name(&view.name));
    let process = world.warm().await;
    process
        .secrets()
        .update(rotate(&view, "v2"), &Interrupt::default())
        .await
        .unwrap();
    let selector = Selector::Name(view.name.clone());
    let opened = world
        .process()
        .secrets()
        .open(&selector, Some(2))
        .await
        .unwrap();
    assert_eq!(world::exposed(&opened.value), "v2");
    let missing = world.process().secrets().open(&selector, Some(3)).await;
    assert!(matches!(
        missing,
        Err(OperationError::VersionNotFound { version: 3, .. })
    ));
}

#[tokio::test]
async fn a_lagging_node_does_not_say_that_a_deleted_secret_exists() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    world
        .catalog
        .serve_stale(&crate::catalog::record_key_of_name(&old.name));
    process
        .secrets()
        .delete(&any(&old.name, old.uuid), &interrupt)
        .await
        .unwrap();
    let new = created(&world, "db", "new").await;
    assert_ne!(new.uuid, old.uuid);
    assert_eq!(world.value("db").await.unwrap(), "new");
    assert_eq!(world.unreferenced(&["db"]).await, 0);
}
