//! A creation whose name has a record: adopts the record of the resumed run, replaces a
//! tombstone, and rejects all others.

use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::operations::{DeletedSecret, ExistingRecord};
use crate::store::{Landing, StoreErrorKind, StoreVerb};

/// Runs a creation that is killed after its commit and before its response. Returns the
/// process and the created secret.
async fn killed(world: &World, create: CreateSecret) -> (Organization, SecretView) {
    let named = create.name.clone();
    let process = world.warm().await;
    let unavailable = CatalogErrorKind::Unavailable;
    world.fail_catalog(CatalogVerb::Write, 1, Landing::After, unavailable);
    let interrupt = Interrupt::default();
    let unclear = process.secrets().create(create, &interrupt).await;
    match unclear {
        Err(OperationError::CommitUnclear(unclear)) => assert_eq!(unclear.run, process.run().id),
        other => panic!("{other:?}"),
    }
    let view = world.process().secrets().find(&named).await.unwrap();
    (process, view)
}

async fn create(
    process: &Organization,
    create: CreateSecret,
) -> Result<SecretView, OperationError> {
    process
        .secrets()
        .create(create, &Interrupt::default())
        .await
}

fn existing(refused: Result<SecretView, OperationError>) -> ExistingRecord {
    match refused {
        Err(OperationError::AlreadyExists { existing, .. }) => *existing,
        other => panic!("{other:?}"),
    }
}

fn requests() -> [fn() -> CreateSecret; 3] {
    [
        || create_of("db", given("hunter2")),
        || create_of("db", ValueSource::Given(pairs(&[("a", "1"), ("b", "2")]))),
        || generate_of("db", world::spec()),
    ]
}

#[tokio::test]
async fn a_look_alike_of_another_run_is_never_adopted() {
    for request in requests() {
        let world = World::new();
        let (_, view) = killed(&world, request()).await;
        let before = world.document(&view.name).await;
        for _ in 0..2 {
            let existing = existing(create(&world.process(), request()).await);
            assert!(existing.is_untouched);
            assert_eq!(
                (existing.owner.stamp, existing.differs),
                (view.owner.stamp, None)
            );
        }
        assert_eq!(world.document(&view.name).await, before);
    }
}

#[tokio::test]
async fn what_the_resumed_run_has_made_is_adopted_as_it_is() {
    for request in requests() {
        let world = World::new();
        let (interrupted, made) = killed(&world, request()).await;
        let before = world.value("db").await.unwrap();
        let puts = world.counts().put;
        let resuming = world.resuming(&interrupted);
        let adopted = create(&resuming, request()).await.unwrap();
        assert_eq!(adopted.uuid, made.uuid);
        assert_eq!(adopted.version, made.version);
        assert!(adopted.is_adopted && adopted.generation > made.generation);
        assert_eq!(adopted.owner.stamp.run, resuming.run().id);
        let former = adopted.owner.former().unwrap();
        assert_eq!(former.stamp, made.owner.stamp);
        assert_eq!(world.counts().put, puts, "adoption writes no version");
        assert_eq!(world.value("db").await.unwrap(), before);
        assert_eq!(world.unreferenced(&["db"]).await, 0);
    }
}

#[tokio::test]
async fn an_adoption_that_was_killed_is_resumed_in_turn() {
    let world = World::new();
    let request = || create_of("db", given("x"));
    let (interrupted, made) = killed(&world, request()).await;
    let second = world.resuming(&interrupted);
    let adopted = create(&second, request()).await.unwrap();
    // Neither an unrelated run nor another run that resumes the first one may adopt it now.
    for process in [world.process(), world.resuming(&interrupted)] {
        let existing = existing(create(&process, request()).await);
        assert_eq!(existing.owner.stamp, adopted.owner.stamp);
    }
    let third = world.resuming(&second);
    let again = create(&third, request()).await.unwrap();
    assert_eq!(again.uuid, made.uuid);
    assert_eq!(again.owner.stamp.run, third.run().id);
}

