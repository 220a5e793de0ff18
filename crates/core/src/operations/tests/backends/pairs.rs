//! Deletes a backend beside each operation that puts an object on it, at every pair of their
//! steps. A creation runs in both orders.
//!
//! The first process runs up to a step and is paused there. The second process runs up to a
//! step, or to its end. Then the first runs to its end, and after it the second.
//!
//! The steps are the calls that each process makes when it runs alone.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::deletion::{interrupted, with_short_waits};
use super::{DONE, create, declared, letting_go, slug};
use crate::catalog::{CatalogStore as _, EntryKey, SecretState};
use crate::operations::tests::stepping::{Calls, Running, Step};
use crate::operations::tests::world::{World, any, create_of, edit, given, name};
use crate::operations::{
    BackendView, CreateSecret, Interrupt, OperationError, Organization, SecretView, UpdateSecret,
};

/// Returns whether the backend was deleted.
fn deletion(world: &World, backend: &BackendView) -> BoxFuture<'static, bool> {
    let (process, request) = (with_short_waits(world), letting_go(backend));
    async move {
        match process
            .backends()
            .delete(request, &Interrupt::default())
            .await
        {
            Ok(deleted) => {
                assert_eq!(deleted, DONE);
                true
            }
            Err(
                OperationError::BackendInUse { .. }
                | OperationError::BackendChangedConcurrently { .. },
            ) => false,
            Err(error) => panic!("{error:?}"),
        }
    }
    .boxed()
}

type Outcome = Result<SecretView, OperationError>;

/// An operation that puts an object on the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Maker {
    /// Creation of a name that was never used.
    Creation,
    /// Creation of a name that was deleted.
    Again,
    /// Creation that displaces a namesake on another backend.
    TakingOver,
    /// New version of a secret whose object was removed.
    Heal,
}

impl Maker {
    /// Prepares the world for the operation, and returns the operation.
    async fn prepare(self, world: &World, process: &Organization) -> Make {
        match self {
            Self::Creation => Make::Create(on_vault("db", "new")),
            Self::Again => {
                let old = create(process, "db", None).await.unwrap();
                let interrupt = Interrupt::default();
                let gone = any(&old.name, old.uuid);
                process.secrets().delete(&gone, &interrupt).await.unwrap();
                Make::Create(on_vault("db", "new"))
            }
            Self::TakingOver => {
                let old = create(process, "db", None).await.unwrap();
                Make::Create(CreateSecret {
                    replaces: vec![crate::operations::Replaces::Named(old.uuid)],
                    ..on_vault("db", "new")
                })
            }
            Self::Heal => {
                let place = world.connector.place("a");
                let marker = place.objects();
                let view = create(process, "db", Some("vault")).await.unwrap();
                let mut objects = place.objects();
                objects.retain(|object| !marker.contains(object));
                assert!(place.remove_object(&objects[0]));
                Make::Update(UpdateSecret {
                    heals: true,
                    source: Some(given("new")),
                    ..edit(&view)
                })
            }
        }
    }
}

enum Make {
    Create(CreateSecret),
    Update(UpdateSecret),
}

impl Make {
    fn run(self, process: Organization) -> BoxFuture<'static, Outcome> {
        async move {
            let interrupt = Interrupt::default();
            match self {
                Self::Create(request) => process.secrets().create(request, &interrupt).await,
                Self::Update(request) => process.secrets().update(request, &interrupt).await,
            }
        }
        .boxed()
    }
}

fn on_vault(named: &str, value: &str) -> CreateSecret {
    CreateSecret {
        backend: Some(slug("vault")),
        ..create_of(named, given(value))
    }
}

/// Returns a world with the backend, the object of an interrupted creation, and everything
/// that the operation requires.
async fn begun(maker: Maker) -> (World, BackendView, Make) {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    interrupted(&world, "other").await;
    let make = maker.prepare(&world, &process).await;
    (world, vault, make)
}

/// Returns the steps of the maker and of the deletion.
async fn steps(maker: Maker) -> (Vec<Step>, Vec<Step>) {
    let (world, _, make) = begun(maker).await;
    let before = Calls::of(&world);
    make.run(world.process()).await.unwrap();
    let of_maker = before.steps_since(&world);
    let (world, vault, _) = begun(Maker::Creation).await;
    let before = Calls::of(&world);
    assert!(deletion(&world, &vault).await);
    (of_maker, before.steps_since(&world))
}

