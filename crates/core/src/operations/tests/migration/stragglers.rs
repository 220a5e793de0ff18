//! Documents that reach a platform after the organization has left it.

use super::kills::{Call, killed_before};
use super::*;
use crate::catalog::{CatalogStore as _, CatalogVerb};
use crate::store::StoreVerb;

/// Creates a secret from a machine that slept between its look and its request.
async fn created_late(process: &Organization, named: &str) -> SecretView {
    let now = crate::boot_time::BootTime::now();
    let record = process.existing().await.unwrap();
    process.catalog.note_look(now, record);
    create(process, named, None).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_came_too_late_is_swept_before_the_organization_comes_back() {
    let pair = Pair::new();
    filled(&pair).await;
    let late = pair.source.warm().await;
    pair.migrated().await;
    created_late(&late, "late").await;

    let back = pair.back();
    let interrupt = Interrupt::default();
    let survey = back.migration().survey(&|_| {}, &interrupt).await.unwrap();
    let obstacles: Vec<_> = survey.obstacles.iter().map(|it| &*it.subject).collect();
    assert_eq!(obstacles, ["late"]);
    let writes = pair.target.catalog.calls(CatalogVerb::Write);
    let refused = back.migrate().await.unwrap();
    assert!(!refused.is_complete);
    assert_eq!(refused.failed, survey.obstacles);
    assert_eq!(pair.target.catalog.calls(CatalogVerb::Write), writes);
    assert_eq!(pair.target.value("db").await.unwrap(), "next");

    let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    assert_eq!((swept.records, swept.failed.len()), (1, 0));
    back.migrated().await;
    assert_eq!(pair.source.value("late").await.unwrap(), "hunter2");
    assert_eq!(pair.source.value("db").await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_process_from_an_earlier_time_on_the_target_keeps_no_migration_from_ending() {
    let pair = Pair::new();
    let [db, ..] = filled(&pair).await;
    let early = pair.source.warm().await;
    pair.migrated().await;
    let back = pair.back();
    // After the first pass, when everything is copied.
    let rotate = async move {
        let rotate = rotate(&db, "early");
        let interrupt = Interrupt::default();
        early.secrets().update(rotate, &interrupt).await.unwrap();
    };
    back.source.catalog.before(CatalogVerb::List, 4, rotate);
    back.migrated().await;
    assert_eq!(pair.source.value("db").await.unwrap(), "early");
    assert_eq!(pair.source.value("prod/api").await.unwrap(), "hunter2");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_brings_back_no_entry_of_what_was_destroyed_since() {
    let pair = Pair::new();
    let [_, _, cert] = filled(&pair).await;
    pair.migrated().await;
    let process = pair.target.process();
    let interrupt = Interrupt::default();
    let now = process.secrets().find(&cert.name).await.unwrap();
    process
        .secrets()
        .delete(&own(&now), &interrupt)
        .await
        .unwrap();
    process.settle().await;
    let before = pair.target.catalog.list("entries").await.unwrap();
    pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    let after = pair.target.catalog.list("entries").await.unwrap();
    assert_eq!(after, before);
}

/// Kills a sweep that has fenced a document and not copied it.
async fn sweep_killed_after_the_fence(pair: &Pair) {
    let (reached, mut is_reached) = tokio::sync::mpsc::channel(1);
    let hold = async move {
        let _ = reached.send(()).await;
        std::future::pending::<()>().await;
    };
    pair.target.store.before(StoreVerb::Put, 1, hold);
    let migration = pair.migration();
    let sweeping = tokio::spawn(async move {
        let interrupt = Interrupt::default();
        migration.sweep(&|_| {}, &interrupt).await
    });
    is_reached.recv().await.unwrap();
    sweeping.abort();
    let _ = sweeping.await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_sweep_is_continued_and_forgets_nothing_that_came_too_late() {
    for is_taken in [false, true] {
        let pair = Pair::new();
        filled(&pair).await;
        let late = pair.source.warm().await;
        pair.migrated().await;
        created_late(&late, "late").await;
        sweep_killed_after_the_fence(&pair).await;
        if is_taken {
            created(&pair.target, "late", "ours").await;
        }
        let interrupt = Interrupt::default();
        for nth in 0..2 {
            let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
            let records = usize::from(!is_taken && nth == 0);
            let failed = usize::from(is_taken);
            assert_eq!((swept.records, swept.failed.len()), (records, failed));
        }
        let expected = if is_taken { "ours" } else { "hunter2" };
        assert_eq!(pair.target.value("late").await.unwrap(), expected);
        if !is_taken {
            // A later sweep does not miss what was destroyed since.
            let process = pair.target.process();
            let now = process.secrets().find(&name("late")).await.unwrap();
            let own = own(&now);
            process.secrets().delete(&own, &interrupt).await.unwrap();
            let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
            assert_eq!(swept.failed, []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_sweep_has_fenced_keeps_the_organization_from_coming_back() {
    let pair = Pair::new();
    filled(&pair).await;
    let late = pair.source.warm().await;
    pair.migrated().await;
    created_late(&late, "late").await;
    sweep_killed_after_the_fence(&pair).await;
    let back = pair.back();
    let interrupt = Interrupt::default();
    let survey = back.migration().survey(&|_| {}, &interrupt).await.unwrap();
    let obstacles: Vec<_> = survey.obstacles.iter().map(|it| &*it.subject).collect();
    assert_eq!(obstacles, ["late"]);
    assert!(!back.migrate().await.unwrap().is_complete);
    assert_eq!(pair.target.value("db").await.unwrap(), "next");
    let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    assert_eq!((swept.records, swept.failed.len()), (1, 0));
    back.migrated().await;
    assert_eq!(pair.source.value("late").await.unwrap(), "hunter2");
}

#[tokio::test(start_paused = true)]
async fn another_secret_under_the_name_on_the_target_is_never_taken_for_a_copy() {
    let pair = Pair::new();
    filled(&pair).await;
    let early = pair.source.warm().await;
    pair.migrated().await;
    created(&pair.target, "twice", "kept").await;
    let back = pair.back();
    // After the look for late documents, and before any document is fenced.
    let create_and_edit = async move {
        let view = created_late(&early, "twice").await;
        let interrupt = Interrupt::default();
        let edited = early.secrets().update(rotate(&view, "edited"), &interrupt);
        edited.await.unwrap();
    };
    back.source
        .catalog
        .before(CatalogVerb::List, 1, create_and_edit);
    for _ in 0..2 {
        let done = back.migrate().await.unwrap();
        assert!(!done.is_complete, "{done:?}");
        assert_eq!(done.failed.len(), 1, "{done:?}");
    }
    let document = crate::catalog::record_key_of_name(&name("twice"));
    pair.source.catalog.delete_by_hand(&document);
    back.migrated().await;
    assert_eq!(pair.source.value("twice").await.unwrap(), "kept");
    assert_eq!(pair.source.value("db").await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_the_first_pass_and_moves_in_the_last_one_has_not_failed() {
    let pair = Pair::new();
    filled(&pair).await;
    pair.target.fail_store(
        StoreVerb::Put,
        1,
        crate::store::Landing::Before,
        crate::store::StoreErrorKind::Unavailable,
    );
    let done = pair.migrated().await;
    assert_eq!(done.failed, []);
    assert_eq!(pair.target.value("db").await.unwrap(), "next");
    assert_eq!(pair.target.value("prod/api").await.unwrap(), "hunter2");
}

#[tokio::test(start_paused = true)]
async fn a_document_that_claims_to_have_moved_is_altered_while_the_organization_is_here() {
    let pair = Pair::new();
    let [db, ..] = filled(&pair).await;
    let forge = |body: &str| {
        format!(
            r#"{{"moved":{{"id":"{}","place":{{"block":"bucket","arguments":{{"url":"s3://theirs"}}}},"since":"2026-01-01T00:00:00Z"}},"document":{body}}}"#,
            uuid::Uuid::nil()
        )
    };
    pair.source.alter(&name("db"), forge).await;
    for refused in [
        refreshed(&pair.source, &db).await.unwrap_err(),
        pair.source.value("db").await.unwrap_err(),
        create(&pair.source.process(), "db", None)
            .await
            .unwrap_err(),
    ] {
        expect_altered(&refused);
    }
}

#[tokio::test(start_paused = true)]
async fn a_way_whose_wraps_the_key_refuses_leads_nowhere() {
    let pair = Pair::new();
    filled(&pair).await;
    pair.migrated().await;
    let forge = |body: &str| {
        let mut record: serde_json::Value = serde_json::from_str(body).unwrap();
        record["state"]["migration"]["place"]["arguments"]["path"] = "/theirs".into();
        record["state"]["mac_key"][0]["wrapped"] = "00".repeat(40).into();
        record.to_string()
    };
    pair.source.alter_key("organization", forge).await;
    let late = pair.source.process().keys().status().await.unwrap_err();
    expect_altered(&late);
}

#[tokio::test(start_paused = true)]
async fn a_migration_killed_before_it_points_is_ended_by_the_next_call() {
    let pair = Pair::new();
    filled(&pair).await;
    // The last write to the source.
    let whole = Pair::new();
    filled(&whole).await;
    let before = whole.source.catalog.calls(CatalogVerb::Write);
    whole.migrated().await;
    let writes = whole.source.catalog.calls(CatalogVerb::Write) - before;
    killed_before(&pair, Call::Source(CatalogVerb::Write, writes)).await;
    let done = pair.migrated().await;
    assert_eq!((done.records, done.versions), (0, 0));
    let late = pair.source.process().keys().status().await.unwrap_err();
    assert_eq!(elsewhere(&late).unwrap().progress, MoveProgress::Moved);
}
