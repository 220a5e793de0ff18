//! Passes over all documents hold a few of them in memory, however many there are.
//!
//! What a pass has read or fenced, and not written or given out, it must hold.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::backends::keys::{declared_with, keys};
use super::backends::{change, create, slug};
use super::migration::Pair;
use super::*;
use crate::catalog::{CatalogVerb, InMemoryCatalog};
use crate::operations::UpdateBackend;

const SECRETS: usize = 230;

/// The documents that a pass looks at together.
const CHUNK: usize = 100;

async fn fill(process: &Organization, backend: Option<&str>) {
    for number in 0..SECRETS {
        create(process, &format!("s{number}"), backend)
            .await
            .unwrap();
    }
}

/// Records the greatest value of `held` at each call of `verb` from now on.
fn watch(
    catalog: &InMemoryCatalog,
    verb: CatalogVerb,
    held: impl Fn() -> usize + Clone + Send + Sync + 'static,
) -> Arc<AtomicUsize> {
    let most = Arc::new(AtomicUsize::new(0));
    for nth in 1..=SECRETS {
        let (most, held) = (Arc::clone(&most), held.clone());
        catalog.before(verb, nth, async move {
            most.fetch_max(held(), Ordering::Relaxed);
        });
    }
    most
}

#[track_caller]
fn expect_some(most: &AtomicUsize, at_most: usize) {
    let most = most.load(Ordering::Relaxed);
    assert!((1..=at_most).contains(&most), "{most}");
}

#[tokio::test]
async fn a_rewrap_holds_no_more_documents_than_a_chunk() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared_with(&process, keys(Some("one"), &[])).await;
    fill(&process, Some("vault")).await;
    let update = UpdateBackend {
        keys: keys(Some("two"), &[]),
        ..change(&backend)
    };
    let interrupt = Interrupt::default();
    process.backends().update(update, &interrupt).await.unwrap();

    let process = world.warm().await;
    let catalog = Arc::clone(&world.catalog);
    let before = [CatalogVerb::Read, CatalogVerb::Write].map(|verb| catalog.calls(verb));
    let held = move || {
        let read = catalog.calls(CatalogVerb::Read) - before[0];
        let written = catalog.calls(CatalogVerb::Write) - before[1];
        read.saturating_sub(written)
    };
    let most = watch(&world.catalog, CatalogVerb::Read, held);
    let keys = process.keys();
    let done = keys.rewrap(&slug("vault"), &|_| {}, &interrupt).await;
    assert_eq!(done.unwrap().rewrapped, SECRETS);
    // It reads the records of the organization and of the backend as well.
    expect_some(&most, CHUNK + 5);
}

#[tokio::test(start_paused = true)]
async fn a_migration_holds_no_more_documents_than_it_copies_at_once() {
    let pair = Pair::new();
    fill(&pair.source.warm().await, None).await;
    let (source, target) = (
        Arc::clone(&pair.source.catalog),
        Arc::clone(&pair.target.catalog),
    );
    let before = [&source, &target].map(|catalog| catalog.calls(CatalogVerb::Write));
    let held = move || {
        let fenced = source.calls(CatalogVerb::Write) - before[0];
        let copied = target.calls(CatalogVerb::Write) - before[1];
        fenced.saturating_sub(copied)
    };
    let most = watch(&pair.source.catalog, CatalogVerb::Write, held);
    let done = pair.migrated().await;
    assert_eq!(done.versions, SECRETS);
    expect_some(&most, CHUNK);
}

/// Counts the lines that are written.
#[derive(Clone, Default)]
struct Lines(Arc<AtomicUsize>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.0.fetch_add(ends, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_backup_holds_no_more_records_than_it_reads_at_once() {
    let world = World::new();
    fill(&world.warm().await, None).await;
    let process = world.warm().await;
    let lines = Lines::default();
    let (catalog, written) = (Arc::clone(&world.catalog), Arc::clone(&lines.0));
    let before = catalog.calls(CatalogVerb::Read);
    let held = move || {
        let read = catalog.calls(CatalogVerb::Read) - before;
        let header = 1;
        (header + read).saturating_sub(written.load(Ordering::Relaxed))
    };
    let most = watch(&world.catalog, CatalogVerb::Read, held);
    let interrupt = Interrupt::default();
    let keys = process.keys();
    let done = keys.backup(lines.clone(), &|_| {}, &interrupt).await;
    assert!(done.unwrap().1.looked_at > SECRETS);
    assert!(lines.0.load(Ordering::Relaxed) > SECRETS);
    expect_some(&most, CHUNK);
}
