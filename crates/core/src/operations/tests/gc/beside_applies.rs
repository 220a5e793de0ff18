//! A collection beside each operation of an apply.
//!
//! One of the two processes runs up to a step and is held there, while the other runs from its
//! begin to its end. Then the first goes on, or is killed. A creation that is held between its
//! put and its commit while a collection runs is one of these schedules.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;
use crate::catalog::{CatalogStore as _, EntryKey, SecretDocument, SecretState};
use crate::operations::tests::stepping::{Calls, Running, Step};
use crate::store::{InMemoryStore, NativeVersionId};

/// What runs beside the collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    /// Creates a secret under a name that leftovers have.
    Creation,
    /// Writes a version.
    Rotation,
    /// Writes a version in the place of a missing object.
    Healing,
    Destroy,
    Rewrap,
    Collection,
}

/// Which process is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Collection,
    Other,
}

/// What becomes of an operation beside a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    /// It did nothing, says so, and is repeated.
    Refused,
    Killed,
}

type Outcome = Result<(), OperationError>;

/// The name of the built-in backend, or of a registered one.
type Place = &'static str;

fn store(world: &World, place: Place) -> std::sync::Arc<InMemoryStore> {
    match place {
        "platform" => std::sync::Arc::clone(&world.store),
        _ => world.connector.place("a"),
    }
}

fn registered(place: Place) -> Option<&'static str> {
    (place != "platform").then_some(place)
}

impl Beside {
    fn begin(self, world: &World, place: Place, view: &SecretView) -> BoxFuture<'static, Outcome> {
        let (process, view) = (world.process(), view.clone());
        async move {
            let interrupt = Interrupt::default();
            let secrets = process.secrets();
            let outcome = match self {
                Self::Creation => create(&process, "new", registered(place)).await.map(drop),
                Self::Rotation => {
                    let rotation = rotate(&view, "next");
                    secrets.update(rotation, &interrupt).await.map(drop)
                }
                Self::Healing => {
                    let healing = UpdateSecret {
                        heals: true,
                        ..rotate(&view, "next")
                    };
                    secrets.update(healing, &interrupt).await.map(drop)
                }
                Self::Destroy => {
                    let destroy = any(&view.name, view.uuid);
                    secrets.delete(&destroy, &interrupt).await.map(drop)
                }
                Self::Rewrap => {
                    let keys = process.keys();
                    let rewrapped = keys.rewrap(&slug(place), &|_| {}, &interrupt).await;
                    rewrapped.map(|done| assert!(done.failed.is_empty(), "{:?}", done.failed))
                }
                Self::Collection => collecting(&process, place).await,
            };
            process.settle().await;
            outcome
        }
        .boxed()
    }
}

/// Collects, and asserts that nothing failed.
async fn collecting(process: &Organization, place: Place) -> Outcome {
    let (interrupt, of) = (Interrupt::default(), slug(place));
    let keys = process.keys();
    let mut collection = Collection::default();
    let show = |_: &Collection| {};
    keys.collect(&of, DELETE, &mut collection, (&show, &interrupt))
        .await?;
    let is_failure = |one: &&Leftover| matches!(one.disposal, Disposal::Failed(_));
    let failed: Vec<_> = collection.leftovers.iter().filter(is_failure).collect();
    assert!(failed.is_empty(), "{failed:?}");
    Ok(())
}

/// A secret, a tombstone, and what killed creations and rotations left beside both.
async fn begun(beside: Beside, place: Place) -> (World, SecretView) {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(Some("one"), &[])).await;
    killed(&world, "db", registered(place)).await;
    killed(&world, "new", registered(place)).await;
    let interrupt = Interrupt::default();
    let old = create(&process, "new", registered(place)).await.unwrap();
    process
        .secrets()
        .delete(&own(&old), &interrupt)
        .await
        .unwrap();
    process.settle().await;
    let view = create(&process, "db", registered(place)).await.unwrap();
    match beside {
        Beside::Healing => {
            let object = world.document(&view.name).await.current.unwrap();
            store(&world, place).remove_object(&object.remote_name);
        }
        Beside::Rewrap => {
            world.kek_connector.key("one").rotate();
            world.kek.rotate();
        }
        _ => {}
    }
    (world, view)
}

/// Returns the steps of a process that runs alone.
async fn steps_of(
    beside: Beside,
    place: Place,
    run: impl AsyncFn(&World, &SecretView),
) -> Vec<Step> {
    let (world, view) = begun(beside, place).await;
    let before = Calls::of(&world);
    run(&world, &view).await;
    before.steps_since(&world)
}

