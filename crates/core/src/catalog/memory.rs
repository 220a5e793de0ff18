//! A catalog in memory: the reference for what every [`CatalogStore`] does, and
//! what tests of its callers run against.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{CatalogError, CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord};
use crate::store::{Fault, Landing, Script};

/// The calls of a [`CatalogStore`], for scripts and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CatalogVerb {
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
}

/// All records of a catalog, to restore it from.
#[derive(Clone, Debug)]
pub(crate) struct CatalogSnapshot(Records);

type Records = BTreeMap<RecordKey, (StoredRecord, Revision)>;

/// A catalog in memory.
#[derive(Debug, Default)]
pub(crate) struct InMemoryCatalog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: Records,
    /// What somebody deleted by hand.
    deleted: Records,
    stale: BTreeMap<RecordKey, Option<(StoredRecord, Revision)>>,
    script: Script<CatalogVerb, CatalogErrorKind>,
}

impl InMemoryCatalog {
    /// Returns an empty catalog.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Makes a call fail.
    pub(crate) fn inject(&self, fault: Fault<CatalogVerb, CatalogErrorKind>) {
        self.state().script.inject(fault);
    }

    /// Runs `race` to its end when the `nth` call of `verb` from now has
    /// begun, and before it has any effect. The race may use this catalog: so
    /// another writer comes between a read and the write that follows it.
    pub(crate) fn before(
        &self,
        verb: CatalogVerb,
        nth: usize,
        race: impl Future<Output = ()> + Send + 'static,
    ) {
        self.state().script.before(verb, nth, race);
    }

    /// Returns how often `verb` was called.
    #[must_use]
    pub(crate) fn calls(&self, verb: CatalogVerb) -> usize {
        self.state().script.calls(verb)
    }

    /// Writes a record whatever its revision, as another writer would.
    pub(crate) fn overwrite(&self, key: &RecordKey, record: StoredRecord) -> Revision {
        let mut state = self.state();
        let Revision(revision) = state.revision(key);
        let next = Revision(revision + 1);
        state.records.insert(key.clone(), (record, next));
        next
    }

    /// Deletes a record as somebody does by hand, in a storage that keeps its trace.
    pub(crate) fn delete_by_hand(&self, key: &RecordKey) {
        let mut state = self.state();
        if let Some(record) = state.records.remove(key) {
            state.deleted.insert(key.clone(), record);
        }
    }

    /// Takes back that a record was deleted.
    pub(crate) fn undelete(&self, key: &RecordKey) {
        let mut state = self.state();
        if let Some(record) = state.deleted.remove(key) {
            state.records.insert(key.clone(), record);
        }
    }

    /// Lets [`read`](CatalogStore::read) of `key` answer with what is there
    /// now, whatever is written, until it is read fenced: a standby that lags.
    pub(crate) fn serve_stale(&self, key: &RecordKey) {
        let mut state = self.state();
        let now = state.records.get(key).cloned();
        state.stale.insert(key.clone(), now);
    }

    /// As [`serve_stale`](Self::serve_stale), with what was there at the snapshot.
    pub(crate) fn serve_stale_from(&self, snapshot: &CatalogSnapshot, key: &RecordKey) {
        let then = snapshot.0.get(key).cloned();
        self.state().stale.insert(key.clone(), then);
    }

    /// Returns all records as they are.
    #[must_use]
    pub(crate) fn snapshot(&self) -> CatalogSnapshot {
        CatalogSnapshot(self.state().records.clone())
    }

    /// Puts all records back as they were, revisions included: a restore from
    /// a backup.
    pub(crate) fn restore(&self, snapshot: CatalogSnapshot) {
        self.state().records = snapshot.0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one call as the script says.
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
        };
        let error = |kind| CatalogError::new(kind, operation, path);
        let mut step = self.state().script.step(verb);
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
            // Nothing is never a stale answer: that is `read`'s own promise.
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

    /// Past any stale answer, though a real storage may be behind others' last writes.
    async fn read_since_own_writes(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.scripted(CatalogVerb::ReadSinceOwnWrites, key.as_str(), |state| {
            Ok(state.records.get(key).cloned())
        })
        .await
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
            // Over a deleted record the revision does not go back either.
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
