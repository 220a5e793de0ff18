//! Use cases are interrupted between their steps, never inside a commit.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::catalog::CatalogVerb;
use crate::store::StoreVerb;

/// The call during which the use case is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum During {
    Nothing,
    Catalog(CatalogVerb, usize),
    Store(StoreVerb),
    Wrap,
}

impl During {
    fn stop(self, world: &World, interruption: &Interruption) {
        let (token, deadline) = (interruption.token.clone(), interruption.deadline);
        let stop = async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => token.cancel(),
            }
        };
        match self {
            Self::Nothing => interruption.token.cancel(),
            Self::Catalog(verb, nth) => world.catalog.before(verb, nth, stop),
            Self::Store(verb) => world.store.before(verb, 1, stop),
            Self::Wrap => world.kek.cancel_on_wrap(&interruption.token),
        }
    }
}

struct Interruption {
    token: CancellationToken,
    deadline: Option<Instant>,
    interrupt: Interrupt,
}

impl Interruption {
    fn cancellation() -> Self {
        let (interrupt, token) = cancellable();
        Self {
            token,
            deadline: None,
            interrupt,
        }
    }

    fn deadline() -> Self {
        let token = CancellationToken::new();
        // Late enough for everything before the step, even on a busy machine.
        let deadline = Some(Instant::now() + Duration::from_millis(500));
        Self {
            interrupt: Interrupt::new(token.clone(), deadline),
            token,
            deadline,
        }
    }
}

/// Runs `step` with each kind of interruption.
async fn with_each<F: Future<Output = ()>>(
    durings: &[During],
    mut step: impl FnMut(During, Interruption) -> F,
) {
    for during in durings {
        step(*during, Interruption::cancellation()).await;
        if matches!(during, During::Catalog(..) | During::Store(_)) {
            step(*during, Interruption::deadline()).await;
        }
    }
}

fn assert_interrupted<T: std::fmt::Debug>(
    result: &Result<T, OperationError>,
    during: During,
    by_deadline: bool,
) {
    let interrupted = matches!(
        result,
        Err(OperationError::Interrupted { timed_out, .. }) if *timed_out == by_deadline
    );
    assert!(interrupted, "{during:?}: {result:?}");
}

#[tokio::test]
async fn create_stops_between_its_steps_and_the_next_one_converges() {
    let durings = [
        During::Nothing,
        During::Catalog(CatalogVerb::Read, 1),
        During::Wrap,
    ];
    with_each(&durings, async |during, interruption| {
        let world = World::new();
        let process = world.warm().await;
        during.stop(&world, &interruption);
        let create = || create_of("db", given("x"));
        let stopped = process
            .secrets()
            .create(create(), &interruption.interrupt)
            .await;
        assert_interrupted(&stopped, during, interruption.deadline.is_some());
        assert!(world.store.objects().is_empty(), "{during:?}");
        assert!(
            world.document(&name("db")).await.is_tombstone(),
            "{during:?}: an intent stays"
        );
        created(&world, "db", "x").await;
        assert_eq!(world.value("db").await.unwrap(), "x");
        assert_eq!(world.unreferenced(&["db"]).await, 0, "{during:?}");
    })
    .await;
}

#[tokio::test]
async fn nothing_stops_between_a_put_and_its_commit() {
    let durings = [
        During::Store(StoreVerb::Put),
        During::Catalog(CatalogVerb::Write, 2),
    ];
    with_each(&durings, async |during, interruption| {
        let world = World::new();
        let process = world.warm().await;
        during.stop(&world, &interruption);
        let create = create_of("db", given("x"));
        let view = process
            .secrets()
            .create(create, &interruption.interrupt)
            .await;
        let view = view.unwrap_or_else(|error| panic!("{during:?}: {error:?}"));

        let (interrupt, token) = cancellable();
        world
            .store
            .before(StoreVerb::Put, 1, async move { token.cancel() });
        let updated = process
            .secrets()
            .update(rotate(&view, "y"), &interrupt)
            .await;
        assert_eq!(number(&updated.unwrap()), Some(2), "{during:?}");
        assert_eq!(world.unreferenced(&["db"]).await, 0, "{during:?}");
    })
    .await;
}

#[tokio::test]
async fn update_stops_between_its_steps_and_changes_nothing() {
    let durings = [
        During::Nothing,
        During::Catalog(CatalogVerb::Read, 1),
        During::Wrap,
    ];
    with_each(&durings, async |during, interruption| {
        let world = World::new();
        let view = created(&world, "db", "x").await;
        let process = world.warm().await;
        during.stop(&world, &interruption);
        let stopped = process
            .secrets()
            .update(rotate(&view, "y"), &interruption.interrupt)
            .await;
        assert_interrupted(&stopped, during, interruption.deadline.is_some());
        assert_eq!(
            refreshed(&world, &view).await.unwrap(),
            Refreshed::Present(view.clone())
        );
        assert_eq!(world.unreferenced(&["db"]).await, 0, "{during:?}");

        if during != During::Wrap {
            let mut update = edit(&view);
            update.metadata.description = Some("new".to_owned());
            let stopped = process
                .secrets()
                .update(update, &interruption.interrupt)
                .await;
            assert_interrupted(&stopped, during, interruption.deadline.is_some());
        }
        let next = world
            .process()
            .secrets()
            .update(rotate(&view, "y"), &Interrupt::default())
            .await;
        assert_eq!(number(&next.unwrap()), Some(2), "{during:?}");
    })
    .await;
}

#[tokio::test]
async fn delete_stops_between_its_steps_and_the_next_one_finishes() {
    let durings = [
        During::Nothing,
        During::Catalog(CatalogVerb::Read, 1),
        During::Catalog(CatalogVerb::Write, 1),
        During::Store(StoreVerb::Delete),
    ];
    with_each(&durings, async |during, interruption| {
        let world = World::new();
        let view = created(&world, "db", "x").await;
        let process = world.warm().await;
        during.stop(&world, &interruption);
        let stopped = process
            .secrets()
            .delete(&any(&view.name, view.uuid), &interruption.interrupt)
            .await;
        assert_interrupted(&stopped, during, interruption.deadline.is_some());
        let begun = !matches!(
            during,
            During::Nothing | During::Catalog(CatalogVerb::Read, _)
        );
        match refreshed(&world, &view).await.unwrap() {
            Refreshed::Present(now) => assert!(!begun && now == view, "{during:?}"),
            Refreshed::Deleting(now) => assert!(begun && now.uuid == view.uuid, "{during:?}"),
            other => panic!("{during:?}: {other:?}"),
        }
        let process = world.process();
        process
            .secrets()
            .delete(&any(&view.name, view.uuid), &Interrupt::default())
            .await
            .unwrap();
        assert!(world.store.objects().is_empty());
        assert_eq!(refreshed(&world, &view).await.unwrap(), Refreshed::Gone);
    })
    .await;
}
