//! Looks at the organization's record before a record is created: a migration may have begun.
//!
//! A migration puts another record in the place of each document, and so fences whoever writes
//! it. A name without a document has nothing to replace. So a write that creates a record is
//! sent, and sent again, only for a short time after its process has seen that no migration has
//! begun. The migration waits longer than that before it lists the names for the last time:
//! docs/adr/0028-migration-between-platforms.md.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{
    Catalog, CatalogError, CatalogErrorKind, ORGANIZATION_RECORD, OrganizationRecord, Record,
    RecordKey, Revision,
};
use crate::boot_time::BootTime;
use crate::deadline::{OperationContext, Stop};
use planton_envelope::MacKey;

/// How long after a look a record may be created.
const LOOK_SERVES: Duration = Duration::from_secs(10);

/// How often a creation is sent again after another look. Together with the time that a look
/// serves, as long as any other request is retried.
const ROUNDS: usize = 6;

/// When this process last saw that no migration has begun.
#[derive(Debug, Default)]
pub(super) struct LastLook {
    at: Mutex<Option<BootTime>>,
    /// Set in the process of the migration itself, for its target.
    is_needless: AtomicBool,
}

impl LastLook {
    fn at(&self) -> Option<BootTime> {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, at: BootTime) {
        let mut last = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (*last).max(Some(at));
    }
}

impl Catalog {
    /// Notes that a read of the organization's record, which began at `asked`, found no
    /// migration.
    pub(crate) fn note_look(&self, asked: BootTime, record: &OrganizationRecord) {
        if record.state.expect_in_place().is_ok() {
            self.last_look.set(asked);
        }
    }

    /// Lets this process create records without a look: it is the migration that fills this
    /// catalog.
    pub(crate) fn fill(&self) {
        self.last_look.is_needless.store(true, Ordering::Relaxed);
    }

    /// Lets the next creation of a record look again.
    #[cfg(test)]
    pub(crate) fn forget_look(&self) {
        let mut last = self
            .last_look
            .at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = None;
    }

    /// Returns until when a creation may be sent. Looks again if the last look is too old.
    ///
    /// # Errors
    ///
    /// `Moved` if a migration has begun; failures of the read.
    async fn looked(&self) -> Result<BootTime, CatalogError> {
        if let Some(at) = self.last_look.at() {
            let until = at.after(LOOK_SERVES);
            if !until.has_passed() {
                return Ok(until);
            }
        }
        let asked = BootTime::now();
        let key = RecordKey::new(ORGANIZATION_RECORD);
        let found = self.load_fenced::<OrganizationRecord>(&key).await?;
        if let Some(found) = found {
            found.record.state.expect_in_place()?;
        }
        self.last_look.set(asked);
        Ok(asked.after(LOOK_SERVES))
    }

    /// Creates a record, each try of the request within a short time after a look.
    ///
    /// # Errors
    ///
    /// `Moved` if a migration has begun and nothing was sent; as [`save`](Self::save).
    pub(super) async fn create<T: Record>(
        &self,
        key: &RecordKey,
        record: &T,
        mac_key: Option<&MacKey>,
    ) -> Result<Revision, CatalogError> {
        if self.last_look.is_needless.load(Ordering::Relaxed) {
            return self.save(key, record, mac_key, Revision::ABSENT).await;
        }
        let mut failed: Option<CatalogError> = None;
        for _ in 0..ROUNDS {
            let until = match self.looked().await {
                Ok(until) => until,
                // An earlier try may still land, so the failure of that try counts.
                Err(error) => return Err(failed.unwrap_or(error)),
            };
            let context = OperationContext {
                send_until: Some(until),
                ..OperationContext::current()
            };
            let saved = self.save(key, record, mac_key, Revision::ABSENT);
            match context.scope(Box::pin(saved)).await {
                Err(error) if until.has_passed() && may_repeat(&error) => failed = Some(error),
                outcome => return outcome,
            }
        }
        Err(failed.expect("each round without a failure returns"))
    }
}

