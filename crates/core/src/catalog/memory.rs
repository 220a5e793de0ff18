//! Implements a catalog in memory: the reference of a [`CatalogStore`], and a test
//! double for its callers.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{CatalogError, CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord};
use crate::marks::{ListedMarks, Mark, MarkQuery, page_of};
use crate::store::{Fault, Landing, Script};

/// A method of [`CatalogStore`], for scripts and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogVerb {
    /// [`CatalogStore::read`].
    Read,
    /// [`CatalogStore::read_fenced`].
    ReadFenced,
    /// [`CatalogStore::read_since_own_writes`].
    ReadSinceOwnWrites,
    /// [`CatalogStore::write`].
    Write,
    /// [`CatalogStore::forget_history`].
    ForgetHistory,
    /// [`CatalogStore::remove`].
    Remove,
    /// [`CatalogStore::list`].
    List,
    /// [`CatalogStore::list_marks`].
    ListMarks,
}

/// A copy of all records of a catalog, for a restore.
#[derive(Clone, Debug)]
pub struct CatalogSnapshot(Records);

type Records = BTreeMap<RecordKey, (StoredRecord, Revision)>;

/// A catalog in memory.
#[derive(Debug, Default)]
pub struct InMemoryCatalog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: Records,
    /// Records that [`InMemoryCatalog::delete_by_hand`] deleted.
    deleted: Records,
    stale: BTreeMap<RecordKey, Option<(StoredRecord, Revision)>>,
    script: Script<CatalogVerb, CatalogErrorKind>,
    is_refused: bool,
    lists_no_marks: bool,
    marks_per_page: Option<usize>,
}

impl InMemoryCatalog {
    /// Returns an empty catalog.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Scripts a failure of a call.
    pub fn inject(&self, fault: Fault<CatalogVerb, CatalogErrorKind>) {
        self.state().script.inject(fault);
    }

    /// Lets each request take a tick of a paused clock from now on. A fenced read takes two
    /// requests in a row.
    #[cfg(test)]
    pub(crate) fn time(&self) {
        let script = &mut self.state().script;
        script.time();
        script.cost(CatalogVerb::ReadFenced, 2);
    }

    /// Runs `race` to its end at the start of the `nth` call of `verb` from now.
    ///
    /// The call takes effect afterwards. The race may use this catalog, for example to
    /// write between a read and the write that follows it.
    pub fn before(
        &self,
        verb: CatalogVerb,
        nth: usize,
        race: impl Future<Output = ()> + Send + 'static,
    ) {
        self.state().script.before(verb, nth, race);
    }

    /// Stands for a storage that does not keep the promises of a catalog.
    pub fn refuse(&self) {
        self.state().is_refused = true;
    }

    /// Stands for a storage without a listing of marks.
    pub fn list_no_marks(&self) {
        self.state().lists_no_marks = true;
    }

    /// Lists at most `marks` in a page.
    pub fn list_pages_of(&self, marks: usize) {
        self.state().marks_per_page = Some(marks);
    }

    /// Returns the number of calls of `verb`.
    #[must_use]
    pub fn calls(&self, verb: CatalogVerb) -> usize {
        self.state().script.calls(verb)
    }

    /// Writes a record without a check of its revision, as another writer.
    pub fn overwrite(&self, key: &RecordKey, record: StoredRecord) -> Revision {
        let mut state = self.state();
        let Revision(revision) = state.revision(key);
        let next = Revision(revision + 1);
        state.records.insert(key.clone(), (record, next));
        next
    }

    /// Deletes a record manually, in a storage that keeps a trace of the deletion.
    pub fn delete_by_hand(&self, key: &RecordKey) {
        let mut state = self.state();
        if let Some(record) = state.records.remove(key) {
            state.deleted.insert(key.clone(), record);
        }
    }

    /// Restores a record that was deleted manually.
    pub fn undelete(&self, key: &RecordKey) {
        let mut state = self.state();
        if let Some(record) = state.deleted.remove(key) {
            state.records.insert(key.clone(), record);
        }
    }

    /// Simulates a lagging standby: [`read`](CatalogStore::read) of `key` returns the
    /// present record.
    ///
    /// The stale reads end with the next fenced read.
    pub fn serve_stale(&self, key: &RecordKey) {
        let mut state = self.state();
        let now = state.records.get(key).cloned();
        state.stale.insert(key.clone(), now);
    }

