//! A target whose key is another one than that of its record, such as a new key file.

use super::*;
use crate::catalog::CatalogVerb;
use crate::store::StoreVerb;

/// Takes away the version of the target's key that wraps the MAC key. Its key still wraps.
fn lose_the_version_of_the_record(pair: &Pair) {
    pair.target.kek.forget_newest();
}

#[track_caller]
fn expect_refused(error: &OperationError) {
    let OperationError::Kek(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind(), KekErrorKind::Refused);
}

#[tokio::test(start_paused = true)]
async fn the_source_stays_in_use_if_the_targets_record_is_under_a_lost_key() {
    let pair = Pair::new();
    let [db, ..] = filled(&pair).await;
    pair.target.kek.rotate();
    pair.source.fail_catalog(
        CatalogVerb::Write,
        1,
        crate::store::Landing::Before,
        CatalogErrorKind::Unavailable,
    );
    pair.migrate().await.unwrap_err();

    lose_the_version_of_the_record(&pair);
    expect_refused(&pair.migrate().await.unwrap_err());
    let process = pair.source.process();
    let interrupt = Interrupt::default();
    let update = process.secrets().update(rotate(&db, "third"), &interrupt);
    update.await.unwrap();
    assert_eq!(pair.source.value("db").await.unwrap(), "third");

    // The key is found again.
    pair.target.kek.rotate();
    pair.migrated().await;
    assert_eq!(pair.target.value("db").await.unwrap(), "third");
}

#[tokio::test(start_paused = true)]
async fn nothing_moves_back_to_a_platform_whose_key_is_lost() {
    let pair = Pair::new();
    pair.source.kek.rotate();
    filled(&pair).await;
    pair.migrated().await;
    let back = pair.back();
    lose_the_version_of_the_record(&back);
    expect_refused(&back.migrate().await.unwrap_err());
    assert_eq!(pair.target.value("db").await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn former_versions_stay_if_the_target_is_under_a_lost_key() {
    let pair = Pair::new();
    filled(&pair).await;
    pair.target.kek.rotate();
    // The registered backend has the versions of both platforms.
    let calls = kills::calls().await;
    let last = calls
        .iter()
        .rfind(|call| matches!(call, kills::Call::Registered(..)));
    kills::killed_before(&pair, *last.unwrap()).await;
    let vault = pair.source.connector.place("vault");
    let deleted = vault.calls(StoreVerb::Delete);

    lose_the_version_of_the_record(&pair);
    expect_refused(&pair.migrate().await.unwrap_err());
    let interrupt = Interrupt::default();
    let swept = pair.migration().sweep(&|_| {}, &interrupt).await;
    expect_refused(&swept.unwrap_err());
    assert_eq!(vault.calls(StoreVerb::Delete), deleted);

    pair.target.kek.rotate();
    pair.migrated().await;
    assert!(vault.calls(StoreVerb::Delete) > deleted);
}
