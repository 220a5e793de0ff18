//! Tests of a refresh by listing, on the in-memory platform and a paused clock.

mod limits;
mod told;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::world::{World, create_of, given, own, rotate};
use crate::catalog::{CatalogVerb, record_key_of_name};
use crate::marks::Mark;
use crate::operations::{
    Interrupt, OperationError, Organization, RefreshSecret, Refreshed, Replaces, SecretMarks,
    SecretView, SeenSecret, ViewMarks,
};
use crate::store::StoreVerb;

/// How long a page serves.
const SERVES: Duration = Duration::from_secs(5);

/// The calls of refreshes: pages of records and of versions, reads, descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Calls {
    records: usize,
    versions: usize,
    reads: usize,
    describes: usize,
}

const LISTED: Calls = Calls {
    records: 1,
    versions: 1,
    reads: 0,
    describes: 0,
};

fn singly(number: usize) -> Calls {
    Calls {
        records: 0,
        versions: 0,
        reads: number,
        describes: number,
    }
}

/// A platform with secrets, and a process that refreshes them.
struct Place {
    world: World,
    process: Arc<Organization>,
    views: Vec<SecretView>,
}

impl Place {
    /// Creates `number` secrets `s-0`, … and starts another process.
    async fn with(number: usize) -> Self {
        let world = World::new();
        let creator = world.warm().await;
        let mut views = Vec::new();
        for number in 0..number {
            views.push(created(&creator, &format!("s-{number}")).await);
        }
        let process = Self::started(&world).await;
        Self {
            world,
            process,
            views,
        }
    }

    /// Starts a process that has read the organization's record.
    async fn started(world: &World) -> Arc<Organization> {
        let process = world.process();
        process.existing().await.unwrap();
        Arc::new(process)
    }

    fn calls(&self) -> Calls {
        let Self { world, .. } = self;
        Calls {
            records: world.catalog.calls(CatalogVerb::ListMarks),
            versions: world.store.calls(StoreVerb::ListMarks),
            reads: world.catalog.calls(CatalogVerb::Read)
                + world.catalog.calls(CatalogVerb::ReadFenced),
            describes: world.store.calls(StoreVerb::Describe),
        }
    }

    /// Refreshes secrets at once. Returns the results, and the calls that this took.
    async fn refresh(&self, range: Range<usize>) -> (Vec<Refreshed>, Calls) {
        let (results, calls) = self.try_refresh(range).await;
        (results.into_iter().map(Result::unwrap).collect(), calls)
    }

    async fn try_refresh(
        &self,
        range: Range<usize>,
    ) -> (Vec<Result<Refreshed, OperationError>>, Calls) {
        let before = self.calls();
        let tasks = self.views[range].iter().map(|view| {
            let (process, request) = (Arc::clone(&self.process), request(view));
            tokio::spawn(async move { process.secrets().refresh(&request).await })
        });
        let mut results = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            results.push(task.await.unwrap());
        }
        let now = self.calls();
        let calls = Calls {
            records: now.records - before.records,
            versions: now.versions - before.versions,
            reads: now.reads - before.reads,
            describes: now.describes - before.describes,
        };
        (results, calls)
    }

    /// Refreshes secrets at once, and expects that all are unchanged.
    async fn confirm(&self, range: Range<usize>) -> Calls {
        let (results, calls) = self.refresh(range).await;
        for result in results {
            assert_eq!(result, Refreshed::Unchanged);
        }
        calls
    }

    /// Lets ten refreshes begin a listing.
    async fn listed() -> Self {
        let place = Self::with(10).await;
        assert_eq!(place.confirm(0..10).await, LISTED);
        place
    }
}

async fn created(process: &Organization, named: &str) -> SecretView {
    let interrupt = Interrupt::default();
    let create = create_of(named, given("x"));
    process.secrets().create(create, &interrupt).await.unwrap()
}