/// The process that runs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Maker,
    Deletion,
}

/// Number of each outcome.
#[derive(Debug, Default)]
struct Tally {
    made: usize,
    refused: usize,
    deleted: usize,
}

impl Tally {
    fn count(&mut self, made: &Outcome, is_gone: bool) {
        self.made += usize::from(made.is_ok());
        self.refused += usize::from(made.is_err());
        self.deleted += usize::from(is_gone);
    }
}

async fn every_pair(maker: Maker, orders: &[First]) -> Tally {
    let (of_maker, of_deletion) = steps(maker).await;
    let mut tally = Tally::default();
    for first in orders {
        for at in &of_maker {
            for until in &of_deletion {
                let what = format!("{maker:?} at {at:?}, deletion at {until:?}, first {first:?}");
                let (world, vault, make) = begun(maker).await;
                let making = make.run(world.process());
                let deleting = deletion(&world, &vault);
                let (made, is_gone) = match first {
                    First::Maker => {
                        let making = Running::up_to(&world, *at, making).await;
                        let deleting = Running::up_to(&world, *until, deleting).await;
                        let made = making.finished().await;
                        (made, deleting.finished().await)
                    }
                    First::Deletion => {
                        let deleting = Running::up_to(&world, *until, deleting).await;
                        let making = Running::up_to(&world, *at, making).await;
                        let is_gone = deleting.finished().await;
                        (making.finished().await, is_gone)
                    }
                };
                tally.count(&made, is_gone);
                holds(&world, &vault, &[made], is_gone, &what).await;
                if maker == Maker::TakingOver {
                    keeps_the_displaced(&world, &what).await;
                }
            }
        }
    }
    println!("{maker:?}: {tally:?}");
    tally
}

