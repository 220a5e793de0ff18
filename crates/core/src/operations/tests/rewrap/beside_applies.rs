//! A rewrap beside each operation of an apply on the same secret, at every pair of their
//! steps.
//!
//! The first process runs up to a step and is paused there. The second process runs up to a
//! step, or to its end. Then the first runs to its end, and after it the second.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;
use crate::catalog::{CatalogStore as _, EntryKey, SecretDocument};
use crate::operations::tests::stepping::{Calls, Running, Step};
use crate::store::{NativeVersionId, RemoteName};

/// What an apply does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Apply {
    /// Creates a secret while the existing ones are rewrapped.
    Creation,
    /// Writes a version of the secret that is rewrapped.
    Rotation,
    /// Writes a version, which removes the oldest one.
    Pruning,
    /// Destroys the secret that is rewrapped.
    Destroy,
    /// Rewraps as well.
    Rewrap,
}

/// Which process runs first.
#[derive(Clone, Copy, Debug)]
enum First {
    Rewrap,
    Apply,
}

type Outcome = Result<(), OperationError>;

impl Apply {
    fn begin(self, world: &World, view: &SecretView) -> BoxFuture<'static, Outcome> {
        let (process, view) = (world.process(), view.clone());
        async move {
            let interrupt = Interrupt::default();
            match self {
                Self::Creation => create(&process, "new", Some("vault")).await.map(drop),
                Self::Rotation => {
                    let rotation = rotate(&view, "third");
                    process
                        .secrets()
                        .update(rotation, &interrupt)
                        .await
                        .map(drop)
                }
                Self::Pruning => {
                    let mut rotation = rotate(&view, "third");
                    rotation.arguments.keep_versions = 2;
                    process
                        .secrets()
                        .update(rotation, &interrupt)
                        .await
                        .map(drop)
                }
                Self::Destroy => {
                    let destroy = any(&view.name, view.uuid);
                    process
                        .secrets()
                        .delete(&destroy, &interrupt)
                        .await
                        .map(drop)
                }
                Self::Rewrap => rewrapping(process).await,
            }
        }
        .boxed()
    }
}

/// Rewraps, and asserts that nothing failed.
async fn rewrapping(process: Organization) -> Outcome {
    let progress = rewrap(&process).await?;
    assert!(progress.failed.is_empty(), "{:?}", progress.failed);
    Ok(())
}

/// A backend whose key was rotated, with a secret of two versions.
async fn begun() -> (World, SecretView) {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(Some("one"), &[])).await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let interrupt = Interrupt::default();
    let rotated = rotate(&view, "next");
    let view = process.secrets().update(rotated, &interrupt).await.unwrap();
    world.kek_connector.key("one").rotate();
    (world, view)
}

/// Returns the steps of a process that runs alone.
async fn steps_of(run: impl AsyncFn(&World, &SecretView)) -> Vec<Step> {
    let (world, view) = begun().await;
    let before = Calls::of(&world);
    run(&world, &view).await;
    before.steps_since(&world)
}

/// Returns the documents of the two names.
async fn documents(world: &World) -> [SecretDocument; 2] {
    [
        world.document(&name("db")).await,
        world.document(&name("new")).await,
    ]
}

/// Asserts that each version that a record names is there and opens. Returns the objects of
/// these versions.
async fn every_version_opens(world: &World, what: &str) -> Vec<(RemoteName, NativeVersionId)> {
    let mut named = Vec::new();
    let process = world.process();
    for document in documents(world).await {
        for secret in document.current.iter().chain(&document.displaced) {
            for version in &secret.versions {
                let selector = Selector::Uuid(secret.uuid);
                let opened = process
                    .secrets()
                    .open(&selector, Some(version.number))
                    .await;
                assert!(opened.is_ok(), "{what}: {}: {opened:?}", version.number);
                named.push((secret.remote_name.clone(), version.native_id.clone()));
            }
        }
    }
    named
}