    /// Simulates a lagging standby, as [`serve_stale`](Self::serve_stale), with the
    /// snapshot's record.
    pub fn serve_stale_from(&self, snapshot: &CatalogSnapshot, key: &RecordKey) {
        let then = snapshot.0.get(key).cloned();
        self.state().stale.insert(key.clone(), then);
    }

    /// Returns a copy of all records.
    #[must_use]
    pub fn snapshot(&self) -> CatalogSnapshot {
        CatalogSnapshot(self.state().records.clone())
    }

    /// Restores all records and their revisions, as from a backup.
    pub fn restore(&self, snapshot: CatalogSnapshot) {
        self.state().records = snapshot.0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one call with its scripted race and fault.
    async fn scripted<T>(
        &self,
        verb: CatalogVerb,
        path: &str,
        call: impl FnOnce(&mut State) -> Result<T, CatalogErrorKind> + Send,
    ) -> Result<T, CatalogError> {
        let operation = match verb {
            CatalogVerb::Read | CatalogVerb::ReadFenced | CatalogVerb::ReadSinceOwnWrites => "read",
            CatalogVerb::Write => "write",
            CatalogVerb::ForgetHistory => "forget history",
            CatalogVerb::Remove => "remove",
            CatalogVerb::List => "list",
            CatalogVerb::ListMarks => "list marks",
        };
        let error = |kind| CatalogError::new(kind, operation, path);
        let mut step = self.state().script.step(verb);
        step.pass().await;
        if let Some(race) = step.race.take() {
            race.await;
        }
        if let Some(kind) = step.strikes(Landing::Before) {
            return Err(error(kind));
        }
        let outcome = call(&mut self.state()).map_err(error)?;
        match step.strikes(Landing::After) {
            Some(kind) => Err(error(kind)),
            None => Ok(outcome),
        }
    }
}

impl State {
    fn revision(&self, key: &RecordKey) -> Revision {
        self.records
            .get(key)
            .map_or(Revision::ABSENT, |(_, revision)| *revision)
    }
}

#[async_trait]
impl CatalogStore for InMemoryCatalog {
    async fn read(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.scripted(CatalogVerb::Read, key.as_str(), |state| {
            // `read` guarantees that an absent record is never a stale read.
            match state.stale.get(key) {
                Some(Some(stale)) => Ok(Some(stale.clone())),
                Some(None) | None => Ok(state.records.get(key).cloned()),
            }
        })
        .await
    }

    async fn read_fenced(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.scripted(CatalogVerb::ReadFenced, key.as_str(), |state| {
            state.stale.clear();
            Ok(state.records.get(key).cloned())
        })
        .await
    }

    /// Returns the newest record, though a real storage may lag behind the writes of
    /// others.
    async fn read_since_own_writes(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.scripted(CatalogVerb::ReadSinceOwnWrites, key.as_str(), |state| {
            Ok(state.records.get(key).cloned())
        })
        .await
    }

    async fn expect_usable(&self) -> Result<(), CatalogError> {
        match self.state().is_refused {
            true => Err(CatalogError::new(
                CatalogErrorKind::Misconfigured,
                "probe",
                "memory",
            )),
            false => Ok(()),
        }
    }

    async fn expect_never_deleted(&self, key: &RecordKey) -> Result<(), CatalogError> {
        match self.state().deleted.contains_key(key) {
            true => Err(CatalogError::new(
                CatalogErrorKind::Removed,
                "read",
                key.as_str(),
            )),
            false => Ok(()),
        }
    }

    async fn write(
        &self,
        key: &RecordKey,
        record: &StoredRecord,
        expected: Revision,
    ) -> Result<Revision, CatalogError> {
        self.scripted(CatalogVerb::Write, key.as_str(), |state| {
            if state.revision(key) != expected {
                return Err(CatalogErrorKind::Conflict);
            }
            // The revision increases over a deleted record too.
            let deleted = state.deleted.remove(key);
            let before = deleted.map_or(expected, |(_, revision)| revision);
            let next = Revision(before.0 + 1);
            state.records.insert(key.clone(), (record.clone(), next));
            Ok(next)
        })
        .await
    }

