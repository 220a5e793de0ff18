//! Exact number of requests of each use case, and exact number of those in a row.
//!
//! The clock is paused, and each request takes one tick. A use case then takes as many ticks
//! as it has requests in a row.

use std::future::Future;

use super::backends::{DONE, create, declare, declared, delete};
use super::*;
use crate::catalog::CatalogVerb;
use crate::operations::BackendView;
use crate::store::{InMemoryStore, StoreVerb, TICK};

/// The number of requests, and of those in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    requests: usize,
    in_a_row: u32,
}

const fn cost(requests: usize, in_a_row: u32) -> Cost {
    Cost { requests, in_a_row }
}

#[track_caller]
fn is(found: Cost, expected: Cost, what: &str) {
    assert_eq!(found, expected, "{what}");
}

/// A platform and the place of a backend, whose requests take time.
struct Timed {
    world: World,
    place: std::sync::Arc<InMemoryStore>,
    /// The requests of a put at that place.
    puts: u32,
}

impl Timed {
    /// Lets each request take time from now on.
    fn of(world: &World, puts: u32) -> Self {
        let place = world.connector.place("a");
        world.catalog.time();
        world.kek.time();
        world.store.time(1);
        place.time(puts);
        Self {
            world: world.clone(),
            place,
            puts,
        }
    }

    fn requests(&self) -> usize {
        let catalog = |verb| self.world.catalog.calls(verb);
        let store = |store: &InMemoryStore, puts| {
            let verbs = [StoreVerb::Get, StoreVerb::Describe, StoreVerb::Delete];
            let others: usize = verbs.map(|verb| store.calls(verb)).iter().sum();
            others + store.calls(StoreVerb::Put) * puts
        };
        let kek = |verb| self.world.kek.calls(verb);
        let counted = [
            CatalogVerb::Read,
            CatalogVerb::ReadSinceOwnWrites,
            CatalogVerb::Write,
            CatalogVerb::ForgetHistory,
            CatalogVerb::Remove,
            CatalogVerb::List,
        ];
        counted.map(catalog).iter().sum::<usize>()
            + 2 * catalog(CatalogVerb::ReadFenced)
            + store(&self.world.store, 1)
            + store(&self.place, self.puts as usize)
            + kek(KekVerb::Wrap)
            + kek(KekVerb::Unwrap)
            + kek(KekVerb::Provision)
    }

    /// Runs a use case and returns its result and its cost.
    async fn run<T>(&self, use_case: impl Future<Output = T>) -> (T, Cost) {
        let (before, begun) = (self.requests(), tokio::time::Instant::now());
        let result = use_case.await;
        let ticks = begun.elapsed().as_secs_f64() / TICK.as_secs_f64();
        let in_a_row = ticks.round() as u32;
        assert!((ticks - f64::from(in_a_row)).abs() < 0.1, "{ticks} ticks");
        (result, cost(self.requests() - before, in_a_row))
    }
}

/// The backends of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    BuiltIn,
    /// A registered backend, with the requests of a put under a new name.
    Registered(u32),
}

impl On {
    fn puts(self) -> u32 {
        match self {
            Self::BuiltIn => 1,
            Self::Registered(puts) => puts,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::BuiltIn => Some("platform"),
            Self::Registered(_) => Some("vault"),
        }
    }
}

/// A process that has used its organization and its backend before.
struct Warm {
    timed: Timed,
    process: Organization,
    on: On,
    backend: BackendView,
}

impl Warm {
    async fn on(on: On) -> Self {
        let world = World::new();
        let process = world.warm().await;
        let backend = declared(&process, "vault", "a").await;
        create(&process, "first", on.name()).await.unwrap();
        Self {
            timed: Timed::of(&world, on.puts()),
            process,
            on,
            backend,
        }
    }

    async fn create(&self, named: &str) -> (SecretView, Cost) {
        let created = create(&self.process, named, self.on.name());
        let (view, cost) = self.timed.run(created).await;
        (view.unwrap(), cost)
    }

    /// Waits for the work that follows a response.
    async fn settle(&self) -> Cost {
        let ((), cost) = self.timed.run(self.process.settle()).await;
        cost
    }

    async fn delete(&self, view: &SecretView) -> Cost {
        let (interrupt, delete) = (Interrupt::default(), own(view));
        let deleted = self.process.secrets().delete(&delete, &interrupt);
        let (deleted, cost) = self.timed.run(deleted).await;
        deleted.unwrap();
        cost
    }

    async fn update(&self, update: UpdateSecret) -> (SecretView, Cost) {
        let interrupt = Interrupt::default();
        let updated = self.process.secrets().update(update, &interrupt);
        let (view, cost) = self.timed.run(updated).await;
        (view.unwrap(), cost)
    }
}

