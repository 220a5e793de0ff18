//! Writers that began before a migration: none is lost, and none writes to both platforms.

use std::time::Duration;

use super::kills::{Call, killed_before};
use super::*;
use crate::catalog::CatalogVerb;
use crate::operations::ValueSource;
use crate::store::StoreVerb;
use planton_envelope::SecretValue;

/// How many writers run throughout.
const WRITERS: usize = 20;

/// What a writer knows of its secret: the last acknowledged value, and its view.
struct Written {
    name: String,
    value: String,
    view: SecretView,
}

/// Creates a secret and rotates it until it is told where the organization is.
async fn write_until_moved(process: Organization, writer: usize) -> Option<Written> {
    let interrupt = Interrupt::default();
    let mut written: Option<Written> = None;
    for round in 0.. {
        let value = format!("{writer}-{round}");
        let outcome = match &written {
            None => {
                let name = format!("w{writer}");
                let create = create_of(&name, given(&value));
                process.secrets().create(create, &interrupt).await
            }
            Some(written) => {
                let rotate = rotate(&written.view, &value);
                process.secrets().update(rotate, &interrupt).await
            }
        };
        match outcome {
            Ok(view) => {
                let name = format!("w{writer}");
                written = Some(Written { name, value, view });
            }
            Err(error) => {
                let found = elsewhere(&error).unwrap_or_else(|| panic!("{error:?}"));
                assert_eq!(found.place, place("b"));
                return written;
            }
        }
        // Some begin late: whoever creates a name meanwhile.
        tokio::time::sleep(Duration::from_millis(170 * (writer as u64 + 1))).await;
    }
    written
}

