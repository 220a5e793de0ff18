//! What a process remembers about its fences: which are acknowledged, and how the mount
//! accepts them.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// The fences of a process. Callers that arrive before a fence is written share it.
#[derive(Debug, Default)]
pub(super) struct Fences {
    begun: AtomicU64,
    newest: Mutex<Acknowledged>,
}

/// The newest acknowledged fence.
#[derive(Debug, Default)]
struct Acknowledged {
    number: u64,
    returned: Returned,
}

/// Whether the response to a fence contained a consistency index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Returned {
    #[default]
    Nothing,
    Index,
}

impl Fences {
    /// Runs `write` to completion, unless a fence that another caller began after this
    /// call has been acknowledged in the meantime.
    pub(super) async fn share<E>(
        &self,
        write: impl Future<Output = Result<Returned, E>>,
    ) -> Result<Returned, E> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut newest = self.newest.lock().await;
        if newest.number <= begun {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let returned = write.await?;
            *newest = Acknowledged { number, returned };
        }
        Ok(newest.returned)
    }
}

/// Whether the mount accepts a fence without compare-and-set, which saves a read. The
/// first rejected fence tells.
#[derive(Debug, Default)]
pub(super) struct FenceCas(std::sync::Mutex<Demand>);

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Demand {
    #[default]
    Unknown,
    /// `cas_required` is set on the mount or on the path:
    /// <https://openbao.org/api-docs/secret/kv/kv-v2/>.
    Required {
        /// The version that this process wrote last, if any.
        last: Option<u64>,
    },
}

impl FenceCas {
    pub(super) fn demand(&self) -> Demand {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn require(&self, last: Option<u64>) {
        let mut demand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *demand = Demand::Required { last };
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Notify;

    use super::*;

    #[derive(Default)]
    struct Writes {
        begun: AtomicUsize,
        is_under_way: Notify,
        may_end: Notify,
    }

    impl Writes {
        async fn held(&self) -> Result<Returned, ()> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.is_under_way.notify_one();
            self.may_end.notified().await;
            Ok(Returned::Index)
        }

        async fn at_once(&self) -> Result<Returned, ()> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            Ok(Returned::Index)
        }

        fn begun(&self) -> usize {
            self.begun.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn a_fence_is_written_however_many_were_before() {
        let (fences, writes) = (Fences::default(), Writes::default());
        for number in 1..=3 {
            fences.share(writes.at_once()).await.unwrap();
            assert_eq!(writes.begun(), number);
        }
    }

    #[tokio::test]
    async fn callers_that_come_while_a_fence_is_written_share_the_next_one() {
        let shared = Arc::new((Fences::default(), Writes::default()));
        let share = |held: bool| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                let (fences, writes) = &*shared;
                if held {
                    fences.share(writes.held()).await
                } else {
                    fences.share(writes.at_once()).await
                }
            })
        };
        let first = share(true);
        shared.1.is_under_way.notified().await;
        let late: Vec<_> = (0..10).map(|_| share(false)).collect();
        // Every caller now waits for the first fence.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(shared.1.begun(), 1);
        shared.1.may_end.notify_one();
        first.await.unwrap().unwrap();
        for late in late {
            late.await.unwrap().unwrap();
        }
        // The first fence began before these callers, so it proves nothing to them.
        assert_eq!(shared.1.begun(), 2);
    }

    #[tokio::test]
    async fn a_fence_that_failed_proves_nothing_to_anybody() {
        let (fences, writes) = (Fences::default(), Writes::default());
        let failed = async { Err(()) };
        assert!(fences.share(failed).await.is_err());
        fences.share(writes.at_once()).await.unwrap();
        assert_eq!(writes.begun(), 1);
    }
}