    async fn forget_history(&self, key: &RecordKey, _: Revision) -> Result<(), CatalogError> {
        self.scripted(CatalogVerb::ForgetHistory, key.as_str(), |_| Ok(()))
            .await
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), CatalogError> {
        self.scripted(CatalogVerb::Remove, key.as_str(), |state| {
            state.records.remove(key);
            Ok(())
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<RecordKey>, CatalogError> {
        self.scripted(CatalogVerb::List, prefix, |state| {
            let below = |key: &&RecordKey| {
                prefix.is_empty()
                    || key
                        .as_str()
                        .strip_prefix(prefix)
                        .is_some_and(|rest| rest.starts_with('/'))
            };
            Ok(state.records.keys().filter(below).cloned().collect())
        })
        .await
    }

    /// Returns the mark of the present record only, as if no process had seen an earlier one.
    fn mark(&self, key: &RecordKey, revision: Revision) -> Option<Mark> {
        let state = self.state();
        let stored = state.records.get(key);
        let (record, _) = stored.filter(|(_, present)| *present == revision)?;
        Some(mark_of(key, record, revision))
    }

    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, CatalogError> {
        self.scripted(CatalogVerb::ListMarks, query.folder, |state| {
            if state.lists_no_marks {
                return Ok(ListedMarks::Unavailable);
            }
            // A standby that lags lists stale records too.
            let records = state.records.iter().map(|(key, present)| {
                let stale = state.stale.get(key).and_then(Option::as_ref);
                let (record, revision) = stale.unwrap_or(present);
                (key.as_str(), mark_of(key, record, *revision))
            });
            let limit = state.marks_per_page.unwrap_or(query.limit);
            Ok(page_of(records, MarkQuery { limit, ..query }))
        })
        .await
    }
}

/// Returns the mark of a record. Each write has another body.
fn mark_of(key: &RecordKey, record: &StoredRecord, revision: Revision) -> Mark {
    let revision = revision.0.to_string();
    Mark::of(&[key.as_str(), &revision, &record.body, &record.mac])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::*;
    use crate::catalog::conformance;

    fn record(body: &str) -> StoredRecord {
        StoredRecord {
            body: body.to_owned(),
            mac: "00".to_owned(),
        }
    }

    #[tokio::test]
    async fn memory_conforms() {
        conformance::run_all(&InMemoryCatalog::new(), "run").await;
    }

    #[tokio::test]
    async fn a_fault_before_landing_has_no_effect_and_after_landing_all_of_it() {
        let catalog = InMemoryCatalog::new();
        let key = RecordKey::new("secrets/db");
        for (landing, kind, landed) in [
            (Landing::Before, CatalogErrorKind::Unavailable, false),
            (Landing::After, CatalogErrorKind::Conflict, true),
        ] {
            catalog.inject(Fault {
                verb: CatalogVerb::Write,
                nth: 1,
                landing,
                kind,
            });
            let error = catalog
                .write(&key, &record("{}"), Revision::ABSENT)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), kind);
            assert_eq!(catalog.read(&key).await.unwrap().is_some(), landed);
        }
    }

    #[tokio::test]
    async fn a_race_between_read_and_write_makes_the_write_a_conflict() {
        let catalog = Arc::new(InMemoryCatalog::new());
        let key = RecordKey::new("secrets/db");
        let (racing, raced) = (Arc::clone(&catalog), key.clone());
        catalog.before(CatalogVerb::Write, 1, async move {
            racing.overwrite(&raced, record("theirs"));
        });
        assert!(catalog.read(&key).await.unwrap().is_none());
        let error = catalog
            .write(&key, &record("ours"), Revision::ABSENT)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::Conflict);
        let stored = catalog.read(&key).await.unwrap().unwrap();
        assert_eq!(stored, (record("theirs"), Revision(1)));
    }

    #[tokio::test]
    async fn a_stale_answer_ends_with_the_fence() {
        let catalog = InMemoryCatalog::new();
        let key = RecordKey::new("secrets/db");
        catalog.overwrite(&key, record("1"));
        catalog.serve_stale(&key);
        catalog.overwrite(&key, record("2"));
        let revision = |answer: Option<(StoredRecord, Revision)>| answer.unwrap().1;
        assert_eq!(revision(catalog.read(&key).await.unwrap()), Revision(1));
        assert_eq!(
            revision(catalog.read_fenced(&key).await.unwrap()),
            Revision(2)
        );
        assert_eq!(revision(catalog.read(&key).await.unwrap()), Revision(2));
    }

    #[tokio::test]
    async fn restore_brings_old_revisions_back() {
        let catalog = InMemoryCatalog::new();
        let key = RecordKey::new("secrets/db");
        catalog.overwrite(&key, record("1"));
        let backup = catalog.snapshot();
        catalog.overwrite(&key, record("2"));
        catalog.restore(backup);
        let (_, revision) = catalog.read(&key).await.unwrap().unwrap();
        assert_eq!(revision, Revision(1));
    }
}
