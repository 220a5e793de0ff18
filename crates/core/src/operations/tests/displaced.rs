//! A secret replaces its namesake, which stays readable by its uuid until it is deleted.

use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::kek::KekErrorKind;
use crate::operations::{Replaces, Stamp};
use crate::store::{Landing, StoreErrorKind, StoreVerb};

fn replacing(old: &SecretView, value: &str) -> CreateSecret {
    CreateSecret {
        replaces: vec![Replaces::Named(old.uuid)],
        ..create_of("db", given(value))
    }
}

async fn open(world: &World, selector: Selector) -> Result<String, OperationError> {
    let opened = world.process().secrets().open(&selector, None).await?;
    Ok(world::exposed(&opened.value))
}

#[tokio::test]
async fn without_the_mark_a_namesake_exists_already() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    for replaces in [Vec::new(), vec![Replaces::Named(uuid::Uuid::new_v4())]] {
        let create = CreateSecret {
            replaces,
            ..create_of("db", given("new"))
        };
        let refused = world
            .process()
            .secrets()
            .create(create, &Interrupt::default())
            .await;
        assert!(
            matches!(refused, Err(OperationError::AlreadyExists { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        refreshed(&world, &old).await.unwrap(),
        Refreshed::Present(old)
    );
}

#[tokio::test]
async fn a_namesake_is_displaced_under_the_stamp_that_its_state_knows_and_no_other() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let own = old.owner.stamp;
    let strange = Stamp {
        generation: own.generation + 1,
        ..own
    };
    let replace = async |stamp| {
        let create = CreateSecret {
            // An obsolete `takes_over` names an earlier secret, and has no effect.
            replaces: vec![
                Replaces::Named(uuid::Uuid::new_v4()),
                Replaces::Owned(old.uuid, stamp),
            ],
            ..create_of("db", given("new"))
        };
        let process = world.process();
        process
            .secrets()
            .create(create, &Interrupt::default())
            .await
    };
    let refused = replace(strange).await;
    assert!(
        matches!(
            refused,
            Err(OperationError::AlreadyExists { .. } | OperationError::DeclaredTwice { .. })
        ),
        "{refused:?}"
    );
    let new = replace(own).await.unwrap();
    assert_ne!(new.uuid, old.uuid);
    let current = open(&world, Selector::Name(name("db"))).await.unwrap();
    assert_eq!(current, "new");
    let displaced = open(&world, Selector::Uuid(old.uuid)).await.unwrap();
    assert_eq!(displaced, "old");
}

#[tokio::test]
async fn old_and_new_live_side_by_side_until_the_old_is_deleted() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let new = process
        .secrets()
        .create(replacing(&old, "new"), &interrupt)
        .await
        .unwrap();
    assert_ne!(new.uuid, old.uuid);

    assert_eq!(
        open(&world, Selector::Name(name("db"))).await.unwrap(),
        "new"
    );
    assert_eq!(open(&world, Selector::Uuid(new.uuid)).await.unwrap(), "new");
    assert_eq!(open(&world, Selector::Uuid(old.uuid)).await.unwrap(), "old");
    assert_eq!(
        process.secrets().find(&name("db")).await.unwrap().uuid,
        new.uuid
    );
    assert_eq!(
        process.secrets().find_by_uuid(old.uuid).await.unwrap().uuid,
        old.uuid
    );
    for view in [&old, &new] {
        match refreshed(&world, view).await.unwrap() {
            Refreshed::Present(now) => assert_eq!(now.uuid, view.uuid),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.unreferenced(&["db"]).await, 0);

    process
        .secrets()
        .delete(&any(&old.name, old.uuid), &interrupt)
        .await
        .unwrap();
    assert_eq!(refreshed(&world, &old).await.unwrap(), Refreshed::Gone);
    assert_eq!(
        open(&world, Selector::Name(name("db"))).await.unwrap(),
        "new"
    );
    assert_eq!(world.store.objects().len(), 1);
    assert_eq!(
        world.counts().forget,
        0,
        "a record in use keeps its history"
    );
}

#[tokio::test]
async fn deleting_the_namesake_changes_nothing_about_the_secret() {
    // A change that was planned before the deletion still applies afterwards.
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let new = process
        .secrets()
        .create(replacing(&old, "new"), &interrupt)
        .await
        .unwrap();
    process
        .secrets()
        .delete(&any(&old.name, old.uuid), &interrupt)
        .await
        .unwrap();
    let rotated = process
        .secrets()
        .update(rotate(&new, "newer"), &interrupt)
        .await
        .unwrap();
    assert_eq!(number(&rotated), Some(2));
    // A change of the secret itself is still a conflict.
    let late = process
        .secrets()
        .update(rotate(&new, "late"), &interrupt)
        .await;
    assert!(
        matches!(late, Err(OperationError::ChangedConcurrently { .. })),
        "{late:?}"
    );
    assert_eq!(
        open(&world, Selector::Name(name("db"))).await.unwrap(),
        "newer"
    );
}

#[tokio::test]
async fn a_replacement_converges_after_each_failure() {
    use CatalogErrorKind::{Conflict, Unavailable};
    for landing in [Landing::Before, Landing::After] {
        for fault in [Some(Conflict), Some(Unavailable), None] {
            let world = World::new();
            let old = created(&world, "db", "old").await;
            let process = world.warm().await;
            match fault {
                Some(kind) => world.fail_catalog(CatalogVerb::Write, 1, landing, kind),
                None => {
                    world.fail_store(StoreVerb::Put, 1, landing, StoreErrorKind::Unavailable);
                }
            }
            let interrupt = Interrupt::default();
            let first = process
                .secrets()
                .create(replacing(&old, "new"), &interrupt)
                .await;
            let what = format!("{landing:?} {fault:?}: {first:?}");
            let by_uuid = open(&world, Selector::Uuid(old.uuid)).await;
            assert_eq!(by_uuid.unwrap(), "old", "{what}");
            let by_name = open(&world, Selector::Name(name("db"))).await;
            assert!(
                matches!(by_name.as_deref(), Ok("old" | "new")),
                "{what}: {by_name:?}"
            );
            let process = world.resuming(&process);
            let second = process
                .secrets()
                .create(replacing(&old, "new"), &interrupt)
                .await;
            let new = second.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_ne!(new.uuid, old.uuid, "{what}");
            assert_eq!(
                open(&world, Selector::Name(name("db"))).await.unwrap(),
                "new"
            );
            let process = world.process();
            process
                .secrets()
                .delete(&own(&old), &interrupt)
                .await
                .unwrap();
            assert_eq!(
                open(&world, Selector::Name(name("db"))).await.unwrap(),
                "new"
            );
            assert!(world.unreferenced(&["db"]).await <= 1, "{what}");
        }
    }
}

#[tokio::test]
async fn a_replacement_that_is_withdrawn_gives_the_name_back() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    world.kek.deny(KekVerb::Wrap, KekErrorKind::Disabled);
    let process = world.process();
    let denied = process
        .secrets()
        .create(replacing(&old, "new"), &Interrupt::default())
        .await;
    denied.unwrap_err();
    world.kek.allow();
    assert_eq!(
        open(&world, Selector::Name(name("db"))).await.unwrap(),
        "old"
    );
    match refreshed(&world, &old).await.unwrap() {
        Refreshed::Present(now) => assert_eq!(now.uuid, old.uuid),
        other => panic!("{other:?}"),
    }
    let process = world.process();
    let new = process
        .secrets()
        .create(replacing(&old, "new"), &Interrupt::default())
        .await
        .unwrap();
    assert_eq!(
        open(&world, Selector::Name(name("db"))).await.unwrap(),
        "new"
    );
    assert_eq!(open(&world, Selector::Uuid(old.uuid)).await.unwrap(), "old");
    assert_ne!(new.uuid, old.uuid);
}

#[tokio::test]
async fn the_old_answers_to_the_name_while_the_new_is_being_created() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let watching = world.clone();
    world.store.before(StoreVerb::Put, 1, async move {
        let value = open(&watching, Selector::Name(name("db"))).await;
        assert_eq!(value.unwrap(), "old");
    });
    let process = world.warm().await;
    process
        .secrets()
        .create(replacing(&old, "new"), &Interrupt::default())
        .await
        .unwrap();
    assert_eq!(
        open(&world, Selector::Name(name("db"))).await.unwrap(),
        "new"
    );
}

#[tokio::test]
async fn the_new_may_go_before_the_old() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let new = process
        .secrets()
        .create(replacing(&old, "new"), &interrupt)
        .await
        .unwrap();
    process
        .secrets()
        .delete(&any(&new.name, new.uuid), &interrupt)
        .await
        .unwrap();
    let by_name = open(&world, Selector::Name(name("db"))).await;
    assert!(
        matches!(by_name, Err(OperationError::SecretNotFound { .. })),
        "{by_name:?}"
    );
    assert_eq!(open(&world, Selector::Uuid(old.uuid)).await.unwrap(), "old");
    let newest = process
        .secrets()
        .create(create_of("db", given("newest")), &interrupt)
        .await;
    let newest = newest.unwrap();
    assert_eq!(
        open(&world, Selector::Name(name("db"))).await.unwrap(),
        "newest"
    );
    for view in [&old, &newest] {
        process
            .secrets()
            .delete(&any(&view.name, view.uuid), &interrupt)
            .await
            .unwrap();
    }
    assert!(world.document(&old.name).await.is_tombstone());
    assert!(world.store.objects().is_empty());
}