#[tokio::test]
async fn what_differs_is_changed_in_the_same_commit() {
    let world = World::new();
    let (interrupted, made) = killed(&world, create_of("db", given("x"))).await;
    let mut request = create_of("db", given("x"));
    request.arguments.deletion_protection = true;
    request.metadata.description = Some("for the shop".to_owned());
    let (arguments, metadata) = (request.arguments.clone(), request.metadata.clone());
    let writes = world.counts().write;
    let adopted = create(&world.resuming(&interrupted), request)
        .await
        .unwrap();
    assert_eq!(world.counts().write - writes, 1);
    assert_eq!(adopted.uuid, made.uuid);
    assert_eq!((adopted.arguments, adopted.metadata), (arguments, metadata));
}

#[tokio::test]
async fn a_fresh_ephemeral_value_becomes_the_next_version() {
    let world = World::new();
    let (interrupted, made) = killed(&world, create_of("db", given("first"))).await;
    let resuming = world.resuming(&interrupted);
    let adopted = create(&resuming, create_of("db", given("second"))).await;
    let adopted = adopted.unwrap();
    assert_eq!((adopted.uuid, number(&adopted)), (made.uuid, Some(2)));
    assert_eq!(world.value("db").await.unwrap(), "second");
    assert_eq!(world.unreferenced(&["db"]).await, 0);
}

#[tokio::test]
async fn a_generated_value_stays_unless_its_trigger_differs() {
    let world = World::new();
    let (interrupted, _) = killed(&world, generate_of("db", world::spec())).await;
    let before = world.value("db").await.unwrap();
    let mut request = generate_of("db", world::spec());
    request.arguments.value_wo_version = Some("2".to_owned());
    let adopted = create(&world.resuming(&interrupted), request)
        .await
        .unwrap();
    assert_eq!(number(&adopted), Some(2));
    assert_ne!(world.value("db").await.unwrap(), before);
}

#[tokio::test]
async fn what_cannot_change_in_place_is_refused_and_named() {
    type Change = fn(&mut CreateSecret);
    let changes: [(&str, Change); 2] = [
        ("data_wo", |r| {
            r.source = ValueSource::Given(pairs(&[("x", "hunter2")]));
        }),
        ("backend", |r| r.backend = Some("vault".parse().unwrap())),
    ];
    for (differs, change) in changes {
        let world = World::new();
        let process = world.warm().await;
        super::backends::declared(&process, "vault", "a").await;
        let (interrupted, made) = killed(&world, create_of("db", given("hunter2"))).await;
        let mut request = create_of("db", given("hunter2"));
        change(&mut request);
        let existing = existing(create(&world.resuming(&interrupted), request).await);
        assert_eq!(existing.differs.as_deref(), Some(differs));
        let now = refreshed(&world, &made).await.unwrap();
        assert_eq!(present(&now), Some(unmarked(&made)));
    }
}

#[tokio::test]
async fn what_was_changed_since_is_never_adopted() {
    type Change = fn(&SecretView) -> UpdateSecret;
    let changes: [(&str, Change); 3] = [
        ("rotated", |view| rotate(view, "v2")),
        ("edited", |view| {
            let mut update = edit(view);
            update.metadata.description = Some("d".to_owned());
            update
        }),
        ("argued", |view| {
            let mut update = edit(view);
            update.arguments.keep_versions = 1;
            update
        }),
    ];
    for (what, change) in changes {
        let world = World::new();
        let (interrupted, made) = killed(&world, create_of("db", given("v1"))).await;
        let process = world.process();
        let interrupt = Interrupt::default();
        let changed = process.secrets().update(change(&made), &interrupt).await;
        let changed = changed.unwrap();
        let resuming = world.resuming(&interrupted);
        let existing = existing(create(&resuming, create_of("db", given("v1"))).await);
        assert!(!existing.is_untouched, "{what}");
        assert_eq!(
            refreshed(&world, &changed).await.unwrap(),
            Refreshed::Present(changed),
            "{what}"
        );
    }
}

