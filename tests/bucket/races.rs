//! Two processes with caches of their own race on one bucket.
//!
//! In each round exactly one of them wins, nothing is lost, and nothing exists twice: without
//! faults, and while every tenth answer to a conditional write is lost after the write, and
//! others are delayed, refused, or land late.

use std::time::Duration;

use planton_core::names::Slug;
use planton_core::operations::{OperationError, SecretView};
use planton_vendors::bucket::Bucket;
use test_support::extent;
use xtask::bucket::BucketService;
use xtask::faults::{Fault, Match};

use super::process::Process;
use super::stores::on_each_service;
use super::support::Place;

on_each_service!(
    of_two_writers_one_wins,
    of_two_writers_one_wins_under_faults,
    of_two_first_users_both_find_one_organization,
    of_two_first_users_both_find_one_organization_under_faults,
);

const ROUNDS: usize = 200;

/// Faults make a round longer. In 50 rounds, the rarest fault may not strike.
const ROUNDS_UNDER_FAULTS: usize = 100;

/// Each is one of an organization of its own.
const FIRST_USES: usize = 40;

/// First uses that begin with the probe, as each does outside these tests. Its 300 writes go to
/// names of their own, before anything else is written.
const PROBED: usize = 2;

/// Rounds of every test in an extensive run.
const EXTENSIVE: usize = 200;

fn rounds_of(usual: usize) -> usize {
    extent::rounds(usual, EXTENSIVE)
}

/// Two processes, and a third one that looks.
struct Rivals {
    ours: Process,
    theirs: Process,
    witness: Process,
}

impl Rivals {
    async fn new(ours: &Place, theirs: &Place, direct: &Place) -> Self {
        Self {
            ours: Process::warm(ours).await,
            theirs: Process::warm(theirs).await,
            witness: Process::warm(direct).await,
        }
    }

    /// Both create a secret of the same name. Returns that of the winner. Its rotation fails if
    /// it is not the stored one.
    async fn create(&self, named: &str) -> SecretView {
        let (ours, theirs) = tokio::join!(
            self.ours.create(named, "ours 1"),
            self.theirs.create(named, "theirs 1"),
        );
        winner(named, ours, theirs).0
    }

    /// Both rotate the secret as they saw it.
    async fn rotate(&self, named: &str, view: &SecretView) -> SecretView {
        let (ours, theirs) = tokio::join!(
            self.ours.rotate(view, "ours 2"),
            self.theirs.rotate(view, "theirs 2"),
        );
        let (view, winner) = winner(named, ours, theirs);
        let found = self.witness.value(named).await;
        assert_eq!(found, Some((format!("{winner} 2"), 2)), "{named}");
        view
    }

    /// One destroys the secret, and the other rotates or destroys it. Whatever succeeds, the
    /// secret is there afterwards or not.
    async fn destroy(&self, named: &str, view: &SecretView, round: usize) {
        if round.is_multiple_of(2) {
            let (ours, theirs) = tokio::join!(self.ours.destroy(view), self.theirs.destroy(view));
            let outcomes = [ours, theirs];
            // The deletion of a secret that is gone succeeds.
            assert!(outcomes.iter().any(Result::is_ok), "{named}: {outcomes:?}");
            let lost = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
            lost.for_each(|error| expect_lost(named, error));
            assert_eq!(self.witness.value(named).await, None, "{named}");
            return;
        }
        let (destroyed, rotated) = tokio::join!(
            self.ours.destroy(view),
            self.theirs.rotate(view, "theirs 3"),
        );
        let found = self.witness.value(named).await;
        match (destroyed, rotated) {
            (Ok(()), Err(error)) => {
                expect_lost(named, &error);
                assert_eq!(found, None, "{named}");
            }
            (Err(error), Ok(view)) => {
                expect_lost(named, &error);
                assert_eq!(found, Some(("theirs 3".to_owned(), 3)), "{named}");
                self.theirs.destroy(&view).await.unwrap();
            }
            both => panic!("{named}: {both:?}"),
        }
    }

    async fn settle(&self) {
        self.ours.settle().await;
        self.theirs.settle().await;
    }
}

/// Returns what the only winner has written, and its name.
fn winner(
    named: &str,
    ours: Result<SecretView, OperationError>,
    theirs: Result<SecretView, OperationError>,
) -> (SecretView, &'static str) {
    let (view, winner, error) = match (ours, theirs) {
        (Ok(view), Err(error)) => (view, "ours", error),
        (Err(error), Ok(view)) => (view, "theirs", error),
        both => panic!("{named}: not exactly one won: {both:?}"),
    };
    expect_lost(named, &error);
    (view, winner)
}

fn expect_lost(named: &str, error: &OperationError) {
    let lost = matches!(
        error,
        OperationError::ChangedConcurrently { .. }
            | OperationError::AlreadyExists { .. }
            | OperationError::SecretNotFound { .. }
    );
    assert!(lost, "{named}: {error:?}");
}

async fn rounds(rivals: &Rivals, count: usize) {
    for round in 0..count {
        let named = format!("db-{round}");
        let view = rivals.create(&named).await;
        let view = rivals.rotate(&named, &view).await;
        rivals.destroy(&named, &view, round).await;
    }
    rivals.settle().await;
}

