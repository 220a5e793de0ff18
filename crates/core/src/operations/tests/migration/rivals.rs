//! Two calls of one migration, and the second continues after the first has finished.

use super::kills::{Call, killed_before};
use super::*;
use crate::catalog::{CatalogStore as _, CatalogVerb};
use crate::store::StoreVerb;

/// Returns a call that migrates to the end and then changes the target, as others may.
async fn finish_and_use(pair: Pair, db: SecretView) {
    pair.migrated().await;
    let process = pair.target.process();
    let interrupt = Interrupt::default();
    create(&process, "later", Some("vault")).await.unwrap();
    let rotated = process.secrets().update(rotate(&db, "third"), &interrupt);
    rotated.await.unwrap();
    process.settle().await;
}

/// Checks that the target has what its users have written since the first call finished.
async fn expect_untouched(pair: &Pair) {
    assert_eq!(pair.target.value("db").await.unwrap(), "third");
    assert_eq!(pair.target.value("later").await.unwrap(), "hunter2");
    let entries = pair.target.catalog.list("entries").await.unwrap();
    // That of "cert", and that of "later".
    assert_eq!(entries.len(), 2);
}

/// Runs a call that continues an interrupted migration. Before `call`, another call finishes
/// it, and the target is used.
async fn overtaken_before(call: Call) {
    let pair = Pair::new();
    let [db, ..] = filled(&pair).await;
    // Killed when it would write the first document of a secret.
    killed_before(&pair, Call::TargetStore(StoreVerb::Put, 2)).await;
    let (source, target) = (pair.source.clone(), pair.target.clone());
    let rival = finish_and_use(Pair { source, target }, db);
    match call {
        Call::Source(verb, nth) => pair.source.catalog.before(verb, nth, rival),
        Call::Target(verb, nth) => pair.target.catalog.before(verb, nth, rival),
        Call::TargetStore(verb, nth) => pair.target.store.before(verb, nth, rival),
        Call::SourceStore(..) | Call::Registered(..) => panic!("{call:?}"),
    }
    let overtaken = pair.migrate().await.unwrap_err();
    assert!(
        matches!(overtaken, OperationError::ChangedConcurrently { .. }),
        "{call:?}: {overtaken:?}"
    );
    expect_untouched(&pair).await;
    // The next call finds it done.
    let again = pair.migrated().await;
    assert_eq!((again.records, again.versions), (0, 0));
    expect_untouched(&pair).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_another_has_overtaken_removes_no_entry_of_a_target_in_use() {
    // From its first listing to that after its wait.
    for nth in 1..=6 {
        overtaken_before(Call::Source(CatalogVerb::List, nth)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_another_has_overtaken_deletes_no_version_of_a_target_in_use() {
    overtaken_before(Call::TargetStore(StoreVerb::List, 1)).await;
}
