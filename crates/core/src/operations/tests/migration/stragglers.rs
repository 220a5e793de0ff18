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

#[tokio::test(start_paused = true)]
async fn what_was_swept_and_destroyed_before_it_was_noted_is_neither_brought_back_nor_missed() {
    let pair = Pair::new();
    filled(&pair).await;
    let late = pair.source.warm().await;
    pair.migrated().await;
    created_late(&late, "late").await;
    // Killed after the copy is written, and before the source says so.
    let (reached, mut is_reached) = tokio::sync::mpsc::channel(1);
    let hold = async move {
        let _ = reached.send(()).await;
        std::future::pending::<()>().await;
    };
    pair.source.catalog.before(CatalogVerb::Write, 2, hold);
    let migration = pair.migration();
    let sweeping = tokio::spawn(async move {
        let interrupt = Interrupt::default();
        migration.sweep(&|_| {}, &interrupt).await
    });
    is_reached.recv().await.unwrap();
    sweeping.abort();
    let _ = sweeping.await;

    let process = pair.target.process();
    let interrupt = Interrupt::default();
    let own = own(&process.secrets().find(&name("late")).await.unwrap());
    process.secrets().delete(&own, &interrupt).await.unwrap();
    process.settle().await;
    for _ in 0..2 {
        let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
        assert_eq!((swept.records, swept.failed), (0, vec![]));
        assert!(pair.target.document(&name("late")).await.current.is_none());
    }
    pair.back().migrated().await;
    assert!(pair.source.document(&name("late")).await.current.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_late_secret_whose_name_was_used_and_given_up_since_is_named_with_the_way_out() {
    let pair = Pair::new();
    filled(&pair).await;
    let late = pair.source.warm().await;
    pair.migrated().await;
    created_late(&late, "late").await;
    let ours = created(&pair.target, "late", "ours").await;
    let interrupt = Interrupt::default();
    let process = pair.target.process();
    let given_up = own(&ours);
    process
        .secrets()
        .delete(&given_up, &interrupt)
        .await
        .unwrap();
    process.settle().await;

    let key = crate::catalog::record_key_of_name(&name("late"));
    let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    assert_eq!(swept.failed.len(), 1, "{swept:?}");
    let failed = &swept.failed[0];
    assert_eq!(failed.subject, "late");
    assert!(failed.reason.contains(key.as_str()), "{failed:?}");
    // The way out.
    pair.source.catalog.delete_by_hand(&key);
    let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    assert_eq!(swept.failed, []);
    pair.back().migrated().await;
}

/// Writes to the former platform what a creation that was killed leaves there: an entry.
async fn entry_written_late(pair: &Pair, digit: u64, is_altered: bool) -> RecordKey {
    let catalog = &pair.source.catalog;
    let cert = catalog.list("entries").await.unwrap().remove(0);
    let mut stored = pair.source.stored(&cert).await.unwrap();
    let mut body: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
    body["name"] = serde_json::to_value(name("late")).unwrap();
    body["written_at"] = jiff::Timestamp::now().to_string().into();
    stored.body = body.to_string();
    let end = cert.as_str().len() - 16;
    let late = RecordKey::new(format!("{}{digit:016x}", &cert.as_str()[..end]));
    let process = pair.target.warm().await;
    let mac_key = process.keys().mac_key().await.unwrap();
    let mac = mac_key.mac(late.as_str(), stored.body.as_bytes());
    stored.mac = match is_altered {
        true => "00".repeat(32),
        false => hex::encode(mac),
    };
    catalog.overwrite(&late, stored);
    late
}

#[tokio::test(start_paused = true)]
async fn an_altered_entry_keeps_a_sweep_from_copying_nothing_else() {
    let pair = Pair::new();
    filled(&pair).await;
    let late = pair.source.warm().await;
    pair.migrated().await;
    let altered = entry_written_late(&pair, 1, true).await;
    let entry = entry_written_late(&pair, 2, false).await;
    created_late(&late, "later").await;
    let interrupt = Interrupt::default();
    let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    let failed: Vec<_> = swept.failed.iter().map(|it| &*it.subject).collect();
    assert_eq!(failed, [altered.as_str()]);
    assert_eq!(swept.records, 2);
    let entries = pair.target.catalog.list("entries").await.unwrap();
    assert!(entries.contains(&entry) && !entries.contains(&altered));
    assert_eq!(pair.target.value("later").await.unwrap(), "hunter2");
}

#[tokio::test(start_paused = true)]
async fn the_look_for_late_documents_and_entries_ends_when_it_is_interrupted() {
    let pair = Pair::new();
    filled(&pair).await;
    pair.migrated().await;
    entry_written_late(&pair, 1, false).await;
    // Interrupted while the documents, and while the entries, are listed.
    for (of_sweep, nth) in [(false, 2), (true, 2)] {
        let token = tokio_util::sync::CancellationToken::new();
        let interrupt = Interrupt::new(token.clone(), None);
        let cancelled = async move { token.cancel() };
        let source = &pair.source.catalog;
        source.before(CatalogVerb::List, nth, cancelled);
        let reads = source.calls(CatalogVerb::Read);
        let stopped = match of_sweep {
            true => pair
                .migration()
                .sweep(&|_| {}, &interrupt)
                .await
                .unwrap_err(),
            false => pair
                .back()
                .migration()
                .survey(&|_| {}, &interrupt)
                .await
                .unwrap_err(),
        };
        let is_interrupted = matches!(stopped, OperationError::Interrupted { .. });
        assert!(is_interrupted, "{stopped:?}");
        // No document and no entry was read after the interruption.
        assert_eq!(source.calls(CatalogVerb::Read), reads, "{of_sweep}");
    }
}
