//! A collection deletes what no record needs, and nothing that a creation acknowledges.

mod beside_applies;
mod doubtful_records;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb, LostObject, record_key_of_name};
use crate::operations::tests::backends::keys::{declared_with, keys};
use crate::operations::tests::backends::{change, create, declared, slug};
use crate::operations::{
    Collect, Collection, DeletedSecret, Disposal, Leftover, Lookup, Reason, UpdateBackend,
};
use crate::store::{
    Fault, Landing, PutOptions, RemoteName, SecretStore, StoreErrorKind, StoreVerb,
};

const SHOW: Collect = Collect {
    orphans: Some(Duration::ZERO),
    deletes: false,
};
const DELETE: Collect = Collect {
    deletes: true,
    ..SHOW
};

async fn collected(process: &Organization, backend: &str, what: Collect) -> Collection {
    let interrupt = Interrupt::default();
    let (keys, backend) = (process.keys(), slug(backend));
    let mut found = Collection::default();
    let collected = keys.collect(&backend, what, &mut found, (&|_| {}, &interrupt));
    collected.await.unwrap();
    found
}

fn disposals(collection: &Collection) -> Vec<(Reason, bool, Disposal)> {
    let leftovers = collection.leftovers.iter();
    let of = leftovers.map(|one| (one.reason, one.version.is_some(), one.disposal.clone()));
    of.collect()
}

/// Begins to create a secret, and fails between the put and the commit.
async fn killed(world: &World, named: &str, backend: Option<&str>) {
    let process = world.warm().await;
    let (landing, kind) = (Landing::Before, CatalogErrorKind::Unavailable);
    // The entry of a registered backend is the first write.
    let nth = if backend.is_some() { 2 } else { 1 };
    world.fail_catalog(CatalogVerb::Write, nth, landing, kind);
    create(&process, named, backend).await.unwrap_err();
    assert!(world.document(&name(named)).await.current.is_none());
}

#[tokio::test]
async fn what_a_killed_creation_left_is_shown_and_then_deleted() {
    let world = World::new();
    created(&world, "prod/kept", "kept").await;
    killed(&world, "prod/db", None).await;
    killed(&world, "db", None).await;
    assert_eq!(world.store.objects().len(), 3);

    let shown = collected(&world.warm().await, "platform", SHOW).await;
    let orphan = |disposal| (Reason::Orphan, false, disposal);
    assert_eq!(disposals(&shown), [(); 2].map(|()| orphan(Disposal::Found)));
    assert_eq!(world.store.objects().len(), 3, "a dry run deletes nothing");
    // Without --orphans, nothing is found that a record has not given up.
    let default = collected(&world.warm().await, "platform", Collect::default()).await;
    assert_eq!(default.leftovers, []);

    let deleted = collected(&world.warm().await, "platform", DELETE).await;
    assert_eq!(
        disposals(&deleted),
        [(); 2].map(|()| orphan(Disposal::Deleted))
    );
    assert_eq!(world.store.objects().len(), 1);
    assert_eq!(world.value("prod/kept").await.unwrap(), "kept");
    assert_eq!(
        collected(&world.warm().await, "platform", SHOW)
            .await
            .leftovers,
        []
    );
    created(&world, "db", "later").await;
    assert_eq!(world.value("db").await.unwrap(), "later");
}

#[tokio::test]
async fn what_a_killed_creation_left_on_a_registered_backend_goes_with_its_entry() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    create(&process, "kept", Some("vault")).await.unwrap();
    killed(&world, "db", Some("vault")).await;
    let place = world.connector.place("a");
    assert_eq!(place.objects().len(), 3, "the marker, and two secrets");

    let shown = collected(&process, "vault", SHOW).await;
    let orphan = |disposal| (Reason::Orphan, false, disposal);
    assert_eq!(disposals(&shown), [orphan(Disposal::Found)]);
    assert_eq!(place.objects().len(), 3);
    let deleted = collected(&process, "vault", DELETE).await;
    assert_eq!(disposals(&deleted), [orphan(Disposal::Deleted)]);
    assert_eq!(place.objects().len(), 2);
    assert_eq!(collected(&process, "vault", SHOW).await.leftovers, []);
    assert_eq!(world.value("kept").await.unwrap(), "hunter2");
}

