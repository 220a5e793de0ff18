//! A read or a refresh races with a rotation that removes the requested version.

use super::*;
use crate::store::StoreVerb;

/// Runs `work` once, right before the store's next call of `verb`.
fn meanwhile<F>(world: &World, verb: StoreVerb, work: impl FnOnce(World) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    world.store.before(verb, 1, work(world.clone()));
}

/// Writes another version, and keeps only that one.
async fn rotated(world: &World, view: &SecretView, value: &str) -> SecretView {
    let mut update = rotate(view, value);
    update.arguments.keep_versions = 1;
    let process = world.warm().await;
    let updated = process
        .secrets()
        .update(update, &Interrupt::default())
        .await;
    process.settle().await;
    updated.unwrap()
}

async fn recreated(world: &World, view: &SecretView, value: &str) {
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    process
        .secrets()
        .delete(&own(view), &interrupt)
        .await
        .unwrap();
    created(world, "db", value).await;
}

#[tokio::test]
async fn a_read_that_meets_a_rotation_opens_the_version_that_is_current_by_then() {
    for by_name in [true, false] {
        let world = World::new();
        let view = created(&world, "db", "v1").await;
        let selector = match by_name {
            true => Selector::Name(view.name.clone()),
            false => Selector::Uuid(view.uuid),
        };
        meanwhile(&world, StoreVerb::Get, |world| async move {
            let view = rotated(&world, &view, "v2").await;
            rotated(&world, &view, "v3").await;
        });
        let process = world.process();
        let opened = process.secrets().open(&selector, None).await.unwrap();
        assert_eq!((opened.version, number(&opened.view)), (3, Some(3)));
        assert_eq!(world::exposed(&opened.value), "v3");
    }
}

#[tokio::test]
async fn a_read_of_a_version_that_a_rotation_removes_says_that_it_is_not_kept() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let selector = Selector::Uuid(view.uuid);
    meanwhile(&world, StoreVerb::Get, |world| async move {
        rotated(&world, &view, "v2").await;
    });
    let refused = world.process().secrets().open(&selector, Some(1)).await;
    assert!(
        matches!(
            refused,
            Err(OperationError::VersionNotFound { version: 1, .. })
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_read_by_name_that_meets_a_new_creation_opens_that_and_one_by_uuid_does_not() {
    for by_name in [true, false] {
        let world = World::new();
        let view = created(&world, "db", "v1").await;
        let selector = match by_name {
            true => Selector::Name(view.name.clone()),
            false => Selector::Uuid(view.uuid),
        };
        meanwhile(&world, StoreVerb::Get, |world| async move {
            recreated(&world, &view, "another").await;
        });
        let opened = world.process().secrets().open(&selector, None).await;
        match opened {
            Ok(opened) => assert!(by_name && world::exposed(&opened.value) == "another"),
            Err(OperationError::SecretNotFound { .. }) => assert!(!by_name),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_comparison_that_meets_a_rotation_compares_with_what_is_current_by_then() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let uuid = view.uuid;
    meanwhile(&world, StoreVerb::Get, |world| async move {
        rotated(&world, &view, "v2").await;
    });
    let same = world
        .process()
        .secrets()
        .is_current_value(uuid, &text("v2"))
        .await;
    assert!(same.unwrap());
}

#[tokio::test]
async fn a_refresh_that_meets_a_rotation_sees_no_lost_version() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let theirs = view.clone();
    meanwhile(&world, StoreVerb::Describe, |world| async move {
        rotated(&world, &theirs, "v2").await;
    });
    let found = refreshed(&world, &view).await.unwrap();
    assert!(
        matches!(&found, Refreshed::Present(now) if number(now) == Some(2)),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_refresh_that_meets_a_deletion_sees_the_end() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let theirs = view.clone();
    meanwhile(&world, StoreVerb::Describe, |world| async move {
        let process = world.warm().await;
        let interrupt = Interrupt::default();
        let delete = own(&theirs);
        let deleted = process.secrets().delete(&delete, &interrupt).await;
        deleted.unwrap();
    });
    let found = refreshed(&world, &view).await.unwrap();
    assert_eq!(found, Refreshed::Gone);
}

/// A version that is lost for good costs one more read of the record, and one read of the
/// store.
#[tokio::test]
async fn a_version_that_is_lost_is_read_once() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let object = world.store.objects().remove(0);
    let version = world.store.versions(&object).pop().unwrap();
    assert!(world.store.remove_version(&object, &version));
    let process = world.warm().await;
    let before = world.counts();
    let lost = process
        .secrets()
        .open(&Selector::Uuid(view.uuid), None)
        .await;
    assert!(
        matches!(lost, Err(OperationError::VersionLost { .. })),
        "{lost:?}"
    );
    let spent = world.counts() - before;
    assert_eq!((spent.get, spent.read, spent.fenced), (1, 1, 1));
}

#[tokio::test]
async fn a_reference_names_the_secret_and_its_environment() {
    let world = World::new();
    for (named, reference) in [("db", "$secret/db"), ("prod/db", "$secret/@prod/db")] {
        let view = created(&world, named, "v1").await;
        assert_eq!(view.reference, reference);
    }
}
