//! Pauses a process at one of its calls to the catalog or the store.

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::catalog::CatalogVerb;
use crate::operations::tests::world::World;
use crate::store::StoreVerb;

const CATALOG: [CatalogVerb; 7] = [
    CatalogVerb::Read,
    CatalogVerb::ReadFenced,
    CatalogVerb::ReadSinceOwnWrites,
    CatalogVerb::Write,
    CatalogVerb::ForgetHistory,
    CatalogVerb::Remove,
    CatalogVerb::List,
];
const STORE: [StoreVerb; 5] = [
    StoreVerb::Put,
    StoreVerb::Get,
    StoreVerb::Describe,
    StoreVerb::Delete,
    StoreVerb::List,
];

/// The nth call of a kind by a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Catalog(CatalogVerb, usize),
    /// Of the registered backend's store.
    Store(StoreVerb, usize),
    /// Of the built-in backend's store.
    BuiltIn(StoreVerb, usize),
    /// After the last call.
    End,
}

/// Number of calls of each kind.
pub(super) struct Calls(Vec<usize>);

impl Calls {
    pub(super) fn of(world: &World) -> Self {
        let place = world.connector.place("a");
        let catalog = CATALOG.iter().map(|verb| world.catalog.calls(*verb));
        let store = STORE.iter().map(|verb| place.calls(*verb));
        let built_in = STORE.iter().map(|verb| world.store.calls(*verb));
        Self(catalog.chain(store).chain(built_in).collect())
    }

    /// Returns the steps of the process that made all calls since.
    pub(super) fn steps_since(&self, world: &World) -> Vec<Step> {
        let now = Self::of(world);
        let made = now.0.iter().zip(&self.0).map(|(now, before)| now - before);
        let mut steps = Vec::new();
        for (index, made) in made.enumerate() {
            steps.extend(
                (1..=made).map(|nth| match index.checked_sub(CATALOG.len()) {
                    None => Step::Catalog(CATALOG[index], nth),
                    Some(index) => match index.checked_sub(STORE.len()) {
                        None => Step::Store(STORE[index], nth),
                        Some(index) => Step::BuiltIn(STORE[index], nth),
                    },
                }),
            );
        }
        steps.push(Step::End);
        steps
    }
}

/// A process that is paused or finished.
pub(super) struct Running<T> {
    task: JoinHandle<T>,
    go: watch::Sender<bool>,
}

impl<T: Send + 'static> Running<T> {
    /// Runs a process up to a step, and pauses it there.
    pub(super) async fn up_to(world: &World, step: Step, process: BoxFuture<'static, T>) -> Self {
        let (go, mut goes) = watch::channel(false);
        let (stopped, mut is_stopped) = watch::channel(false);
        let (over, is_over) = watch::channel(false);
        let reached = stopped.clone();
        let hold = async move {
            // A process that ended without this call must not pause the other one.
            if !*is_over.borrow() {
                reached.send_replace(true);
                goes.wait_for(|goes| *goes).await.unwrap();
            }
        };
        match step {
            Step::Catalog(verb, nth) => world.catalog.before(verb, nth, hold),
            Step::Store(verb, nth) => world.connector.place("a").before(verb, nth, hold),
            Step::BuiltIn(verb, nth) => world.store.before(verb, nth, hold),
            Step::End => {}
        }
        let task = tokio::spawn(async move {
            let outcome = process.await;
            over.send_replace(true);
            stopped.send_replace(true);
            outcome
        });
        is_stopped.wait_for(|stopped| *stopped).await.unwrap();
        Self { task, go }
    }

    pub(super) async fn finished(self) -> T {
        self.go.send_replace(true);
        self.task.await.unwrap()
    }

    /// Ends the process where it is paused.
    pub(super) async fn killed(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