/// Two platforms have an organization of the same name, and keep their objects in one place.
#[tokio::test]
async fn an_object_of_another_organization_in_the_same_place_stays() {
    let (world, theirs) = (World::new(), World::new());
    created(&world, "kept", "kept").await;
    created(&theirs, "db", "theirs").await;
    let secret = theirs.document(&name("db")).await.current.unwrap();
    let version = &secret.versions[0];
    let (at, id) = (&secret.remote_name, &version.native_id);
    let payload = theirs.store.get(at, id).await.unwrap();
    let options = PutOptions {
        version: 1,
        attempt: uuid::Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    };
    world.store.put(at, &payload, options).await.unwrap();
    for what in [SHOW, DELETE] {
        let before = world.counts();
        let found = collected(&world.warm().await, "platform", what).await;
        let [(Reason::Orphan, _, Disposal::Failed(error))] = &disposals(&found)[..] else {
            panic!("{found:?}");
        };
        assert!(error.contains("another organization"), "{error}");
        assert_eq!((world.counts() - before).write, 0, "no document is raised");
    }
    assert_eq!(world.store.objects().len(), 2);
}

#[tokio::test]
async fn a_collection_that_fails_in_the_middle_tells_what_it_has_deleted() {
    let world = World::new();
    for named in ["a", "b"] {
        killed(&world, named, None).await;
    }
    let (landing, kind) = (Landing::Before, CatalogErrorKind::Unavailable);
    // The first orphan is deleted. The document of the second one cannot be raised.
    world.fail_catalog(CatalogVerb::Write, 2, landing, kind);
    let process = world.warm().await;
    let (interrupt, mut found) = (Interrupt::default(), Collection::default());
    let (keys, backend) = (process.keys(), slug("platform"));
    let collected = keys.collect(&backend, DELETE, &mut found, (&|_| {}, &interrupt));
    collected.await.unwrap_err();
    assert_eq!(
        disposals(&found),
        [(Reason::Orphan, false, Disposal::Deleted)]
    );
    assert_eq!(world.store.objects().len(), 1);
}

/// A collection raises a document where no record exists any more. The state that has seen the
/// record must not take its secret as deleted.
#[tokio::test]
async fn a_record_that_vanished_is_still_missing_after_a_collection() {
    let world = World::new();
    world.warm().await;
    let empty = world.catalog.snapshot();
    let view = created(&world, "db", "v1").await;
    world.catalog.restore(empty);
    collected(&world.warm().await, "platform", DELETE).await;
    let document = world.document(&name("db")).await;
    assert!(document.generation >= view.generation, "raised");
    let missing = refreshed(&world, &view).await.unwrap();
    assert_eq!(missing, Refreshed::RecordMissing);
    let process = world.warm().await;
    let (secrets, interrupt) = (process.secrets(), Interrupt::default());
    let update = secrets.update(rotate(&view, "v2"), &interrupt).await;
    assert!(
        matches!(update, Err(OperationError::RecordMissing { .. })),
        "{update:?}"
    );
    let deleted = secrets.delete(&own(&view), &interrupt).await.unwrap();
    assert_eq!(deleted, DeletedSecret::RecordMissing);
    let found = secrets.find_to_forget(&name("db"), None).await.unwrap();
    assert!(matches!(found, Lookup::NeverExisted), "{found:?}");
    // A name that was destroyed has a past, whatever raises its document.
    let new = created(&world, "db", "v2").await;
    secrets.delete(&own(&new), &interrupt).await.unwrap();
    assert_eq!(refreshed(&world, &new).await.unwrap(), Refreshed::Gone);
}

