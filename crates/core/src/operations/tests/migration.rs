//! Migrations between two platforms in memory.

mod damaged;
mod default_backend;
mod kills;
mod late_writers;
mod refusals;
mod returns;
mod rivals;
mod stragglers;
mod target_keys;
mod unopened;

use std::sync::Arc;

use super::*;
use crate::catalog::{CatalogErrorKind, Elsewhere, MoveProgress, Place, RecordKey};
use crate::kek::{KekErrorKind, KeyEncryptionKey};
use crate::operations::tests::backends::{create, register_with_password};
use crate::operations::tests::escrow::{escrow, id, record};
use crate::operations::{Ends, Migrated, Migration};
use crate::store::{Deletion, SecretStore as _};

/// Two platforms that reach the same registered backends and the same keys of customers.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) source: World,
    pub(super) target: World,
}

impl Pair {
    pub(super) fn new() -> Self {
        let source = World::new();
        let target = World {
            connector: Arc::clone(&source.connector),
            kek_connector: Arc::clone(&source.kek_connector),
            ..World::new()
        };
        Self { source, target }
    }

    /// Returns the way back.
    fn back(&self) -> Self {
        Self {
            source: self.target.clone(),
            target: self.source.clone(),
        }
    }

    pub(super) fn migration(&self) -> Migration {
        Migration::new(Ends {
            source: self.source.process(),
            target: self.target.process(),
            from: place("a"),
            to: place("b"),
        })
    }

    pub(super) async fn migrate(&self) -> Result<Migrated, OperationError> {
        let interrupt = Interrupt::default();
        self.migration().run(&|_| {}, &interrupt).await
    }

    /// Migrates, and expects that nothing is left to do.
    pub(super) async fn migrated(&self) -> Migrated {
        let done = self.migrate().await.unwrap();
        assert!(done.is_complete, "{done:?}");
        assert!(done.lost.is_empty() && done.unopened.is_empty(), "{done:?}");
        done
    }
}

pub(super) fn place(name: &str) -> Place {
    Place {
        block: "embedded".to_owned(),
        arguments: [("path".to_owned(), format!("/{name}").into())].into(),
    }
}

/// Returns where the error says that the organization is.
pub(super) fn elsewhere(error: &OperationError) -> Option<&Elsewhere> {
    let OperationError::Catalog(error) = error else {
        return None;
    };
    let source = std::error::Error::source(error)?;
    source.downcast_ref()
}

/// Checks that a record was found altered.
#[track_caller]
fn expect_altered(error: &OperationError) {
    let OperationError::Catalog(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind(), CatalogErrorKind::Altered);
}

/// Fills the source: a secret of two versions, one of an environment, one on a registered
/// backend under the organization's key, and a tombstone. Returns the first two and the third.
pub(super) async fn filled(pair: &Pair) -> [SecretView; 3] {
    let interrupt = Interrupt::default();
    let process = pair.source.process();
    process
        .keys()
        .initialize(&escrow(&["safe"]), &interrupt)
        .await
        .unwrap();
    register_with_password(&process, "vault").await.unwrap();
    let first = create(&process, "db", None).await.unwrap();
    let second = process.secrets().update(rotate(&first, "next"), &interrupt);
    let second = second.await.unwrap();
    let other = create(&process, "prod/api", None).await.unwrap();
    let registered = create(&process, "cert", Some("vault")).await.unwrap();
    let gone = create(&process, "gone", None).await.unwrap();
    process
        .secrets()
        .delete(&own(&gone), &interrupt)
        .await
        .unwrap();
    process.settle().await;
    [second, other, registered]
}