async fn of_two_writers_one_wins(service: BucketService) {
    let place = Place::new(service);
    let rivals = Rivals::new(&place, &place, &place).await;
    rounds(&rivals, rounds_of(ROUNDS)).await;
    // Those of the three warm secrets.
    assert_eq!(
        place.keys("/objects/").len(),
        3,
        "no version is left behind"
    );
}

/// Adds the faults of a bad network and a busy service to conditional writes. Of those of
/// records, every `late` one lands late.
fn disturb(place: &Place, late: usize) {
    let proxy = place.proxy();
    let records = Match::path("/records/");
    for writes in place.writes() {
        // The rarest one first: of several that are due, the first one strikes. A version that
        // lands after its own deletion stays, for a collection, so only records land late.
        let lands = Fault::land_after(Duration::from_millis(20));
        proxy.fail(lands.on(writes.clone().and(records.clone())).every(late));
        let on = |fault: Fault, nth| proxy.fail(fault.on(writes.clone()).every(nth));
        on(Fault::lose_answer(), 10);
        on(Fault::status(429), 13);
        on(Fault::status(503), 17);
        on(Fault::answer_in_place(500), 19);
        on(Fault::delay(Duration::from_millis(3)), 7);
        for fault in place.service().own_faults() {
            on(fault, 11);
        }
    }
}

/// Refuses writes of records that were executed: whoever wins is told that the other has.
///
/// An executed write of a version may be deleted before its outcome is looked for, as one that
/// lands late.
fn refuse(place: &Place) {
    let proxy = place.proxy();
    for writes in place.writes() {
        let records = writes.and(Match::path("/records/"));
        for (refusal, nth) in place.service().refusals().into_iter().zip([9, 16]) {
            let fault = refusal.of_executed().on(records.clone());
            proxy.fail(fault.every(nth));
        }
    }
}

async fn of_two_writers_one_wins_under_faults(service: BucketService) {
    let place = Place::new(service);
    let (ours, theirs) = (place.behind_proxy(), place.behind_proxy());
    let rivals = Rivals::new(&ours, &theirs, &place).await;
    for way in [&ours, &theirs] {
        disturb(way, 23);
        refuse(way);
    }
    rounds(&rivals, rounds_of(ROUNDS_UNDER_FAULTS)).await;
    for way in [&ours, &theirs] {
        assert_eq!(way.proxy().unused_faults(), [""; 0]);
        assert_eq!(way.proxy().troubles(), [""; 0]);
    }
    assert_eq!(
        place.keys("/objects/").len(),
        3,
        "no version is left behind"
    );
}

/// Both create a secret in an organization that does not exist yet.
async fn first_use(round: usize, direct: &Bucket, ours: &Bucket, theirs: &Bucket) {
    let slug = Slug::parse(&format!("first-{round}")).unwrap();
    let start = |bucket| match round < PROBED {
        true => Process::in_organization(&slug, bucket),
        false => Process::without_probe(&slug, bucket),
    };
    let (ours, theirs) = (start(ours), start(theirs));
    let (one, two) = tokio::join!(ours.create("ours", "1"), theirs.create("theirs", "2"));
    one.unwrap();
    two.unwrap();
    // A process with another MAC key could not read both.
    for witness in [ours, theirs, start(direct)] {
        assert_eq!(witness.value("ours").await, Some(("1".to_owned(), 1)));
        assert_eq!(witness.value("theirs").await, Some(("2".to_owned(), 1)));
    }
}

/// Checks that the first uses of `count` organizations have left what they need and nothing of
/// a probe or of a race.
fn expect_organizations(place: &Place, count: usize) {
    let keys = place.keys("/first-");
    let of = |part: &str| keys.iter().filter(|key| key.contains(part)).count();
    assert_eq!(of("/objects/"), 2 * count);
    assert_eq!(of("/records/"), 3 * count);
    assert_eq!(keys.len(), 5 * count, "{keys:?}");
}

async fn of_two_first_users_both_find_one_organization(service: BucketService) {
    let place = Place::new(service);
    let [ours, theirs, direct] = [(); 3].map(|()| place.open());
    let count = rounds_of(FIRST_USES);
    for round in 0..count {
        first_use(round, &direct, &ours, &theirs).await;
    }
    expect_organizations(&place, count);
}

async fn of_two_first_users_both_find_one_organization_under_faults(service: BucketService) {
    let place = Place::new(service);
    let (ours, theirs) = (place.behind_proxy(), place.behind_proxy());
    // Either process updates a record in about every second round: it is the one that has won.
    disturb(&ours, 5);
    disturb(&theirs, 5);
    let [one, two, direct] = [&ours, &theirs, &place].map(Place::open);
    let count = rounds_of(FIRST_USES);
    for round in 0..count {
        first_use(round, &direct, &one, &two).await;
    }
    for way in [&ours, &theirs] {
        assert_eq!(way.proxy().unused_faults(), [""; 0]);
        assert_eq!(way.proxy().troubles(), [""; 0]);
    }
    expect_organizations(&place, count);
}