/// Asserts that no acknowledged secret is lost or is on a deleted backend. Also asserts that
/// nothing remains that no document names.
async fn holds(world: &World, vault: &BackendView, made: &[Outcome], is_gone: bool, what: &str) {
    let document = world.document(&name("db")).await;
    let secrets: Vec<_> = document.current.iter().chain(&document.displaced).collect();
    for outcome in made {
        match outcome {
            Ok(view) => {
                let secret = secrets.iter().find(|secret| secret.uuid == view.uuid);
                let secret = secret.unwrap_or_else(|| panic!("{what}: lost: {document:?}"));
                assert_eq!(secret.state, SecretState::Ready, "{what}");
            }
            Err(
                OperationError::AlreadyExists { .. }
                | OperationError::ChangedConcurrently { .. }
                | OperationError::UnknownBackend { .. }
                | OperationError::BackendDeleting { .. },
            ) => {}
            // It read the backend's record before the deletion, and looks for the marker
            // afterwards.
            Err(OperationError::BackendNotThere { .. }) if is_gone => {}
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
    if made.iter().any(Result::is_ok) {
        let value = world.value("db").await;
        let value = value.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert!(["new", "theirs"].contains(&value.as_str()), "{what}");
    }
    let on_vault: Vec<_> = secrets
        .iter()
        .filter(|it| it.backend == vault.uuid)
        .collect();
    assert!(!is_gone || on_vault.is_empty(), "{what}: {document:?}");

    let place = world.connector.place("a");
    let mut expected: Vec<String> = Vec::new();
    if !is_gone {
        let marker = place.objects().into_iter().map(|object| object.to_string());
        let mut marker = marker.filter(|object| object.contains("/backend/"));
        expected.push(marker.next().unwrap_or_else(|| panic!("{what}: no marker")));
        let seen = world.process().backends().find(&vault.name).await.unwrap();
        assert!(!seen.is_deleting, "{what}: the mark stays");
    }
    expected.extend(on_vault.iter().map(|it| it.remote_name.to_string()));
    let mut entries: Vec<EntryKey> = on_vault.iter().flat_map(|it| it.entries()).collect();
    let listed = world.catalog.list("entries").await.unwrap();
    let mut listed: Vec<EntryKey> = listed.iter().filter_map(EntryKey::parse).collect();
    let mut left: Vec<String> = place.objects().iter().map(ToString::to_string).collect();
    if !is_gone {
        // The object of the earlier interrupted creation may be cleaned up, while its entry
        // stays.
        left.retain(|object| !object.contains("/other-"));
        listed.retain(|entry| entries.contains(entry) || !is_of_other(entry));
    }
    expected.sort();
    left.sort();
    entries.sort();
    listed.sort();
    assert_eq!(left, expected, "{what}");
    assert_eq!(listed, entries, "{what}");
}

fn is_of_other(entry: &EntryKey) -> bool {
    let key = crate::catalog::record_key_of_uuid(entry.secret);
    key == Some(crate::catalog::record_key_of_name(&name("other")))
}

/// Asserts that a displaced secret stays, whatever happens to the one that displaced it.
async fn keeps_the_displaced(world: &World, what: &str) {
    let document = world.document(&name("db")).await;
    let mut secrets = document.current.iter().chain(&document.displaced);
    let old = secrets.find(|secret| secret.backend_name.as_str() == "platform");
    assert!(
        old.is_some_and(|old| old.state == SecretState::Ready),
        "{what}"
    );
}

#[tokio::test]
async fn a_creation_beside_a_deletion_at_every_pair_of_steps() {
    let tally = every_pair(Maker::Creation, &[First::Maker, First::Deletion]).await;
    assert!(
        tally.made > 20 && tally.refused > 20 && tally.deleted > 20,
        "{tally:?}"
    );
}

#[tokio::test]
async fn a_creation_over_a_tombstone_beside_a_deletion_at_every_pair_of_steps() {
    let tally = every_pair(Maker::Again, &[First::Maker]).await;
    assert!(
        tally.made > 20 && tally.refused > 20 && tally.deleted > 20,
        "{tally:?}"
    );
}

#[tokio::test]
async fn a_creation_that_takes_over_beside_a_deletion_at_every_pair_of_steps() {
    let tally = every_pair(Maker::TakingOver, &[First::Maker]).await;
    assert!(
        tally.made > 20 && tally.refused > 20 && tally.deleted > 20,
        "{tally:?}"
    );
}

#[tokio::test]
async fn a_heal_beside_a_deletion_at_every_pair_of_steps() {
    let tally = every_pair(Maker::Heal, &[First::Maker]).await;
    // The record of the secret keeps the backend before the mark.
    assert_eq!((tally.refused, tally.deleted), (0, 0), "{tally:?}");
    assert!(tally.made > 20, "{tally:?}");
}

/// One creation is paused, the deletion is paused, and a second creation of the name runs to
/// its end. It runs on the same backend, and on another one. Then the first creation
/// continues, and after it the deletion.
#[tokio::test]
async fn two_creations_of_a_name_beside_a_deletion_at_every_pair_of_steps() {
    let (of_maker, of_deletion) = steps(Maker::Creation).await;
    let (mut tally, mut theirs_won) = (Tally::default(), 0);
    for elsewhere in [true, false] {
        for at in &of_maker {
            for until in &of_deletion {
                let what = format!("creation at {at:?}, deletion at {until:?}, {elsewhere}");
                let (world, vault, make) = begun(Maker::Creation).await;
                let making = make.run(world.process());
                let making = Running::up_to(&world, *at, making).await;
                let deleting = deletion(&world, &vault);
                let deleting = Running::up_to(&world, *until, deleting).await;
                let theirs = if elsewhere {
                    create_of("db", given("theirs"))
                } else {
                    on_vault("db", "theirs")
                };
                let theirs = Make::Create(theirs).run(world.process()).await;
                let ours = making.finished().await;
                let is_gone = deleting.finished().await;
                assert!(ours.is_err() || theirs.is_err(), "{what}");
                theirs_won += usize::from(theirs.is_ok());
                tally.count(&ours, is_gone);
                holds(&world, &vault, &[ours, theirs], is_gone, &what).await;
            }
        }
    }
    println!("{tally:?}, theirs won {theirs_won}");
    assert!(
        tally.made > 5 && theirs_won > 20 && tally.deleted > 20,
        "{tally:?}"
    );
}