/// Returns whether a try that ended with its look may be repeated after another one.
fn may_repeat(error: &CatalogError) -> bool {
    use CatalogErrorKind as K;
    let context = OperationContext::current();
    let is_over = context.after(u32::MAX).stop().is_some();
    let is_unclear = matches!(error.kind(), K::Unavailable | K::RateLimited);
    !is_over && (is_unclear || Stop::beneath(error) == Some(Stop::DeadlinePassed))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::*;
    use crate::catalog::{CatalogVerb, DefaultBackendRecord, InMemoryCatalog};
    use crate::store::{Fault, Landing};

    /// A moment before a look is too old.
    const ALMOST: Duration = Duration::from_millis(9_900);

    fn catalog() -> (Arc<InMemoryCatalog>, Catalog) {
        let store = Arc::new(InMemoryCatalog::new());
        (Arc::clone(&store), Catalog::new(store))
    }

    fn lost(catalog: &InMemoryCatalog, landing: Landing) {
        catalog.inject(Fault {
            verb: CatalogVerb::Write,
            nth: 1,
            landing,
            kind: CatalogErrorKind::Unavailable,
        });
    }

    async fn created(catalog: &Catalog) -> Result<Revision, CatalogError> {
        let key = RecordKey::new("default");
        let record = DefaultBackendRecord::default();
        catalog.create(&key, &record, None).await
    }

    #[tokio::test]
    async fn a_look_serves_for_ten_seconds_and_an_older_one_is_taken_again() {
        let (store, catalog) = catalog();
        catalog.last_look.set(BootTime::now());
        created(&catalog).await.unwrap();
        assert_eq!(store.calls(CatalogVerb::ReadFenced), 0);

        let (store, catalog) = self::catalog();
        catalog.last_look.set(BootTime::now().before(LOOK_SERVES));
        created(&catalog).await.unwrap();
        assert_eq!(store.calls(CatalogVerb::ReadFenced), 1);
    }

    #[tokio::test]
    async fn a_creation_that_is_sent_again_looks_again_first() {
        for landing in [Landing::Before, Landing::After] {
            let (store, catalog) = catalog();
            let at = BootTime::now().before(ALMOST);
            catalog.last_look.set(at);
            // The answer comes when the look is too old.
            store.before(CatalogVerb::Write, 1, async move {
                while !at.after(LOOK_SERVES).has_passed() {
                    tokio::task::yield_now().await;
                }
            });
            lost(&store, landing);
            let written = created(&catalog).await;
            assert_eq!(store.calls(CatalogVerb::ReadFenced), 1);
            assert_eq!(store.calls(CatalogVerb::Write), 2);
            match landing {
                Landing::Before => assert_eq!(written.unwrap(), Revision(1)),
                // The compare-and-set recognizes its own write.
                Landing::After => {
                    assert_eq!(written.unwrap_err().kind(), CatalogErrorKind::Conflict);
                }
            }
        }
    }

    #[tokio::test]
    async fn a_creation_is_sent_until_its_look_is_too_old_and_no_longer() {
        let (store, catalog) = catalog();
        let at = BootTime::now().before(ALMOST);
        catalog.last_look.set(at);
        let (send, sent) = tokio::sync::oneshot::channel();
        store.before(CatalogVerb::Write, 1, async move {
            let _ = send.send(OperationContext::current().send_until);
        });
        created(&catalog).await.unwrap();
        let until = sent.await.unwrap().unwrap();
        assert_eq!(until, at.after(LOOK_SERVES));

        // The process of a migration fills its target without a look.
        let (store, catalog) = self::catalog();
        catalog.fill();
        let (send, sent) = tokio::sync::oneshot::channel();
        store.before(CatalogVerb::Write, 1, async move {
            let _ = send.send(OperationContext::current().send_until);
        });
        created(&catalog).await.unwrap();
        assert_eq!(sent.await.unwrap(), None);
        assert_eq!(store.calls(CatalogVerb::ReadFenced), 0);
    }

    #[tokio::test]
    async fn a_creation_whose_answer_is_lost_while_its_look_serves_fails_as_any_other() {
        let (store, catalog) = catalog();
        catalog.last_look.set(BootTime::now());
        lost(&store, Landing::Before);
        let error = created(&catalog).await.unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::Unavailable);
        assert_eq!(store.calls(CatalogVerb::ReadFenced), 0);
    }
}
