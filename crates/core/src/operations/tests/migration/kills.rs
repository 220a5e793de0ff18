//! A migration that is killed at each of its calls, and continued.

use std::collections::BTreeSet;

use super::*;
use crate::catalog::{CatalogVerb, Form, SecretDocument, record_key_of_name};
use crate::store::StoreVerb;

/// A call of a migration.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Source(CatalogVerb, usize),
    Target(CatalogVerb, usize),
    SourceStore(StoreVerb, usize),
    TargetStore(StoreVerb, usize),
    Registered(StoreVerb, usize),
}

const CATALOG: [CatalogVerb; 5] = [
    CatalogVerb::Read,
    CatalogVerb::ReadFenced,
    CatalogVerb::Write,
    CatalogVerb::ForgetHistory,
    CatalogVerb::List,
];
const STORE: [StoreVerb; 5] = [
    StoreVerb::Put,
    StoreVerb::Get,
    StoreVerb::Describe,
    StoreVerb::Delete,
    StoreVerb::List,
];

fn counts(pair: &Pair) -> Vec<usize> {
    let vault = pair.source.connector.place("vault");
    let catalogs = [&pair.source.catalog, &pair.target.catalog];
    let stores = [&pair.source.store, &pair.target.store, &vault];
    let of_catalogs = catalogs
        .iter()
        .flat_map(|catalog| CATALOG.map(|verb| catalog.calls(verb)));
    let of_stores = stores
        .iter()
        .flat_map(|store| STORE.map(|verb| store.calls(verb)));
    of_catalogs.chain(of_stores).collect()
}

/// Returns every call of a whole migration.
pub(super) async fn calls() -> Vec<Call> {
    let pair = Pair::new();
    filled(&pair).await;
    let before = counts(&pair);
    pair.migrated().await;
    let after = counts(&pair);
    let made: Vec<usize> = after
        .iter()
        .zip(before)
        .map(|(now, then)| now - then)
        .collect();
    let mut calls = Vec::new();
    for (at, made) in made.into_iter().enumerate() {
        calls.extend((1..=made).map(|nth| match at {
            0..5 => Call::Source(CATALOG[at], nth),
            5..10 => Call::Target(CATALOG[at - 5], nth),
            10..15 => Call::SourceStore(STORE[at - 10], nth),
            15..20 => Call::TargetStore(STORE[at - 15], nth),
            _ => Call::Registered(STORE[at - 20], nth),
        }));
    }
    calls
}

/// Runs a migration up to a call, and ends it there.
pub(super) async fn killed_before(pair: &Pair, call: Call) {
    let (reached, mut is_reached) = tokio::sync::mpsc::channel(1);
    let hold = async move {
        let _ = reached.send(()).await;
        std::future::pending::<()>().await;
    };
    match call {
        Call::Source(verb, nth) => pair.source.catalog.before(verb, nth, hold),
        Call::Target(verb, nth) => pair.target.catalog.before(verb, nth, hold),
        Call::SourceStore(verb, nth) => pair.source.store.before(verb, nth, hold),
        Call::TargetStore(verb, nth) => pair.target.store.before(verb, nth, hold),
        Call::Registered(verb, nth) => {
            pair.source.connector.place("vault").before(verb, nth, hold);
        }
    }
    let migration = pair.migration();
    let mut running = tokio::spawn(async move {
        let interrupt = Interrupt::default();
        migration.run(&|_| {}, &interrupt).await
    });
    tokio::select! {
        biased;
        reached = is_reached.recv() => reached.unwrap(),
        ended = &mut running => panic!("{call:?}: {ended:?}"),
    }
    running.abort();
    let _ = running.await;
}

/// Checks that every version that a document of the world names, in whichever form, exists.
async fn expect_complete(world: &World, call: Call) {
    let vault = world.connector.place("vault");
    for named in ["db", "prod/api", "cert"] {
        let stored = world.stored(&record_key_of_name(&name(named))).await;
        let form: Form<SecretDocument> = serde_json::from_str(&stored.unwrap().body).unwrap();
        let secret = form.document().current.clone().unwrap();
        let store = if named == "cert" {
            &vault
        } else {
            &world.store
        };
        let there = store.versions(&secret.remote_name);
        for version in &secret.versions {
            assert!(there.contains(&version.native_id), "{call:?}: {named}");
        }
    }
}

/// The versions of "cert" on the registered backend that its record does not name.
async fn unnamed_on_vault(world: &World) -> usize {
    let vault = world.connector.place("vault");
    let document = world.document(&name("cert")).await;
    let secret = document.current.unwrap();
    let there = vault.versions(&secret.remote_name);
    there.len() - secret.versions.len()
}

#[tokio::test(start_paused = true)]
async fn what_lost_answers_leave_on_a_registered_backend_goes_with_the_secret() {
    let pair = Pair::new();
    let [_, _, cert] = filled(&pair).await;
    let vault = pair.source.connector.place("vault");
    // As a kill between the put and the commit of the record that names it.
    vault.inject(crate::store::Fault {
        verb: StoreVerb::Put,
        nth: 1,
        landing: crate::store::Landing::After,
        kind: crate::store::StoreErrorKind::Unavailable,
    });
    pair.migrated().await;
    assert_eq!(unnamed_on_vault(&pair.target).await, 1);
    assert_eq!(pair.target.value("cert").await.unwrap(), "hunter2");
    let process = pair.target.process();
    let interrupt = Interrupt::default();
    let own = own(&process.secrets().find(&cert.name).await.unwrap());
    process.secrets().delete(&own, &interrupt).await.unwrap();
    process.settle().await;
    assert_eq!(vault.objects().len(), 1, "only the marker is left");
}

#[tokio::test(start_paused = true)]
async fn whatever_call_it_is_killed_at_a_migration_is_continued_and_nothing_is_lost_or_twice() {
    let calls = calls().await;
    let kinds: BTreeSet<String> = calls
        .iter()
        .map(|call| format!("{call:?}"))
        .map(|call| call.split(',').next().unwrap().to_owned())
        .collect();
    assert!(kinds.len() >= 9, "{kinds:?}");
    for call in calls {
        let pair = Pair::new();
        let views = filled(&pair).await;
        let before = payloads(&pair.source).await;
        killed_before(&pair, call).await;
        // One of both platforms may serve the organization, or none.
        let source = pair.source.value("db").await;
        let target = pair.target.value("db").await;
        assert!(source.is_err() || target.is_err(), "{call:?}");
        // Until the target serves it, the source has all that its records name.
        if target.is_err() {
            expect_complete(&pair.source, call).await;
        }

        let done = pair
            .migrate()
            .await
            .unwrap_or_else(|error| panic!("{call:?}: {error:?}"));
        assert!(done.is_complete, "{call:?}: {done:?}");
        assert_eq!(payloads(&pair.target).await, before, "{call:?}");
        for view in &views {
            let seen = refreshed(&pair.target, view).await.unwrap();
            assert!(matches!(seen, Refreshed::Present(_)), "{call:?}: {seen:?}");
        }
        assert_eq!(pair.target.value("db").await.unwrap(), "next");
        assert_eq!(pair.target.value("cert").await.unwrap(), "hunter2");
        assert_eq!(
            pair.target.unreferenced(&["db", "prod/api"]).await,
            0,
            "{call:?}"
        );
        let late = pair.source.value("db").await.unwrap_err();
        assert_eq!(
            elsewhere(&late).unwrap().progress,
            MoveProgress::Moved,
            "{call:?}"
        );
        // Done is done.
        let again = pair.migrated().await;
        assert_eq!((again.records, again.versions), (0, 0), "{call:?}");
    }
}
