//! Work after a commit that no caller waits for.
//!
//! The commit is acknowledged first. If the process ends before the work, it leaves what a
//! crash after the commit leaves: an entry without an object, the history of a tombstone, or
//! versions that no record names.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::Organization;
use crate::deadline::OperationContext;

/// The time that such work has, since the deadline of its operation no longer applies.
const TIME: Duration = Duration::from_secs(60);

/// The removals of a process that are under way. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Housekeeping(Arc<Mutex<Vec<CancellationToken>>>);

impl Housekeeping {
    /// Waits for all work that was started so far. Logs a warning if the caller stops waiting
    /// before, since the process then ends without the rest.
    pub async fn finish(&self) {
        let unfinished = Unfinished(self);
        self.settle().await;
        drop(unfinished);
    }

    /// Waits for the work that was started so far, and not for what starts meanwhile.
    async fn settle(&self) {
        let under_way = self.under_way().clone();
        for done in under_way {
            done.cancelled().await;
        }
    }

    /// Starts work in a task of its own.
    fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        let done = CancellationToken::new();
        self.under_way().push(done.clone());
        // Also ends the wait for work that panics.
        let done = done.drop_guard();
        tokio::spawn(async move {
            work.await;
            drop(done);
        });
    }

    /// Returns the tokens of the work that has not ended.
    fn under_way(&self) -> MutexGuard<'_, Vec<CancellationToken>> {
        let Self(under_way) = self;
        let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|done| !done.is_cancelled());
        under_way
    }
}

/// Warns on drop about work that has not ended.
struct Unfinished<'a>(&'a Housekeeping);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Self(housekeeping) = self;
        let operations = housekeeping.under_way().len();
        if operations > 0 {
            tracing::warn!(
                operations,
                "the process ends before all removals that follow acknowledged destroys and \
                 rotations: entries without an object, histories of deleted records, or sealed \
                 versions beyond keep_versions stay"
            );
        }
    }
}

impl Organization {
    /// Starts work that follows a commit, with a deadline of its own.
    pub(crate) fn after_commit(&self, work: impl Future<Output = ()> + Send + 'static) {
        let context = OperationContext {
            deadline: Some(Instant::now() + TIME),
            ..OperationContext::default()
        };
        let work = context.scope(work).in_current_span();
        self.housekeeping.start(work);
    }

    /// Waits as [`settle`](Self::settle) does, and no longer than the current operation may
    /// take.
    pub(crate) async fn settle_in_time(&self) {
        let context = OperationContext::current();
        tokio::select! {
            () = self.housekeeping.settle() => {}
            () = context.stopped() => {}
        }
    }

    /// Waits for the removals that this process has started so far.
    pub async fn settle(&self) {
        self.housekeeping.settle().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use tokio::sync::oneshot;

    use super::*;

    /// Starts work that ends when the sender sends or is dropped.
    fn held(housekeeping: &Housekeeping) -> oneshot::Sender<()> {
        let (end, ended) = oneshot::channel();
        housekeeping.start(async {
            let _ = ended.await;
        });
        end
    }

    #[tokio::test]
    async fn a_wait_covers_what_was_started_before_it_and_nothing_later() {
        let housekeeping = Housekeeping::default();
        let earlier = held(&housekeeping);
        let mut waiting = Box::pin(housekeeping.settle());
        assert!(poll!(&mut waiting).is_pending());
        let later = held(&housekeeping);
        let mut of_a_clone = Box::pin(async { housekeeping.clone().settle().await });
        assert!(poll!(&mut of_a_clone).is_pending());
        drop(earlier);
        waiting.await;
        assert!(poll!(&mut of_a_clone).is_pending());
        drop(later);
        of_a_clone.await;
        housekeeping.finish().await;
        assert!(housekeeping.under_way().is_empty());
    }

    #[tokio::test]
    async fn a_panic_ends_the_wait_for_its_work() {
        let housekeeping = Housekeeping::default();
        housekeeping.start(async { panic!("removal") });
        housekeeping.settle().await;
    }
}