async fn holds(world: &World, apply: Apply, done: &Outcome, what: &str) {
    let value = world.value("db").await;
    match (apply, done) {
        (Apply::Rotation | Apply::Pruning, Ok(())) => assert_eq!(value.unwrap(), "third", "{what}"),
        (Apply::Destroy, Ok(())) => assert!(value.is_err(), "{what}: {value:?}"),
        (_, _) => assert_eq!(value.unwrap(), "next", "{what}"),
    }
    if (apply, done.is_ok()) == (Apply::Creation, true) {
        assert_eq!(world.value("new").await.unwrap(), "hunter2", "{what}");
    }
    // The next rewrap reads each version, and does what is left. Then no object is there that
    // no record names.
    rewrapping(world.process()).await.unwrap();
    let mut named = every_version_opens(world, what).await;
    let place = world.connector.place("a");
    let mut there: Vec<_> = place
        .objects()
        .into_iter()
        .filter(|object| !object.as_str().contains("/backend/"))
        .flat_map(|object| {
            let versions = place.versions(&object).into_iter();
            versions.map(move |version| (object.clone(), version))
        })
        .collect();
    let in_order = |one: &(RemoteName, NativeVersionId)| format!("{one:?}");
    named.sort_by_key(in_order);
    there.sort_by_key(in_order);
    assert_eq!(there, named, "{what}");
    let entries = world.catalog.list("entries").await.unwrap();
    let mut entries: Vec<_> = entries.iter().filter_map(EntryKey::parse).collect();
    let documents = documents(world).await;
    let secrets = documents.iter().flat_map(|document| &document.current);
    let mut expected: Vec<_> = secrets.flat_map(|secret| secret.entries()).collect();
    entries.sort();
    expected.sort();
    assert_eq!(entries, expected, "{what}");
}

async fn beside(apply: Apply, orders: &[First]) {
    let of_rewrap = steps_of(async |world, _| drop(rewrap(&world.process()).await.unwrap())).await;
    let of_apply = steps_of(async |world, view| apply.begin(world, view).await.unwrap()).await;
    let (mut done, mut refused) = (0, 0);
    for first in orders {
        for at in &of_rewrap {
            for until in &of_apply {
                let what = format!("{apply:?} at {until:?}, rewrap at {at:?}, first {first:?}");
                let (world, view) = begun().await;
                let rewrapping = rewrapping(world.process()).boxed();
                let applying = apply.begin(&world, &view);
                let (rewrapped, applied) = match first {
                    First::Rewrap => {
                        let rewrapping = Running::up_to(&world, *at, rewrapping).await;
                        let applying = Running::up_to(&world, *until, applying).await;
                        let rewrapped = rewrapping.finished().await;
                        (rewrapped, applying.finished().await)
                    }
                    First::Apply => {
                        let applying = Running::up_to(&world, *until, applying).await;
                        let rewrapping = Running::up_to(&world, *at, rewrapping).await;
                        let applied = applying.finished().await;
                        (rewrapping.finished().await, applied)
                    }
                };
                rewrapped.unwrap_or_else(|error| panic!("{what}: {error:?}"));
                match &applied {
                    Ok(()) => done += 1,
                    // It did nothing, says so, and is repeated.
                    Err(OperationError::ChangedConcurrently { .. }) => refused += 1,
                    Err(error) => panic!("{what}: {error:?}"),
                }
                holds(&world, apply, &applied, &what).await;
            }
        }
    }
    // Otherwise the steps would not meet.
    assert!(done > 50 && 2 * done > refused, "{done} {refused}");
}

#[tokio::test]
async fn a_rewrap_beside_a_creation_at_every_pair_of_steps() {
    beside(Apply::Creation, &[First::Rewrap]).await;
}

#[tokio::test]
async fn a_rewrap_beside_a_rotation_at_every_pair_of_steps() {
    beside(Apply::Rotation, &[First::Rewrap, First::Apply]).await;
}

#[tokio::test]
async fn a_rewrap_beside_a_rotation_that_prunes_at_every_pair_of_steps() {
    beside(Apply::Pruning, &[First::Rewrap]).await;
}

#[tokio::test]
async fn a_rewrap_beside_a_destroy_at_every_pair_of_steps() {
    beside(Apply::Destroy, &[First::Rewrap, First::Apply]).await;
}

#[tokio::test]
async fn two_rewraps_at_every_pair_of_steps() {
    beside(Apply::Rewrap, &[First::Rewrap]).await;
}