#[tokio::test(start_paused = true)]
async fn of_twenty_writers_throughout_no_acknowledged_value_is_lost() {
    migrate_beside_writers(&Pair::new(), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn of_twenty_writers_throughout_a_migration_that_is_killed_again_and_again_none_loses() {
    // None of these is a call of a writer. The second comes after the mark.
    let kills = [
        Call::Target(CatalogVerb::Write, 1),
        Call::Source(CatalogVerb::List, 1),
        Call::Registered(StoreVerb::Put, 1),
        Call::TargetStore(StoreVerb::Put, 1),
        Call::Target(CatalogVerb::Write, 1),
        Call::Target(CatalogVerb::Write, 3),
        Call::Source(CatalogVerb::List, 4),
    ];
    migrate_beside_writers(&Pair::new(), &kills).await;
}

/// Migrates beside twenty writers, and kills the migration before each of these calls.
async fn migrate_beside_writers(pair: &Pair, kills: &[Call]) {
    filled(pair).await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let process = pair.source.warm().await;
        writers.push(tokio::spawn(async move {
            // Half of them begin while the migration is under way.
            let begins = if writer % 2 == 0 {
                0
            } else {
                writer as u64 * 3
            };
            tokio::time::sleep(Duration::from_secs(begins)).await;
            write_until_moved(process, writer).await
        }));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    for call in kills {
        killed_before(pair, *call).await;
    }
    pair.migrated().await;
    let mut acknowledged = 0;
    for writer in writers {
        let Some(written) = writer.await.unwrap() else {
            continue;
        };
        acknowledged += 1;
        let value = pair.target.value(&written.name).await;
        assert_eq!(value.unwrap(), written.value, "{}", written.name);
        let seen = refreshed(&pair.target, &written.view).await.unwrap();
        assert!(matches!(seen, Refreshed::Present(_)), "{seen:?}");
    }
    assert!(acknowledged >= WRITERS / 2, "{acknowledged}");
}

#[tokio::test(start_paused = true)]
async fn a_creation_within_ten_seconds_of_its_look_lands_and_moves() {
    let pair = Pair::new();
    filled(&pair).await;
    let late = pair.source.warm().await;
    // When the migration lists the names first, the creation is not there yet.
    let (source, writer) = (pair.source.clone(), late);
    let (sent, created) = tokio::sync::oneshot::channel();
    pair.source
        .catalog
        .before(CatalogVerb::List, 5, async move {
            drop(source);
            let create = create_of("late", given("kept"));
            let outcome = writer.secrets().create(create, &Interrupt::default()).await;
            sent.send(outcome).unwrap();
        });
    pair.migrated().await;
    let view = created.await.unwrap().unwrap();
    assert_eq!(pair.target.value("late").await.unwrap(), "kept");
    let seen = refreshed(&pair.target, &view).await.unwrap();
    assert!(matches!(seen, Refreshed::Present(_)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_creation_looks_again_when_its_look_is_old_and_leaves_nothing_behind() {
    let pair = Pair::new();
    filled(&pair).await;
    let late = pair.source.warm().await;
    pair.migrated().await;
    late.catalog.forget_look();
    let objects = pair.source.store.objects().len();
    let reads = pair.source.catalog.calls(CatalogVerb::ReadFenced);
    let refused = create(&late, "late", None).await.unwrap_err();
    assert_eq!(elsewhere(&refused).unwrap().place, place("b"));
    // One looks at the organization, and one for a document that names the put.
    assert_eq!(
        pair.source.catalog.calls(CatalogVerb::ReadFenced),
        reads + 2
    );
    assert_eq!(pair.source.store.objects().len(), objects);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_of_a_moved_secret_takes_its_version_back() {
    let pair = Pair::new();
    let [db, ..] = filled(&pair).await;
    let late = pair.source.warm().await;
    let versions = |pair: &Pair| -> usize {
        let objects = pair.source.store.objects();
        objects
            .iter()
            .map(|it| pair.source.store.versions(it).len())
            .sum()
    };
    let before = versions(&pair);
    // The migration runs between the rotation's put and its commit.
    let (source, target) = (pair.source.clone(), pair.target.clone());
    pair.source.store.before(StoreVerb::Put, 1, async move {
        Pair { source, target }.migrated().await;
    });
    let interrupt = Interrupt::default();
    let rotated = late.secrets().update(rotate(&db, "late"), &interrupt);
    let refused = rotated.await.unwrap_err();
    assert_eq!(elsewhere(&refused).unwrap().place, place("b"));
    assert_eq!(versions(&pair), before);
    assert_eq!(pair.target.value("db").await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_landed_before_its_document_moved_is_acknowledged() {
    let pair = Pair::new();
    let [db, ..] = filled(&pair).await;
    let late = pair.source.warm().await;
    // Its response is lost, and a retry conflicts with what the migration has put there.
    pair.source.fail_catalog(
        CatalogVerb::Write,
        1,
        crate::store::Landing::After,
        crate::catalog::CatalogErrorKind::Conflict,
    );
    let (source, target) = (pair.source.clone(), pair.target.clone());
    let fenced = pair.source.catalog.calls(CatalogVerb::ReadFenced);
    assert!(fenced > 0);
    pair.source
        .catalog
        .before(CatalogVerb::ReadFenced, 1, async move {
            Pair { source, target }.migrated().await;
        });
    let value = ValueSource::Given(SecretValue::Text("late".into()));
    let update = UpdateSecret {
        source: Some(value),
        ..edit(&db)
    };
    let view = late
        .secrets()
        .update(update, &Interrupt::default())
        .await
        .unwrap();
    assert_eq!(pair.target.value("db").await.unwrap(), "late");
    let seen = refreshed(&pair.target, &view).await.unwrap();
    assert!(matches!(seen, Refreshed::Present(_)), "{seen:?}");
}

/// Commits an edit on top of the commit of another writer, and migrates.
async fn edit_and_migrate(pair: Pair, view: SecretView) {
    let found = refreshed(&pair.source, &view).await.unwrap();
    let Refreshed::Present(now) = found else {
        panic!("{found:?}");
    };
    let mut edit = edit(&now);
    edit.metadata.description = Some("edited".to_owned());
    let process = pair.source.process();
    let interrupt = Interrupt::default();
    let edited = process.secrets().update(edit, &interrupt);
    edited.await.unwrap();
    pair.migrated().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_below_that_of_another_writer_keeps_its_version_when_its_document_moved() {
    for named in ["db", "cert"] {
        let pair = Pair::new();
        let views = filled(&pair).await;
        let view = views.iter().find(|view| view.name == name(named)).unwrap();
        let late = pair.source.warm().await;
        // Its response is lost, and its repetition finds what the migration has put there.
        pair.source.fail_catalog(
            CatalogVerb::Write,
            1,
            crate::store::Landing::After,
            crate::catalog::CatalogErrorKind::Conflict,
        );
        let (source, target) = (pair.source.clone(), pair.target.clone());
        let others = edit_and_migrate(Pair { source, target }, view.clone());
        pair.source
            .catalog
            .before(CatalogVerb::ReadFenced, 1, others);
        let interrupt = Interrupt::default();
        let rotated = late.secrets().update(rotate(view, "late"), &interrupt);
        let rotated = rotated.await.unwrap();
        assert_eq!(pair.target.value(named).await.unwrap(), "late");
        let seen = refreshed(&pair.target, &rotated).await.unwrap();
        assert!(matches!(seen, Refreshed::Present(_)), "{seen:?}");
    }
}