/// Asserts that what was acknowledged is there, and that a further collection leaves nothing
/// but what the records name.
async fn holds(world: &World, beside: Beside, place: Place, ended: Ended, what: &str) {
    let value = world.value("db").await;
    match (beside, ended) {
        (Beside::Rotation | Beside::Healing, Ended::Done) => {
            assert_eq!(value.unwrap(), "next", "{what}");
        }
        (Beside::Destroy, Ended::Done) => assert!(value.is_err(), "{what}: {value:?}"),
        (Beside::Rotation, Ended::Killed) => drop(value.unwrap()),
        (Beside::Healing | Beside::Destroy, _) => {}
        (_, _) => assert_eq!(value.unwrap(), "hunter2", "{what}"),
    }
    if (beside, ended) == (Beside::Creation, Ended::Done) {
        assert_eq!(world.value("new").await.unwrap(), "hunter2", "{what}");
    }
    collecting(&world.process(), place).await.unwrap();
    let (mut named, mut entries) = (Vec::new(), Vec::new());
    for document in [
        world.document(&name("db")).await,
        world.document(&name("new")).await,
    ] {
        name_all(&document, &mut named, &mut entries);
    }
    let there = store(world, place);
    if beside == Beside::Healing && ended != Ended::Done {
        // The object was missing before.
        let objects = there.objects();
        named.retain(|(object, _)| objects.contains(object));
    }
    let mut stored = stored(&there);
    let in_order = |one: &(RemoteName, NativeVersionId)| format!("{one:?}");
    named.sort_by_key(in_order);
    stored.sort_by_key(in_order);
    let puts_a_version = matches!(beside, Beside::Rotation | Beside::Rewrap);
    if registered(place).is_some() && puts_a_version && ended == Ended::Killed {
        // Entries lead to objects. A version that a killed process added to an object that a
        // record names stays as long as the object.
        let of_object = |one: &(RemoteName, _)| named.iter().any(|(object, _)| *object == one.0);
        assert!(stored.iter().all(of_object), "{what}: {stored:?}");
        stored.retain(|one| named.contains(one));
    }
    assert_eq!(stored, named, "{what}");
    let listed = world.catalog.list("entries").await.unwrap();
    let mut listed: Vec<_> = listed.iter().filter_map(EntryKey::parse).collect();
    listed.sort();
    entries.sort();
    assert_eq!(listed, entries, "{what}");
}

fn name_all(
    document: &SecretDocument,
    named: &mut Vec<(RemoteName, NativeVersionId)>,
    entries: &mut Vec<EntryKey>,
) {
    for secret in document.current.iter().chain(&document.displaced) {
        let is_ready = secret.state == SecretState::Ready;
        let versions = secret.versions.iter().filter(|_| is_ready);
        named.extend(versions.map(|one| (secret.remote_name.clone(), one.native_id.clone())));
        let of_registered = secret.entries().into_iter();
        entries.extend(of_registered);
    }
}

/// Returns the versions of all secrets in a store.
fn stored(store: &InMemoryStore) -> Vec<(RemoteName, NativeVersionId)> {
    let mut stored = Vec::new();
    for object in store.objects() {
        if !object.as_str().contains("/backend/") {
            let versions = store.versions(&object).into_iter();
            stored.extend(versions.map(|version| (object.clone(), version)));
        }
    }
    stored
}

/// Holds one of the two at `step`, and kills it there or lets it go on.
async fn scheduled(beside: Beside, place: Place, held: Held, step: Step, kills: bool) -> Ended {
    let what = format!("{place}: {beside:?}, {held:?} held at {step:?}, killed: {kills}");
    let (world, view) = begun(beside, place).await;
    let collecting = Beside::Collection.begin(&world, place, &view);
    let other = beside.begin(&world, place, &view);
    let (waits, runs) = match held {
        Held::Collection => (collecting, other),
        Held::Other => (other, collecting),
    };
    let waits = Running::up_to(&world, step, waits).await;
    let ran = runs.await;
    let waited = match kills {
        true => {
            waits.killed().await;
            None
        }
        false => Some(waits.finished().await),
    };
    let (collected, other) = match held {
        Held::Collection => (waited, Some(ran)),
        Held::Other => (Some(ran), waited),
    };
    if let Some(Err(error)) = collected {
        panic!("{what}: {error:?}");
    }
    let ended = match other {
        Some(Ok(())) => Ended::Done,
        Some(Err(OperationError::ChangedConcurrently { .. }))
            if matches!(beside, Beside::Rotation | Beside::Healing) =>
        {
            Ended::Refused
        }
        Some(Err(error)) => panic!("{what}: {error:?}"),
        None => {
            if matches!(beside, Beside::Destroy | Beside::Rewrap) {
                beside.begin(&world, place, &view).await.unwrap();
            }
            Ended::Killed
        }
    };
    holds(&world, beside, place, ended, &what).await;
    ended
}

async fn beside(beside: Beside) {
    for place in ["platform", "vault"] {
        let of_collection = steps_of(beside, place, async |world, _| {
            collecting(&world.process(), place).await.unwrap();
        });
        let of_other = steps_of(beside, place, async |world, view| {
            beside.begin(world, place, view).await.unwrap();
        });
        let (of_collection, of_other) = (of_collection.await, of_other.await);
        let mut ended = Vec::new();
        for (held, steps) in [(Held::Collection, of_collection), (Held::Other, of_other)] {
            for step in steps {
                for kills in [false, true] {
                    ended.push(scheduled(beside, place, held, step, kills).await);
                }
            }
        }
        // Otherwise the steps would not meet.
        let done = ended.iter().filter(|ended| **ended == Ended::Done);
        assert!(done.count() > ended.len() / 4, "{ended:?}");
    }
}

#[tokio::test]
async fn a_collection_beside_a_creation_held_at_every_step() {
    beside(Beside::Creation).await;
}

#[tokio::test]
async fn a_collection_beside_a_rotation_held_at_every_step() {
    beside(Beside::Rotation).await;
}

#[tokio::test]
async fn a_collection_beside_a_healing_held_at_every_step() {
    beside(Beside::Healing).await;
}

#[tokio::test]
async fn a_collection_beside_a_destroy_held_at_every_step() {
    beside(Beside::Destroy).await;
}

#[tokio::test]
async fn a_collection_beside_a_rewrap_held_at_every_step() {
    beside(Beside::Rewrap).await;
}

#[tokio::test]
async fn two_collections_held_at_every_step() {
    beside(Beside::Collection).await;
}
