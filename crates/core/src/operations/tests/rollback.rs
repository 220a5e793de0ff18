//! A catalog that was rolled back is an error, and a stale read is not.

use super::*;
use crate::catalog::record_key_of_name;

fn rolled_back<T: std::fmt::Debug>(result: &Result<T, OperationError>) {
    assert!(
        matches!(result, Err(OperationError::RolledBack { .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn an_older_snapshot_is_a_rollback_in_refresh_and_in_update() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let backup = world.catalog.snapshot();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let rotated = process
        .secrets()
        .update(rotate(&view, "v2"), &interrupt)
        .await
        .unwrap();
    world.catalog.restore(backup);
    rolled_back(&refreshed(&world, &rotated).await);
    rolled_back(
        &world
            .warm()
            .await
            .secrets()
            .update(rotate(&rotated, "v3"), &interrupt)
            .await,
    );
    match refreshed(&world, &rotated).await.unwrap_err() {
        OperationError::RolledBack { name, seen, found } => {
            assert_eq!(name, view.name);
            assert_eq!((seen, found), (rotated.generation, view.generation));
        }
        other => panic!("{other:?}"),
    }
    // A state from before the backup is still accepted.
    assert_eq!(
        refreshed(&world, &view).await.unwrap(),
        Refreshed::Present(view)
    );
}

#[tokio::test]
async fn a_rollback_that_was_written_over_is_still_seen() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let backup = world.catalog.snapshot();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let rotated = process
        .secrets()
        .update(rotate(&view, "v2"), &interrupt)
        .await
        .unwrap();
    let again = process
        .secrets()
        .update(rotate(&rotated, "v3"), &interrupt)
        .await
        .unwrap();

    // The same version number with another payload.
    world.catalog.restore(backup.clone());
    let process = world.warm().await;
    let mut fork = view.clone();
    for value in ["f2", "f3", "f4"] {
        fork = process
            .secrets()
            .update(rotate(&fork, value), &interrupt)
            .await
            .unwrap();
    }
    assert!(fork.generation > again.generation);
    rolled_back(&refreshed(&world, &again).await);

    // Edits raise the generation beyond the one seen, but the version stays behind.
    world.catalog.restore(backup);
    let process = world.warm().await;
    let mut fork = view;
    for description in ["a", "b", "c", "d"] {
        let mut update = edit(&fork);
        update.metadata.description = Some(description.to_owned());
        fork = process.secrets().update(update, &interrupt).await.unwrap();
    }
    assert!(fork.generation > again.generation);
    rolled_back(&refreshed(&world, &again).await);
}

#[tokio::test]
async fn a_lagging_node_is_not_a_rollback() {
    for update in [false, true] {
        let world = World::new();
        let view = created(&world, "db", "v1").await;
        world.catalog.serve_stale(&record_key_of_name(&view.name));
        let process = world.warm().await;
        let interrupt = Interrupt::default();
        let rotated = process
            .secrets()
            .update(rotate(&view, "v2"), &interrupt)
            .await
            .unwrap();
        if update {
            let late = world.warm().await;
            let updated = late
                .secrets()
                .update(rotate(&rotated, "v3"), &interrupt)
                .await;
            assert_eq!(number(&updated.unwrap()), Some(3));
        } else {
            let now = refreshed(&world, &rotated).await.unwrap();
            assert_eq!(now, Refreshed::Present(rotated));
        }
    }
}

#[tokio::test]
async fn an_import_has_seen_nothing_and_takes_what_is_there() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let request = RefreshSecret {
        seen: None,
        ..seen(&view)
    };
    let found = world.process().secrets().refresh(&request).await.unwrap();
    assert_eq!(found, Refreshed::Present(view));
}

#[tokio::test]
async fn a_record_that_went_back_to_another_uuid_is_no_end_either() {
    let world = World::new();
    let first = created(&world, "db", "first").await;
    let backup = world.catalog.snapshot();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    process
        .secrets()
        .delete(&any(&first.name, first.uuid), &interrupt)
        .await
        .unwrap();
    let second = created(&world, "db", "second").await;
    world.catalog.restore(backup);
    let refused = refreshed(&world, &second).await;
    let rolled_back = matches!(refused, Err(OperationError::RolledBack { .. }));
    assert!(rolled_back, "{refused:?}");
}
