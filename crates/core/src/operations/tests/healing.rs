//! The owner of a secret writes a missing object again.

use super::backends::{create, declared};
use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::store::{Landing, PutOptions, SecretStore, StoreErrorKind, StoreVerb};

fn healing(view: &SecretView, value: &str) -> UpdateSecret {
    UpdateSecret {
        heals: true,
        ..rotate(view, value)
    }
}

async fn bereft(world: &World) -> SecretView {
    let view = created(world, "db", "v1").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let view = process
        .secrets()
        .update(rotate(&view, "v2"), &interrupt)
        .await;
    let object = world.store.objects().remove(0);
    world.store.remove_object(&object);
    view.unwrap()
}

#[tokio::test]
async fn a_missing_object_is_replaced_under_another_name() {
    for heals in [true, false] {
        let world = World::new();
        let view = bereft(&world).await;
        let before = world.document(&view.name).await.current.unwrap();
        let update = UpdateSecret {
            heals,
            ..rotate(&view, "v3")
        };
        let process = world.warm().await;
        let healed = process
            .secrets()
            .update(update, &Interrupt::default())
            .await;
        let healed = healed.unwrap();
        assert_eq!((healed.uuid, number(&healed)), (view.uuid, Some(3)));
        assert_eq!(world.value("db").await.unwrap(), "v3");
        let after = world.document(&view.name).await.current.unwrap();
        assert_ne!(after.remote_name, before.remote_name);
        assert_eq!(after.versions.len(), 1);
        let [lost] = &after.lost[..] else {
            panic!("{:?}", after.lost);
        };
        assert_eq!(lost.remote_name, before.remote_name);
        assert_eq!(lost.versions.len(), 2);
        assert_eq!(world.unreferenced(&["db"]).await, 0);
    }
}

#[tokio::test]
async fn an_object_that_is_there_after_all_stays_with_its_value() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let healed = process
        .secrets()
        .update(healing(&view, "v2"), &interrupt)
        .await;
    let healed = healed.unwrap();
    assert_eq!(number(&healed), Some(1));
    assert_eq!(world.value("db").await.unwrap(), "v1");
}

#[tokio::test]
async fn a_destroy_leaves_what_somebody_made_anew_under_a_lost_name() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let object = world.store.objects().remove(0);
    world.store.remove_object(&object);
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let healed = process
        .secrets()
        .update(healing(&view, "v2"), &interrupt)
        .await;
    let options = PutOptions {
        version: 1,
        attempt: uuid::Uuid::new_v4(),
        keep: Vec::new(),
        labels: Default::default(),
    };
    let theirs = world.store.put(&object, b"PSE1", options).await.unwrap();
    let delete = own(&healed.unwrap());
    process.secrets().delete(&delete, &interrupt).await.unwrap();
    assert_eq!(world.store.objects(), std::slice::from_ref(&object));
    assert_eq!(world.store.versions(&object), [theirs]);
}

#[tokio::test]
async fn a_destroy_deletes_what_was_lost_and_came_back() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    // The object only appeared to be missing: it contains a version of the secret.
    let mut document = world.document(&view.name).await;
    let secret = document.current.as_mut().unwrap();
    let lost = crate::catalog::LostObject {
        remote_name: secret.remote_name.clone(),
        entry: None,
        versions: secret.native_ids(),
    };
    secret.remote_name = crate::store::RemoteName::new("elsewhere".to_owned());
    secret.lost = vec![lost];
    world.write_document(&view.name, &document).await;
    let delete = any(&view.name, view.uuid);
    process.secrets().delete(&delete, &interrupt).await.unwrap();
    assert!(world.store.objects().is_empty());
}

/// On KV each version has a path of its own, so the last one may be missing alone.
#[tokio::test]
async fn a_destroy_deletes_older_versions_under_a_lost_name_and_nothing_else_there() {
    let world = World::new();
    let view = bereft_of_the_last(&world).await;
    let object = world.store.objects().remove(0);
    let options = PutOptions {
        version: 1,
        attempt: uuid::Uuid::new_v4(),
        keep: world.store.versions(&object),
        labels: Default::default(),
    };
    let theirs = world.store.put(&object, b"PSE1", options).await.unwrap();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let delete = any(&view.name, view.uuid);
    process.secrets().delete(&delete, &interrupt).await.unwrap();
    assert_eq!(world.store.versions(&object), [theirs]);
}

/// Returns a secret whose former object is missing the last of its two versions.
async fn bereft_of_the_last(world: &World) -> SecretView {
    let view = created(world, "db", "v1").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let view = process
        .secrets()
        .update(rotate(&view, "v2"), &interrupt)
        .await;
    let view = view.unwrap();
    let mut document = world.document(&view.name).await;
    let secret = document.current.as_mut().unwrap();
    let lost = crate::catalog::LostObject {
        remote_name: secret.remote_name.clone(),
        entry: None,
        versions: secret.native_ids(),
    };
    let last = lost.versions.last().unwrap();
    assert!(world.store.remove_version(&lost.remote_name, last));
    secret.remote_name = crate::store::RemoteName::new("elsewhere".to_owned());
    secret.lost = vec![lost];
    world.write_document(&view.name, &document).await;
    view
}

#[tokio::test]
async fn a_healing_converges_after_each_failure() {
    use CatalogErrorKind::{Conflict, Unavailable};
    for landing in [Landing::Before, Landing::After] {
        for fault in [Some(Conflict), Some(Unavailable), None] {
            let world = World::new();
            let view = bereft(&world).await;
            let process = world.warm().await;
            match fault {
                Some(kind) => world.fail_catalog(CatalogVerb::Write, 1, landing, kind),
                None => {
                    world.fail_store(StoreVerb::Put, 1, landing, StoreErrorKind::Unavailable);
                }
            }
            let interrupt = Interrupt::default();
            let first = process.secrets().update(healing(&view, "v3"), &interrupt);
            let first = first.await;
            let what = format!("{landing:?} {fault:?}: {first:?}");
            if first.is_err() {
                // The next run refreshes, and heals the object if it is still missing.
                if let Refreshed::VersionLost(now) = refreshed(&world, &view).await.unwrap() {
                    let process = world.process();
                    let again = process.secrets().update(healing(&now, "v3"), &interrupt);
                    again
                        .await
                        .unwrap_or_else(|error| panic!("{what}: {error:?}"));
                }
            }
            assert_eq!(world.value("db").await.unwrap(), "v3", "{what}");
            assert!(world.unreferenced(&["db"]).await <= 1, "{what}");
        }
    }
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_before_the_entry_of_its_object() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    let place = world.connector.place("a");
    let marker = place.objects();
    let view = create(&process, "db", Some("vault")).await.unwrap();
    for object in place.objects() {
        assert!(marker.contains(&object) || place.remove_object(&object));
    }
    let before = world.counts();
    let large = "x".repeat(1 << 20);
    let update = healing(&view, &large);
    let refused = process
        .secrets()
        .update(update, &Interrupt::default())
        .await;
    let too_large = matches!(refused, Err(OperationError::ValueTooLarge { .. }));
    assert!(too_large, "{refused:?}");
    let counts = world.counts() - before;
    assert_eq!((counts.write, counts.wrap), (0, 0));
}