#[tokio::test]
async fn what_is_too_young_is_spared() {
    let world = World::new();
    killed(&world, "db", None).await;
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    killed(&world, "api", Some("vault")).await;
    let hour = Collect {
        orphans: Some(Duration::from_secs(3600)),
        deletes: true,
    };
    for backend in ["platform", "vault"] {
        let spared = collected(&world.warm().await, backend, hour).await;
        assert_eq!(
            (spared.leftovers.len(), spared.too_young),
            (0, 1),
            "{backend}"
        );
    }
    assert_eq!(world.store.objects().len(), 1);
}

/// A collection that runs to its end while a creation is held before its commit.
#[tokio::test]
async fn a_creation_held_between_put_and_commit_loses_nothing_that_it_acknowledges() {
    for over_tombstone in [false, true] {
        for backend in [None, Some("vault")] {
            let world = World::new();
            let process = world.warm().await;
            declared(&process, "vault", "a").await;
            if over_tombstone {
                let old = create(&process, "db", backend).await.unwrap();
                let secrets = process.secrets();
                secrets
                    .delete(&own(&old), &Interrupt::default())
                    .await
                    .unwrap();
                process.settle().await;
            }
            let collector = world.warm().await;
            let of = backend.unwrap_or("platform");
            let (send, receive) = tokio::sync::oneshot::channel();
            // The entry comes first, and a further one if something stands under the name.
            let nth = match backend {
                Some(_) if over_tombstone => 3,
                Some(_) => 2,
                None => 1,
            };
            world.catalog.before(CatalogVerb::Write, nth, async move {
                send.send(collected(&collector, of, DELETE).await).unwrap();
            });
            let view = create(&process, "db", backend).await.unwrap();
            let what = format!("{of}, over a tombstone: {over_tombstone}");
            let collection = receive.await.unwrap();
            let deleted = [(Reason::Orphan, false, Disposal::Deleted)];
            assert_eq!(disposals(&collection), deleted, "{what}");
            let document = world.document(&name("db")).await;
            assert_eq!(document.current.unwrap().uuid, view.uuid, "{what}");
            world.value("db").await.unwrap();
            let left = collected(&world.warm().await, of, SHOW).await;
            assert_eq!(left.leftovers, [], "{what}");
        }
    }
}

#[tokio::test]
async fn a_rotation_held_between_put_and_commit_loses_nothing_that_it_acknowledges() {
    let world = World::new();
    let view = created(&world, "db", "old").await;
    let (process, collector) = (world.warm().await, world.warm().await);
    let (send, receive) = tokio::sync::oneshot::channel();
    world.catalog.before(CatalogVerb::Write, 1, async move {
        send.send(collected(&collector, "platform", DELETE).await)
            .unwrap();
    });
    let secrets = process.secrets();
    let rotated = secrets
        .update(rotate(&view, "new"), &Interrupt::default())
        .await;
    let collection = receive.await.unwrap();
    assert_eq!(
        disposals(&collection),
        [(Reason::Orphan, true, Disposal::Deleted)]
    );
    // The rotation may fail, and what it acknowledges opens.
    let expected = if rotated.is_ok() { "new" } else { "old" };
    assert_eq!(world.value("db").await.unwrap(), expected);
    let view = match rotated {
        Ok(view) => view,
        Err(_) => {
            let view = world.process();
            let view = view.secrets().find(&name("db")).await.unwrap();
            secrets
                .update(rotate(&view, "new"), &Interrupt::default())
                .await
                .unwrap()
        }
    };
    assert_eq!(view.version.unwrap().number, 2);
    assert_eq!(world.value("db").await.unwrap(), "new");
}

#[tokio::test]
async fn a_creation_that_commits_first_keeps_its_object() {
    let world = World::new();
    killed(&world, "other", None).await;
    let (collector, creator) = (world.warm().await, world.warm().await);
    // The collection has seen the object without a record, and is about to raise.
    killed(&world, "db", None).await;
    world
        .catalog
        .before(CatalogVerb::ReadFenced, 1, async move {
            create(&creator, "later", None).await.unwrap();
        });
    let collection = collected(&collector, "platform", DELETE).await;
    assert_eq!(collection.leftovers.len(), 2);
    world.value("later").await.unwrap();
    assert_eq!(world.store.objects().len(), 1);
}