async fn rotated(process: &Organization, view: &SecretView) -> SecretView {
    let interrupt = Interrupt::default();
    let update = rotate(view, "y");
    process.secrets().update(update, &interrupt).await.unwrap()
}

fn are_present(results: &[Refreshed]) -> bool {
    let is_present = |result: &Refreshed| matches!(result, Refreshed::Present(_));
    results.iter().all(is_present)
}

fn request(view: &SecretView) -> RefreshSecret {
    let marks = view.marks.record.zip(view.marks.version);
    let marks = marks.map(|(record, version)| SecretMarks { record, version });
    let request = super::seen(view);
    RefreshSecret {
        seen: request.seen.map(|seen| SeenSecret { marks, ..seen }),
        ..request
    }
}

#[test]
fn the_marks_of_a_secret_round_trip() {
    let [record, version] = ["a", "b"].map(|text| Mark::of(&[text]));
    let marks = SecretMarks { record, version };
    assert_eq!(SecretMarks::from_bytes(marks.to_bytes()), marks);
}

#[tokio::test(start_paused = true)]
async fn ten_at_once_take_one_page_of_records_and_one_of_versions() {
    let place = Place::listed().await;
    // Any further one takes nothing.
    let nothing = Calls {
        records: 0,
        versions: 0,
        ..LISTED
    };
    assert_eq!(place.confirm(3..4).await, nothing);
}

