//! An operator forgets a record exactly as it was shown, or not at all.

use super::backends::{create, declared};
use super::*;
use crate::catalog::{CatalogStore as _, CatalogVerb};
use crate::operations::deletion_waits::DeletionWaits;
use crate::operations::{BackendOnDestroy, Destroyed, ForgettableSecret, Lookup};
use crate::store::Landing;

async fn found(process: &Organization, named: &str) -> ForgettableSecret {
    match process
        .secrets()
        .find_to_forget(&name(named), None)
        .await
        .unwrap()
    {
        Lookup::Found(found) => *found,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_forgotten_secret_leaves_its_object_and_no_entry() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let place = world.connector.place("a");
    let before = place.objects();
    let shown = found(&world.process(), "db").await;
    assert_eq!((shown.uuid, shown.objects.len()), (view.uuid, 1));
    assert!(before.contains(&shown.objects[0]));
    let opened = world.connector.opened();
    let late = world.process();
    let shown = found(&late, "db").await;
    let interrupt = Interrupt::default();
    late.secrets().forget(shown, &interrupt).await.unwrap();
    assert!(world.document(&view.name).await.is_tombstone());
    assert_eq!(place.objects(), before);
    assert_eq!(world.connector.opened(), opened, "nobody was asked");
    let entries = world.catalog.list("entries").await.unwrap();
    assert!(entries.is_empty(), "{entries:?}");
    let again = late
        .secrets()
        .find_to_forget(&view.name, None)
        .await
        .unwrap();
    assert!(matches!(again, Lookup::NoMatch { .. }), "{again:?}");
    let never = late
        .secrets()
        .find_to_forget(&name("never"), None)
        .await
        .unwrap();
    assert!(matches!(never, Lookup::NeverExisted), "{never:?}");
}

#[tokio::test]
async fn a_secret_that_changed_since_it_was_shown_is_not_forgotten() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let process = world.warm().await;
    let shown = found(&process, "db").await;
    let interrupt = Interrupt::default();
    let other = world.process();
    other
        .secrets()
        .update(rotate(&view, "v2"), &interrupt)
        .await
        .unwrap();
    let refused = process.secrets().forget(shown, &interrupt).await;
    assert!(
        matches!(refused, Err(OperationError::ChangedConcurrently { .. })),
        "{refused:?}"
    );
    assert_eq!(world.value("db").await.unwrap(), "v2");
}

#[tokio::test]
async fn a_displaced_secret_is_forgotten_by_its_uuid_alone() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let next = CreateSecret {
        replaces: vec![crate::operations::Replaces::Named(old.uuid)],
        ..create_of("db", given("new"))
    };
    let new = process.secrets().create(next, &interrupt).await.unwrap();
    assert_eq!(found(&process, "db").await.uuid, new.uuid);
    let shown = process
        .secrets()
        .find_to_forget(&old.name, Some(old.uuid))
        .await;
    let Lookup::Found(shown) = shown.unwrap() else {
        panic!("it is displaced, and found by uuid");
    };
    assert!(shown.is_displaced);
    process.secrets().forget(*shown, &interrupt).await.unwrap();
    assert_eq!(world.value("db").await.unwrap(), "new");
    assert!(world.document(&old.name).await.displaced.is_empty());
}

#[tokio::test]
async fn a_backend_that_turns_out_to_be_needed_is_as_it_was() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let mut process = world.process();
    process.deletion_waits = DeletionWaits {
        in_use: std::time::Duration::ZERO,
        ..DeletionWaits::default()
    };
    let shown =
        async |process: &Organization| match process.backends().find_to_forget(&vault.name).await {
            Ok(Lookup::Found(found)) => *found,
            other => panic!("{other:?}"),
        };
    let found = shown(&process).await;
    let racing = world.clone();
    // A secret is created between the first listing and the mark.
    world.catalog.before(CatalogVerb::Write, 1, async move {
        let creator = racing.process();
        create(&creator, "db", Some("vault")).await.unwrap();
    });
    let interrupt = Interrupt::default();
    let refused = process.backends().forget(found, &interrupt).await;
    assert!(
        matches!(refused, Err(OperationError::BackendInUse { total: 1, .. })),
        "{refused:?}"
    );
    let seen = world.process().backends().find(&vault.name).await.unwrap();
    assert!(!seen.is_deleting);
    assert_eq!(seen.arguments.on_destroy, BackendOnDestroy::Delete);

    let secret = found_and_forgotten(&process, "db").await;
    let found = shown(&process).await;
    let forgotten = process.backends().forget(found, &interrupt).await;
    let forgotten = forgotten.unwrap();
    assert_eq!(forgotten.destroyed, Destroyed::Forgotten);
    assert_eq!(forgotten.left_behind.len(), 1, "its marker");
    let place = world.connector.place("a");
    assert_eq!(place.objects().len(), 2, "nobody was asked: {secret}");
}

#[tokio::test]
async fn a_backend_that_could_not_be_forgotten_is_as_it_was() {
    let unavailable = crate::catalog::CatalogErrorKind::Unavailable;
    for (verb, nth, landing, is_gone) in [
        // The response to the mark, the listing after it, the fence of the default, the
        // tombstone, and the response to the tombstone.
        (CatalogVerb::Write, 1, Landing::After, false),
        (CatalogVerb::List, 2, Landing::Before, false),
        (CatalogVerb::Write, 2, Landing::After, false),
        (CatalogVerb::Write, 3, Landing::Before, false),
        (CatalogVerb::Write, 3, Landing::After, true),
    ] {
        let world = World::new();
        let process = world.warm().await;
        let vault = declared(&process, "vault", "a").await;
        let shown = match process.backends().find_to_forget(&vault.name).await {
            Ok(Lookup::Found(found)) => *found,
            other => panic!("{other:?}"),
        };
        world.fail_catalog(verb, nth, landing, unavailable);
        let interrupt = Interrupt::default();
        let failed = process.backends().forget(shown, &interrupt).await;
        assert!(
            matches!(&failed, Err(OperationError::Catalog(error)) if error.kind() == unavailable),
            "{verb:?} {landing:?}: {failed:?}"
        );
        let late = world.process();
        if is_gone {
            let again = late.backends().find_to_forget(&vault.name).await.unwrap();
            assert!(matches!(again, Lookup::NoMatch { .. }), "{again:?}");
            continue;
        }
        let seen = late.backends().find(&vault.name).await.unwrap();
        assert!(!seen.is_deleting, "{verb:?}");
        assert_eq!(seen.arguments.on_destroy, BackendOnDestroy::Delete);
        create(&late, "db", Some("vault")).await.unwrap();
    }
}

async fn found_and_forgotten(process: &Organization, named: &str) -> uuid::Uuid {
    let shown = found(process, named).await;
    let uuid = shown.uuid;
    let interrupt = Interrupt::default();
    process.secrets().forget(shown, &interrupt).await.unwrap();
    uuid
}