#[tokio::test]
async fn what_a_rewrap_replaced_and_could_not_delete_is_found_by_its_record() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared_with(&process, keys(Some("one"), &[])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let update = UpdateBackend {
        keys: keys(Some("two"), &[]),
        ..change(&backend)
    };
    let interrupt = Interrupt::default();
    process.backends().update(update, &interrupt).await.unwrap();
    let place = world.connector.place("a");
    place.inject(Fault {
        verb: StoreVerb::Delete,
        nth: 1,
        landing: Landing::Before,
        kind: StoreErrorKind::Unavailable,
    });
    let keys = world.warm().await;
    let rewrapped = keys
        .keys()
        .rewrap(&slug("vault"), &|_| {}, &interrupt)
        .await;
    assert_eq!(rewrapped.unwrap().failed.len(), 1);

    let what = Collect {
        orphans: None,
        deletes: false,
    };
    let shown = collected(&world.warm().await, "vault", what).await;
    assert_eq!(
        disposals(&shown),
        [(Reason::Superseded, true, Disposal::Found)]
    );
    let what = Collect {
        deletes: true,
        ..what
    };
    let deleted = collected(&world.warm().await, "vault", what).await;
    assert_eq!(
        disposals(&deleted),
        [(Reason::Superseded, true, Disposal::Deleted)]
    );
    world.value("db").await.unwrap();
    assert_eq!(
        collected(&world.warm().await, "vault", what)
            .await
            .leftovers,
        []
    );
}

#[tokio::test]
async fn what_an_altered_record_may_name_stays() {
    let world = World::new();
    created(&world, "db", "x").await;
    created(&world, "api", "x").await;
    world
        .alter(&name("db"), |body| {
            body.replace("\"generation\":1", "\"generation\":9")
        })
        .await;
    killed(&world, "web", None).await;
    let collection = collected(&world.warm().await, "platform", DELETE).await;
    let failed = |one: &&Leftover| matches!(one.disposal, Disposal::Failed(_));
    assert!(
        collection.leftovers.iter().any(|one| failed(&one)),
        "{collection:?}"
    );
    let deleted = collection
        .leftovers
        .iter()
        .filter(|one| one.disposal == Disposal::Deleted);
    assert_eq!(deleted.count(), 1, "{collection:?}");
    assert_eq!(world.store.objects().len(), 2, "those of both records");
}

#[tokio::test]
async fn the_object_of_a_record_that_was_deleted_by_hand_stays() {
    let world = World::new();
    created(&world, "db", "x").await;
    world
        .catalog
        .delete_by_hand(&record_key_of_name(&name("db")));
    let collection = collected(&world.warm().await, "platform", DELETE).await;
    assert_eq!(collection.leftovers.len(), 1);
    let disposal = &collection.leftovers[0].disposal;
    assert!(matches!(disposal, Disposal::Failed(_)), "{disposal:?}");
    assert_eq!(world.store.objects().len(), 1);
}

#[tokio::test]
async fn a_lost_object_and_what_is_not_of_our_form_stay() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let mut document = world.document(&view.name).await;
    let secret = document.current.as_mut().unwrap();
    let new = RemoteName::new("planton/acme/org/db-00000000".to_owned());
    secret.lost.push(LostObject {
        remote_name: std::mem::replace(&mut secret.remote_name, new),
        entry: None,
        versions: secret.native_ids(),
    });
    world.write_document(&view.name, &document).await;
    let foreign = RemoteName::new("planton/acme/org/foreign".to_owned());
    world.store.put_foreign(&foreign);
    let collection = collected(&world.warm().await, "platform", DELETE).await;
    assert_eq!((collection.total, collection.leftovers), (2, Vec::new()));
    assert_eq!(world.store.objects().len(), 2);
}