#[tokio::test(start_paused = true)]
async fn nine_are_asked_for_singly_and_the_tenth_begins_the_listing() {
    let place = Place::with(10).await;
    let (results, calls) = place.refresh(0..9).await;
    for (result, view) in results.into_iter().zip(&place.views) {
        assert_eq!(result, Refreshed::Present(view.clone()));
    }
    assert_eq!(calls, singly(9));
    assert_eq!(place.confirm(9..10).await, LISTED);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_ten_at_once_take_one_page_of_each_listing() {
    let place = Place::with(1_000).await;
    place.world.catalog.time();
    place.world.store.time(1);
    let mut sum = 0;
    for first in (0..1_000).step_by(10) {
        let calls = place.confirm(first..first + 10).await;
        sum += calls.records + calls.versions + calls.reads + calls.describes;
    }
    assert_eq!(sum, 2);
}

#[tokio::test(start_paused = true)]
async fn a_page_serves_for_five_seconds_from_its_request() {
    let place = Place::listed().await;
    tokio::time::advance(SERVES.checked_sub(Duration::from_millis(1)).unwrap()).await;
    assert_eq!(place.confirm(0..1).await.records, 0);
    tokio::time::advance(Duration::from_millis(1)).await;
    // The budget of ten refreshes is used up.
    let (results, calls) = place.refresh(0..1).await;
    assert!(are_present(&results), "{results:?}");
    assert_eq!(calls, singly(1));
    // Eight more buy the next page.
    let (_, calls) = place.refresh(1..8).await;
    assert_eq!(calls, singly(7));
    assert_eq!(place.confirm(8..9).await, LISTED);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_takes_five_seconds_serves_nobody() {
    let place = Place::with(10).await;
    place
        .world
        .catalog
        .before(CatalogVerb::ListMarks, 1, async {
            tokio::time::advance(SERVES).await;
        });
    let (results, calls) = place.refresh(0..10).await;
    assert!(are_present(&results), "{results:?}");
    assert_eq!((calls.records, calls.reads), (1, 10));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_expires_while_the_other_is_requested_confirms_nothing() {
    let place = Place::with(10).await;
    place.world.store.before(StoreVerb::ListMarks, 1, async {
        tokio::time::advance(SERVES).await;
    });
    let (results, _) = place.refresh(0..10).await;
    assert!(are_present(&results), "{results:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rotation_by_another_process_is_seen_once_the_page_is_five_seconds_old() {
    let place = Place::listed().await;
    let other = place.world.warm().await;
    let rotated = rotated(&other, &place.views[0]).await;
    // The listing is older than the rotation.
    assert_eq!(place.confirm(0..1).await.reads, 0);
    tokio::time::advance(SERVES).await;
    let (results, _) = place.refresh(0..1).await;
    assert_eq!(results, [Refreshed::Present(rotated)]);
}

#[tokio::test(start_paused = true)]
async fn any_write_of_the_process_drops_the_listing() {
    let place = Place::listed().await;
    created(&place.process, "further").await;
    let (results, calls) = place.refresh(0..1).await;
    assert_eq!(results, [Refreshed::Present(place.views[0].clone())]);
    assert_eq!(calls, singly(1));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_was_requested_before_a_write_of_the_process_serves_nobody() {
    let place = Place::with(11).await;
    let (process, view) = (Arc::clone(&place.process), place.views[0].clone());
    place
        .world
        .store
        .before(StoreVerb::ListMarks, 1, async move {
            rotated(&process, &view).await;
        });
    let (results, _) = place.refresh(0..10).await;
    assert!(are_present(&results), "{results:?}");
}

/// What happened to a secret before the listing, and what a refresh of it must return.
#[tokio::test(start_paused = true)]
async fn what_changed_before_the_listing_is_asked_for_singly() {
    let place = Place::with(14).await;
    let (world, views) = (&place.world, &place.views);
    let other = world.warm().await;
    let interrupt = Interrupt::default();
    let secrets = || other.secrets();
    let rotate = rotate(&views[0], "y");
    let rotated = secrets().update(rotate, &interrupt).await.unwrap();
    let delete = own(&views[1]);
    secrets().delete(&delete, &interrupt).await.unwrap();
    let mut replacing = create_of("s-2", given("z"));
    replacing.replaces = vec![Replaces::Named(views[2].uuid)];
    secrets().create(replacing, &interrupt).await.unwrap();
    let [.., lost] = &world.store.objects()[..] else {
        panic!("no object");
    };
    let lost = lost.clone();
    assert!(world.store.remove_object(&lost));
    world
        .catalog
        .delete_by_hand(&record_key_of_name(&views[4].name));
    let (results, calls) = place.refresh(0..14).await;
    assert_eq!(results[0], Refreshed::Present(rotated));
    assert_eq!(results[1], Refreshed::Gone);
    let Refreshed::Present(displaced) = &results[2] else {
        panic!("{:?}", results[2]);
    };
    assert!(displaced.is_displaced);
    assert_eq!(displaced.marks, ViewMarks::default());
    assert_eq!(results[4], Refreshed::RecordMissing);
    let lost_ones = results
        .iter()
        .filter(|it| matches!(it, Refreshed::VersionLost(_)));
    assert_eq!(lost_ones.count(), 1);
    let unchanged = results
        .iter()
        .filter(|it| matches!(it, Refreshed::Unchanged));
    assert_eq!(unchanged.count(), 9);
    assert_eq!((calls.records, calls.versions), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_was_rolled_back_is_an_error_as_before() {
    let place = Place::with(10).await;
    let backup = place.world.catalog.snapshot();
    let other = place.world.warm().await;
    let rotated = rotated(&other, &place.views[0]);
    let mut seen = Place {
        world: place.world.clone(),
        process: Place::started(&place.world).await,
        views: place.views.clone(),
    };
    seen.views[0] = rotated.await;
    place.world.catalog.restore(backup);
    let (results, _) = seen.try_refresh(0..10).await;
    let Err(OperationError::RolledBack { .. }) = &results[0] else {
        panic!("{:?}", results[0]);
    };
    let is_unchanged = |it: &Result<_, _>| matches!(it, Ok(Refreshed::Unchanged));
    assert!(results[1..].iter().all(is_unchanged));
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_marks_is_asked_for_singly() {
    let place = Place::listed().await;
    let mut request = request(&place.views[0]);
    request.seen.as_mut().unwrap().marks = None;
    let refreshed = place.process.secrets().refresh(&request).await;
    assert_eq!(
        refreshed.unwrap(),
        Refreshed::Present(place.views[0].clone())
    );
}
