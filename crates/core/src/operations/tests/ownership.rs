//! A state changes a record under its own stamp only.

use super::*;
use crate::catalog::CatalogStore;
use crate::operations::{DeletedSecret, Replaces, Stamp};

fn stranger() -> Stamp {
    Stamp {
        run: super::super::Run::of_its_own().id,
        generation: 1,
    }
}

#[tokio::test]
async fn a_state_with_another_stamp_neither_changes_nor_destroys() {
    let world = World::new();
    let view = created(&world, "db", "theirs").await;
    let before = world.document(&view.name).await;
    let process = world.process();
    let interrupt = Interrupt::default();
    let update = UpdateSecret {
        stamp: Some(stranger()),
        ..rotate(&view, "ours")
    };
    let updated = process.secrets().update(update, &interrupt).await;
    match updated {
        Err(OperationError::OwnedByAnotherState { owner, .. }) => {
            assert_eq!(*owner, view.owner);
        }
        other => panic!("{other:?}"),
    }
    let delete = crate::operations::DeleteSecret {
        stamp: Some(stranger()),
        ..own(&view)
    };
    let deleted = process.secrets().delete(&delete, &interrupt).await.unwrap();
    assert_eq!(
        deleted,
        DeletedSecret::OwnedByAnotherState(Box::new(view.owner))
    );
    assert_eq!(world.document(&view.name).await, before);
    assert_eq!(world.value("db").await.unwrap(), "theirs");
}

#[tokio::test]
async fn a_state_that_lost_its_stamp_does_not_take_what_was_adopted_since() {
    // A state loses its stamp if a process is killed during an update.
    let world = World::new();
    let interrupted = world.warm().await;
    let interrupt = Interrupt::default();
    let create = || create_of("db", given("x"));
    let made = interrupted.secrets().create(create(), &interrupt).await;
    let made = made.unwrap();
    let forgetful = |value: &str| UpdateSecret {
        stamp: None,
        ..rotate(&made, value)
    };
    // No run has adopted it, so a caller with its uuid created or imported it.
    let process = world.process();
    let seen = process.secrets().update(forgetful("y"), &interrupt).await;
    assert_eq!(number(&seen.unwrap()), Some(2));

    let world = World::new();
    let interrupted = world.warm().await;
    let made = interrupted.secrets().create(create(), &interrupt).await;
    let made = made.unwrap();
    let resuming = world.resuming(&interrupted);
    let adopted = resuming
        .secrets()
        .create(create(), &interrupt)
        .await
        .unwrap();
    let update = UpdateSecret {
        generation: adopted.generation,
        stamp: None,
        ..rotate(&made, "z")
    };
    let process = world.process();
    let refused = process.secrets().update(update, &interrupt).await;
    let foreign = matches!(refused, Err(OperationError::OwnedByAnotherState { .. }));
    assert!(foreign, "{refused:?}");
    let delete = any(&made.name, made.uuid);
    let deleted = process.secrets().delete(&delete, &interrupt).await.unwrap();
    assert_eq!(
        deleted,
        DeletedSecret::OwnedByAnotherState(Box::new(adopted.owner))
    );
    assert_eq!(world.value("db").await.unwrap(), "x");
}

#[tokio::test]
async fn a_refresh_shows_whose_a_secret_is() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    match refreshed(&world, &view).await.unwrap() {
        Refreshed::Present(seen) => assert_eq!(seen.owner, view.owner),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_second_organization_is_made_over_records_or_tombstones() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let interrupt = Interrupt::default();
    for with_tombstone in [false, true] {
        if with_tombstone {
            let process = world.process();
            process
                .secrets()
                .delete(&own(&view), &interrupt)
                .await
                .unwrap();
        }
        let kept = world.catalog.snapshot();
        let organization = crate::catalog::RecordKey::new("organization");
        CatalogStore::remove(&*world.catalog, &organization)
            .await
            .unwrap();
        let create = create_of("other", given("y"));
        let refused = world.process().secrets().create(create, &interrupt).await;
        let missing = matches!(
            refused,
            Err(OperationError::OrganizationRecordMissing { .. })
        );
        assert!(missing, "{refused:?}");
        assert_eq!(world.stored(&organization).await, None);
        world.catalog.restore(kept);
    }
}

#[tokio::test]
async fn a_displaced_secret_takes_its_name_back_when_nobody_holds_it() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let replacing = CreateSecret {
        replaces: vec![Replaces::Named(old.uuid)],
        ..create_of("db", given("new"))
    };
    let new = process
        .secrets()
        .create(replacing, &interrupt)
        .await
        .unwrap();
    let seen = process.secrets().find_by_uuid(old.uuid).await.unwrap();
    assert!(seen.is_displaced);
    assert_eq!(
        seen.displaced_by.as_ref().map(|(uuid, _)| *uuid),
        Some(new.uuid)
    );
    let held = process.secrets().update(edit(&seen), &interrupt).await;
    match held {
        Err(OperationError::Displaced { uuid, existing, .. }) => {
            // It is unchanged since its creation, so its run can be resumed.
            assert_eq!((uuid, existing.is_untouched), (new.uuid, true));
        }
        other => panic!("{other:?}"),
    }
    process
        .secrets()
        .delete(&own(&new), &interrupt)
        .await
        .unwrap();
    let seen = process.secrets().find_by_uuid(old.uuid).await.unwrap();
    assert!(seen.is_displaced && seen.displaced_by.is_none());
    let back = process
        .secrets()
        .update(edit(&seen), &interrupt)
        .await
        .unwrap();
    assert!(!back.is_displaced);
    assert_eq!(world.value("db").await.unwrap(), "old");
}

#[tokio::test]
async fn a_displaced_secret_takes_its_name_back_from_an_interrupted_displacer() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let interrupted = world.warm().await;
    let interrupt = Interrupt::default();
    let replacing = CreateSecret {
        replaces: vec![Replaces::Named(old.uuid)],
        ..create_of("db", given("new"))
    };
    let new = interrupted
        .secrets()
        .create(replacing, &interrupt)
        .await
        .unwrap();
    let seen = interrupted.secrets().find_by_uuid(old.uuid).await.unwrap();
    let resuming = world.resuming(&interrupted);
    let back = resuming.secrets().update(edit(&seen), &interrupt).await;
    assert_eq!(back.unwrap().uuid, old.uuid);
    assert_eq!(world.value("db").await.unwrap(), "old");
    let displaced = world.process().secrets().find_by_uuid(new.uuid).await;
    assert!(displaced.unwrap().is_displaced);
}

#[tokio::test]
async fn a_forgotten_secret_goes_without_asking_its_backend() {
    let world = World::new();
    let mut create = create_of("db", given("x"));
    create.arguments.on_destroy = crate::operations::OnDestroy::Forget;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let view = process.secrets().create(create, &interrupt).await.unwrap();
    let before = world.counts();
    let deleted = process.secrets().delete(&own(&view), &interrupt).await;
    match deleted.unwrap() {
        DeletedSecret::Forgotten { backend, objects } => {
            assert_eq!((backend.as_str(), objects.len()), ("platform", 1));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((world.counts() - before).delete, 0);
    assert!(world.document(&view.name).await.is_tombstone());
}
