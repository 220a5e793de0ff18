//! Waits a moment for concurrent refreshes, so that one listing serves them all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Number of refreshes from which a listing pays: it takes two requests or three, and ten
/// refreshes take twenty. It is also the number of resources that a host refreshes at once.
pub(super) const ENOUGH: u64 = 10;

/// How long a refresh waits for a second one. A lone refresh loses this time.
const FIRST_QUIET: Duration = Duration::from_millis(2);

/// How long several refreshes wait for a further one. The host evaluates a resource between
/// two calls, which takes some milliseconds on a busy machine.
const QUIET: Duration = Duration::from_millis(10);

/// How long a refresh waits in all: less than the round trip that it may save.
const MAX_WAIT: Duration = Duration::from_millis(20);

/// The refreshes that wait for others.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    state: Mutex<State>,
    enough: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Refreshes of this process so far.
    asked: u64,
    waiting: usize,
    last: Option<Instant>,
}

/// Counts a waiting refresh, also one whose future is dropped.
struct Waiting<'a>(&'a Gathering);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl Gathering {
    /// Waits for others, unless enough refreshes came before. Returns whether there are enough
    /// for a listing.
    pub(super) async fn join(&self) -> bool {
        let now = Instant::now();
        {
            let mut state = self.state();
            state.asked += 1;
            state.last = Some(now);
            if state.asked >= ENOUGH {
                self.enough.notify_waiters();
                return true;
            }
            state.waiting += 1;
        }
        let _waiting = Waiting(self);
        let end = now + MAX_WAIT;
        loop {
            let enough = self.enough.notified();
            let Some(quiet_end) = self.quiet_end() else {
                return true;
            };
            let until = quiet_end.min(end);
            if until <= Instant::now() {
                return false;
            }
            // Woken early only by the last one of enough refreshes. Otherwise the end may have
            // moved, since others came meanwhile.
            let _ = tokio::time::timeout_at(until, enough).await;
        }
    }

    /// Returns the number of refreshes of this process so far.
    pub(super) fn asked(&self) -> u64 {
        self.state().asked
    }

    /// Returns when the wait ends unless another refresh comes; `None` if there are enough.
    fn quiet_end(&self) -> Option<Instant> {
        let state = self.state();
        let quiet = if state.waiting > 1 {
            QUIET
        } else {
            FIRST_QUIET
        };
        let last = state.last?;
        (state.asked < ENOUGH).then_some(last + quiet)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn joined(gathering: &Arc<Gathering>, number: u64) -> Vec<bool> {
        let tasks = (0..number).map(|_| {
            let gathering = Arc::clone(gathering);
            tokio::spawn(async move { gathering.join().await })
        });
        let mut joined = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            joined.push(task.await.expect("joined"));
        }
        joined
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_refresh_waits_for_two_milliseconds_and_goes_alone() {
        let gathering = Gathering::default();
        for _ in 1..ENOUGH {
            let start = Instant::now();
            assert!(!gathering.join().await);
            assert_eq!(start.elapsed(), FIRST_QUIET);
        }
        let start = Instant::now();
        assert!(gathering.join().await);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_at_once_wait_for_nothing() {
        let gathering = Arc::new(Gathering::default());
        let start = Instant::now();
        assert_eq!(joined(&gathering, ENOUGH).await, [true; 10]);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn nine_at_once_wait_until_nobody_comes() {
        let gathering = Arc::new(Gathering::default());
        let start = Instant::now();
        assert_eq!(joined(&gathering, ENOUGH - 1).await, [false; 9]);
        assert_eq!(start.elapsed(), QUIET);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refresh_waits_for_twenty_milliseconds_at_most() {
        let gathering = Arc::new(Gathering::default());
        let first = {
            let gathering = Arc::clone(&gathering);
            tokio::spawn(async move {
                let start = Instant::now();
                let is_enough = gathering.join().await;
                (is_enough, start.elapsed())
            })
        };
        tokio::task::yield_now().await;
        for _ in 0..8 {
            let gathering = Arc::clone(&gathering);
            tokio::spawn(async move { gathering.join().await });
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        assert_eq!(first.await.expect("joined"), (false, MAX_WAIT));
    }
}