#[tokio::test]
async fn housekeeping_is_no_change() {
    let world = World::new();
    let request = || create_of("db", given("x"));
    let (interrupted, made) = killed(&world, request()).await;
    // A cleanup raises the document.
    let process = world.process();
    let key = crate::catalog::record_key_of_name(&made.name);
    let mut held = process
        .hold::<crate::catalog::SecretDocument>(key)
        .await
        .unwrap();
    assert!(process.try_commit(&mut held).await.unwrap().is_none());
    let adopted = create(&world.resuming(&interrupted), request()).await;
    assert_eq!(adopted.unwrap().uuid, made.uuid);
}

#[tokio::test]
async fn one_run_never_creates_a_name_twice() {
    let world = World::new();
    let process = world.warm().await;
    create(&process, create_of("db", given("x"))).await.unwrap();
    // Another process of the same run.
    let sibling = world.process().in_run(process.run().clone());
    for process in [&process, &sibling] {
        let twice = create(process, create_of("db", given("x"))).await;
        let declared_twice = matches!(twice, Err(OperationError::DeclaredTwice { .. }));
        assert!(declared_twice, "{twice:?}");
    }
}

#[tokio::test]
async fn a_run_hands_back_what_it_adopted_instead_of_destroying_it() {
    let world = World::new();
    let request = || create_of("db", given("x"));
    let (interrupted, made) = killed(&world, request()).await;
    let resuming = world.resuming(&interrupted);
    let adopted = create(&resuming, request()).await.unwrap();
    let interrupt = Interrupt::default();
    let deleted = resuming.secrets().delete(&own(&adopted), &interrupt).await;
    match deleted.unwrap() {
        DeletedSecret::ReturnedToOwner(owner) => assert_eq!(owner.stamp, made.owner.stamp),
        other => panic!("{other:?}"),
    }
    // The interrupted run owns it again, and can be resumed again.
    let again = create(&world.resuming(&interrupted), request())
        .await
        .unwrap();
    assert_eq!(again.uuid, made.uuid);
    // A later run deletes it.
    let deleted = world
        .process()
        .secrets()
        .delete(&own(&again), &interrupt)
        .await;
    assert_eq!(deleted.unwrap(), DeletedSecret::Gone);
    assert!(world.store.objects().is_empty());
}

#[tokio::test]
async fn an_adoption_whose_object_is_gone_heals_it() {
    let world = World::new();
    let request = || create_of("db", given("x"));
    let (interrupted, made) = killed(&world, request()).await;
    let object = world.store.objects().remove(0);
    world.store.remove_object(&object);
    let adopted = create(&world.resuming(&interrupted), request())
        .await
        .unwrap();
    assert_eq!((adopted.uuid, number(&adopted)), (made.uuid, Some(2)));
    assert_eq!(world.value("db").await.unwrap(), "x");
}

#[tokio::test]
async fn a_creation_that_was_killed_before_its_commit_stands_in_nobodys_way() {
    for landing in [Landing::Before, Landing::After] {
        let world = World::new();
        let process = world.warm().await;
        world.fail_store(StoreVerb::Put, 1, landing, StoreErrorKind::Unavailable);
        create(&process, create_of("db", given("killed")))
            .await
            .unwrap_err();
        let request = create_of("db", ValueSource::Given(pairs(&[("a", "1")])));
        let view = create(&world.process(), request).await.unwrap();
        assert_eq!(number(&view), Some(1));
        assert_eq!(world.value("db").await.unwrap(), "a=1");
        let left = usize::from(landing == Landing::After);
        assert_eq!(world.unreferenced(&["db"]).await, left);
    }
}

#[tokio::test]
async fn a_recreation_goes_on_from_the_tombstone() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    process
        .secrets()
        .delete(&own(&old), &interrupt)
        .await
        .unwrap();
    let tombstone = world.document(&old.name).await;
    assert!(tombstone.is_tombstone());
    let new = created(&world, "db", "new").await;
    assert_ne!(new.uuid, old.uuid);
    assert_eq!(number(&new), Some(1));
    assert!(new.generation > tombstone.generation);
    assert_eq!(refreshed(&world, &old).await.unwrap(), Refreshed::Gone);
    let selector = Selector::Uuid(old.uuid);
    let gone = world.process().secrets().open(&selector, None).await;
    assert!(matches!(gone, Err(OperationError::SecretNotFound { .. })));
}