#[tokio::test(start_paused = true)]
async fn creating_on_the_built_in_backend() {
    let warm = Warm::on(On::BuiltIn).await;
    // Record beside wrap, put, commit.
    let (view, new) = warm.create("db").await;
    is(new, cost(4, 3), "new");
    let interrupt = Interrupt::default();
    let generated = generate_of("generated", world::spec());
    let generated = warm.process.secrets().create(generated, &interrupt);
    let (generated, cost_of_generated) = warm.timed.run(generated).await;
    generated.unwrap();
    // Also reads the default backend.
    is(cost_of_generated, cost(5, 4), "generated");
    // Nothing depends on a tombstone that stands under the name.
    warm.delete(&view).await;
    warm.settle().await;
    let (_, again) = warm.create("db").await;
    is(again, cost(4, 3), "again");
}

#[tokio::test(start_paused = true)]
async fn creating_on_a_registered_backend() {
    for puts in [1, 2] {
        let warm = Warm::on(On::Registered(puts)).await;
        let (view, new) = warm.create("db").await;
        // Record beside entry and wrap, look at the backend, put, commit.
        is(new, cost(5 + puts as usize, 3 + puts), "new");
        warm.delete(&view).await;
        warm.settle().await;
        let (_, again) = warm.create("db").await;
        // A second entry and a second wrap follow the read, beside the removal of the first
        // entry.
        is(again, cost(8 + puts as usize, 4 + puts), "again");
    }
}

#[tokio::test(start_paused = true)]
async fn rotating() {
    for on in [On::BuiltIn, On::Registered(1)] {
        let warm = Warm::on(on).await;
        let (view, _) = warm.create("db").await;
        let (view, rotated) = warm.update(rotate(&view, "v2")).await;
        // Record beside wrap, put, commit.
        is(rotated, cost(4, 3), &format!("rotated {on:?}"));
        let mut pruning = rotate(&view, "v3");
        pruning.arguments.keep_versions = 2;
        let (view, pruned) = warm.update(pruning).await;
        is(pruned, cost(4, 3), &format!("pruned {on:?}"));
        is(warm.settle().await, cost(1, 1), &format!("prune {on:?}"));
        let mut pruning = rotate(&view, "v4");
        pruning.arguments.keep_versions = 1;
        let (view, pruned) = warm.update(pruning).await;
        // Several versions go before the response.
        is(pruned, cost(5, 4), &format!("pruned several {on:?}"));
        is(warm.settle().await, cost(0, 0), &format!("prune {on:?}"));
        let mut editing = edit(&view);
        editing.metadata.description = Some("new".to_owned());
        let (_, edited) = warm.update(editing).await;
        is(edited, cost(2, 2), &format!("edited {on:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn destroying() {
    // The history of the record, and the entry.
    for (on, after) in [(On::BuiltIn, cost(1, 1)), (On::Registered(1), cost(2, 1))] {
        let warm = Warm::on(on).await;
        let (view, _) = warm.create("db").await;
        // Record, mark, object, tombstone.
        is(
            warm.delete(&view).await,
            cost(4, 4),
            &format!("destroy {on:?}"),
        );
        is(
            warm.settle().await,
            after,
            &format!("after a destroy {on:?}"),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn refreshing() {
    for on in [On::BuiltIn, On::Registered(1)] {
        let warm = Warm::on(on).await;
        let (view, _) = warm.create("db").await;
        let request = seen(&view);
        let refreshed = warm.process.secrets().refresh(&request);
        let (refreshed, found) = warm.timed.run(refreshed).await;
        assert!(matches!(refreshed.unwrap(), Refreshed::Present(_)));
        is(found, cost(2, 2), &format!("found {on:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn registering_and_deleting_a_backend() {
    let warm = Warm::on(On::BuiltIn).await;
    let interrupt = Interrupt::default();
    let register = warm
        .process
        .backends()
        .register(declare("other", "a"), &interrupt);
    let (registered, cost_of_it) = warm.timed.run(register).await;
    registered.unwrap();
    is(cost_of_it, cost(10, 10), "register");
    let deletion = delete(&warm.process, &warm.backend);
    let (deleted, cost_of_it) = warm.timed.run(deletion).await;
    assert_eq!(deleted.unwrap(), DONE);
    is(cost_of_it, cost(14, 12), "delete");
}

/// The first secret of a process, and of an organization.
#[tokio::test(start_paused = true)]
async fn the_first_creation_of_a_process() {
    for (on, expected) in [(On::BuiltIn, cost(6, 5)), (On::Registered(1), cost(10, 7))] {
        let warm = Warm::on(on).await;
        let process = warm.timed.world.process();
        let created = create(&process, "db", on.name());
        let (created, cost_of_it) = warm.timed.run(created).await;
        created.unwrap();
        is(cost_of_it, expected, &format!("create {on:?}"));
    }
    let world = World::new();
    let timed = Timed::of(&world, 1);
    let process = world.process();
    let (created, cost_of_it) = timed.run(create(&process, "db", None)).await;
    created.unwrap();
    is(cost_of_it, cost(11, 10), "create with first use");
}