/// Forbids every use of the source's key.
fn without_source_key(pair: &Pair) {
    for verb in [KekVerb::Unwrap, KekVerb::Wrap, KekVerb::Rewrap] {
        pair.source.kek.deny(verb, KekErrorKind::NotFound);
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_stays_valid_and_the_source_says_where_the_organization_is() {
    let pair = Pair::new();
    let [db, api, cert] = filled(&pair).await;
    let fingerprint = pair.source.process().keys().fingerprint().await.unwrap();
    let done = pair.migrated().await;
    assert_eq!((done.versions, done.rewraps), (3, 1));

    without_source_key(&pair);
    let target = &pair.target;
    let found = target.process().keys().fingerprint().await.unwrap();
    assert_eq!(found, fingerprint);
    for view in [&db, &api, &cert] {
        let seen = refreshed(target, view).await.unwrap();
        let Refreshed::Present(now) = seen else {
            panic!("{seen:?}");
        };
        assert_eq!((now.uuid, now.catalog), (view.uuid, view.catalog));
        assert_eq!(now.generation, view.generation);
        assert_eq!(now.owner, view.owner);
        assert_eq!(number(&now), number(view));
    }
    assert_eq!(target.value("db").await.unwrap(), "next");
    assert_eq!(target.value("prod/api").await.unwrap(), "hunter2");
    assert_eq!(target.value("cert").await.unwrap(), "hunter2");
    let interrupt = Interrupt::default();
    let process = target.process();
    let selector = Selector::Name(name("db"));
    let first = process.secrets().open(&selector, Some(1));
    assert_eq!(world::exposed(&first.await.unwrap().value), "hunter2");
    // The plan of before applies.
    for view in [&db, &cert] {
        let rotated = process.secrets().update(rotate(view, "third"), &interrupt);
        let rotated = rotated.await.unwrap();
        let own = own(&rotated);
        process.secrets().delete(&own, &interrupt).await.unwrap();
    }
    create(&process, "gone", None).await.unwrap();

    for late in [
        refreshed(&pair.source, &db).await.unwrap_err(),
        pair.source.value("db").await.unwrap_err(),
        create(&pair.source.process(), "new", None)
            .await
            .unwrap_err(),
        pair.source.process().keys().status().await.unwrap_err(),
    ] {
        let found = elsewhere(&late).unwrap_or_else(|| panic!("{late:?}"));
        assert_eq!(found.place, place("b"));
        // Without the source's key, which may be gone, nothing vouches for it.
        assert!(!found.is_verified);
    }
    pair.source.kek.allow();
    let late = pair.source.process().keys().status().await.unwrap_err();
    let found = elsewhere(&late).unwrap();
    assert!(found.is_verified && found.progress == MoveProgress::Moved);
}

#[tokio::test(start_paused = true)]
async fn a_forged_way_to_another_platform_leads_nowhere() {
    let pair = Pair::new();
    filled(&pair).await;
    pair.migrated().await;
    let forge = |body: &str| body.replace("/b", "/theirs");
    pair.source.alter_key("organization", forge).await;
    for late in [
        create(&pair.source.process(), "new", None)
            .await
            .unwrap_err(),
        pair.source.process().keys().status().await.unwrap_err(),
        pair.migrate().await.unwrap_err(),
    ] {
        expect_altered(&late);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_moves_what_came_too_late_and_overwrites_nothing() {
    let pair = Pair::new();
    filled(&pair).await;
    let late = pair.source.warm().await;
    let later = pair.source.warm().await;
    pair.migrated().await;
    // Two machines slept between their looks and their requests.
    let now = crate::boot_time::BootTime::now();
    for (process, named) in [(&late, "late"), (&later, "taken")] {
        process
            .catalog
            .note_look(now, process.existing().await.unwrap());
        let created = process.secrets();
        let interrupt = Interrupt::default();
        created
            .create(create_of(named, given("theirs")), &interrupt)
            .await
            .unwrap();
    }
    created(&pair.target, "taken", "ours").await;
    let interrupt = Interrupt::default();
    let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    assert_eq!((swept.records, swept.versions), (1, 1));
    assert_eq!(swept.failed.len(), 1, "{:?}", swept.failed);
    assert_eq!(pair.target.value("late").await.unwrap(), "theirs");
    assert_eq!(pair.target.value("taken").await.unwrap(), "ours");
    let again = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    assert_eq!((again.records, again.failed.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn every_payload_stays_and_every_wrap_is_one_of_the_target() {
    let pair = Pair::new();
    filled(&pair).await;
    let before = payloads(&pair.source).await;
    let escrow_digest = record(&pair.source).await.escrow_digest();
    pair.migrated().await;
    assert_eq!(payloads(&pair.target).await, before);
    let wraps = [pair.target.kek.id().clone(), id(&pair.target, "safe")];
    for named in ["db", "prod/api", "cert"] {
        let document = pair.target.document(&name(named)).await;
        for version in &document.current.unwrap().versions {
            // A registered backend has its own escrow keys, here none.
            let expected = if named == "cert" {
                &wraps[..1]
            } else {
                &wraps[..]
            };
            assert_eq!(version.keks, expected, "{named}");
        }
    }
    assert_eq!(record(&pair.target).await.escrow_digest(), escrow_digest);
    // Nothing but what records name: an interrupted migration leaves more.
    let stored = pair.target.unreferenced(&["db", "prod/api"]).await;
    assert_eq!(stored, 0);
    let verified = pair.target.warm().await;
    let interrupt = Interrupt::default();
    let what = crate::operations::Verify::default();
    let verified = verified
        .keys()
        .verify(what, &|_| {}, &interrupt)
        .await
        .unwrap();
    assert_eq!(verified.findings, []);
    assert_eq!((verified.versions, verified.due), (4, 0));
}

/// Returns the payload digests of all versions, by secret.
pub(super) async fn payloads(world: &World) -> Vec<(String, u64, String)> {
    let mut all = Vec::new();
    for named in ["db", "prod/api", "cert"] {
        let document = world.document(&name(named)).await;
        for version in document.current.unwrap().versions {
            all.push((named.to_owned(), version.number, version.payload_sha256));
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn an_organization_moves_back_and_what_was_destroyed_meanwhile_stays_destroyed() {
    let pair = Pair::new();
    let [db, api, cert] = filled(&pair).await;
    pair.migrated().await;
    let interrupt = Interrupt::default();
    let process = pair.target.process();
    let rotated = process.secrets().update(rotate(&db, "third"), &interrupt);
    let rotated = rotated.await.unwrap();
    for view in [&api, &cert] {
        process
            .secrets()
            .delete(&own(view), &interrupt)
            .await
            .unwrap();
    }
    create(&process, "later", Some("vault")).await.unwrap();
    process.settle().await;

    let back = pair.back();
    back.migrated().await;
    assert_eq!(pair.source.value("db").await.unwrap(), "third");
    assert_eq!(pair.source.value("later").await.unwrap(), "hunter2");
    let seen = refreshed(&pair.source, &rotated).await.unwrap();
    assert!(matches!(seen, Refreshed::Present(_)), "{seen:?}");
    for view in [&api, &cert] {
        let seen = refreshed(&pair.source, view).await.unwrap();
        assert_eq!(seen, Refreshed::Gone);
    }
    let entries = crate::catalog::CatalogStore::list(&*pair.source.catalog, "entries");
    assert_eq!(entries.await.unwrap().len(), 1);
    let late = pair.target.value("db").await.unwrap_err();
    assert_eq!(elsewhere(&late).unwrap().place, place("b"));
    // There and back again.
    pair.migrated().await;
    assert_eq!(pair.target.value("db").await.unwrap(), "third");
}

#[tokio::test(start_paused = true)]
async fn a_lost_version_moves_as_lost_and_the_next_apply_writes_it_again() {
    let pair = Pair::new();
    let [db, ..] = filled(&pair).await;
    let document = pair.source.document(&name("db")).await;
    let secret = document.current.unwrap();
    let last = secret.versions.last().unwrap().native_id.clone();
    let what = Deletion::Versions(vec![last]);
    pair.source
        .store
        .delete(&secret.remote_name, what)
        .await
        .unwrap();

    let survey = pair
        .migration()
        .survey(&|_| {}, &Interrupt::default())
        .await
        .unwrap();
    assert_eq!((survey.secrets, survey.versions, survey.rewraps), (3, 2, 1));
    assert_eq!(survey.lost.len(), 1);
    assert_eq!(survey.obstacles, []);
    let done = pair.migrate().await.unwrap();
    assert!(done.is_complete);
    assert_eq!(
        (done.lost[0].subject.as_str(), done.lost[0].version),
        ("db", Some(2))
    );
    let seen = refreshed(&pair.target, &db).await.unwrap();
    assert!(matches!(seen, Refreshed::VersionLost(_)), "{seen:?}");
    let heal = UpdateSecret {
        heals: true,
        ..rotate(&db, "again")
    };
    let process = pair.target.process();
    process
        .secrets()
        .update(heal, &Interrupt::default())
        .await
        .unwrap();
    assert_eq!(pair.target.value("db").await.unwrap(), "again");
}

#[tokio::test(start_paused = true)]
async fn a_survey_changes_nothing() {
    let pair = Pair::new();
    filled(&pair).await;
    let before = pair
        .source
        .catalog
        .calls(crate::catalog::CatalogVerb::Write);
    let survey = pair
        .migration()
        .survey(&|_| {}, &Interrupt::default())
        .await
        .unwrap();
    assert_eq!((survey.secrets, survey.versions, survey.rewraps), (3, 3, 1));
    assert_eq!((survey.backends, survey.total), (1, 5));
    assert_eq!(survey.keys, [pair.target.kek.id().clone()]);
    let writes = pair
        .source
        .catalog
        .calls(crate::catalog::CatalogVerb::Write);
    assert_eq!(writes, before);
    assert!(
        pair.target
            .stored(&RecordKey::new("organization"))
            .await
            .is_none()
    );
    assert_eq!(pair.source.value("db").await.unwrap(), "next");
}

/// Calls of both catalogs, both stores and both keys.
async fn calls_for(secrets: usize) -> [usize; 9] {
    use crate::catalog::CatalogVerb as C;
    use crate::store::StoreVerb as S;
    let pair = Pair::new();
    for number in 0..secrets {
        created(&pair.source, &format!("s{number}"), "hunter2").await;
    }
    let Pair { source, target } = &pair;
    let now = || {
        [
            source.catalog.calls(C::Read),
            source.catalog.calls(C::ReadFenced),
            source.catalog.calls(C::Write),
            target.catalog.calls(C::ReadFenced),
            target.catalog.calls(C::Write),
            source.store.calls(S::Get),
            target.store.calls(S::Put) + target.store.calls(S::Get),
            source.kek.calls(KekVerb::Unwrap),
            target.kek.calls(KekVerb::Wrap) + target.kek.calls(KekVerb::Unwrap),
        ]
    };
    let before = now();
    pair.migrated().await;
    let after = now();
    std::array::from_fn(|at| after[at] - before[at])
}

#[tokio::test(start_paused = true)]
async fn one_secret_more_costs_a_migration_these_calls() {
    let (two, three) = (calls_for(2).await, calls_for(3).await);
    let more: Vec<usize> = three
        .iter()
        .zip(two)
        .map(|(more, less)| more - less)
        .collect();
    // The source: read, verified at the end, fenced. The target: looked at, verified, written.
    // Its envelope is fetched, put and fetched again, its data key unwrapped and wrapped once.
    assert_eq!(more, [1, 1, 1, 2, 1, 1, 2, 1, 1]);
}
