//! Passes the deadline and the cancellation of an operation to its requests.
//!
//! The code that runs an operation sets the context, and the code that sends requests
//! reads it. It is task-local, so no trait method has a parameter for it.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::boot_time::BootTime;

tokio::task_local! {
    static CONTEXT: OperationContext;
}

/// Number of tries that each request of a commit gets, despite a cancellation or a
/// passed deadline.
///
/// They outlast a short outage. They take a few seconds, or a minute if the server accepts each
/// request and answers none.
const COMMIT_TRIES: u32 = 4;

/// The context of an operation: the deadline and the cancellation of its requests.
#[derive(Clone, Debug, Default)]
pub struct OperationContext {
    /// Deadline of the operation.
    pub deadline: Option<Instant>,
    /// Cancellation of the operation. It is checked before each try. It never
    /// interrupts a request in flight, since that request may be a commit.
    pub cancellation: Option<CancellationToken>,
    /// Number of tries that each request gets before the deadline and the cancellation
    /// apply.
    pub insisted_tries: u32,
    /// Maximum number of tries of each request; `None` for that of the client's policy. It is for
    /// requests that the caller can do without. A first try whose connection breaks is not counted.
    pub max_tries: Option<u32>,
    /// Time until which a request may be sent, or sent again, even within a commit. One in
    /// flight is not interrupted.
    pub send_until: Option<BootTime>,
    /// Gets each wait for a quota, to be shown.
    pub quota_waits: Option<QuotaWaits>,
}

/// Receives the waits of requests for a quota of their server, to show them to a person.
#[derive(Clone)]
pub struct QuotaWaits(Arc<dyn Fn(Duration) + Send + Sync>);

impl QuotaWaits {
    /// Calls `show` with the time that a request is about to wait.
    #[must_use]
    pub fn shown_by(show: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(show))
    }
}

impl fmt::Debug for QuotaWaits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuotaWaits")
    }
}

/// Returns `time`, unless the environment variable sets another one in a debug build.
///
/// The variable contains milliseconds. It shortens the waits of tests.
pub(crate) fn duration_in_tests(variable: &str, time: Duration) -> Duration {
    let set = || std::env::var(variable).ok()?.parse().ok();
    let set = cfg!(debug_assertions).then(set).flatten();
    set.map_or(time, Duration::from_millis)
}

/// The reason for which an operation sends no further requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The operation was cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// The operation's deadline has passed.
    #[error("the operation's deadline expired")]
    DeadlinePassed,
}

impl OperationContext {
    /// Runs `operation`, and applies this context to every request inside it.
    ///
    /// The context does not apply to tasks that the operation spawns.
    pub async fn scope<F: Future>(self, operation: F) -> F::Output {
        CONTEXT.scope(self, operation).await
    }

    /// Runs `commit` to its end.
    ///
    /// Each request inside it gets a minimum number of tries, even if the operation is
    /// cancelled or its deadline has passed.
    pub async fn committing<F: Future>(commit: F) -> F::Output {
        let context = Self {
            insisted_tries: COMMIT_TRIES,
            ..Self::current()
        };
        context.scope(Box::pin(commit)).await
    }

    /// Returns the context of the current operation.
    #[must_use]
    pub fn current() -> Self {
        CONTEXT.try_with(Self::clone).unwrap_or_default()
    }

    /// Returns the context of the current operation for requests that it can do without: each
    /// is tried once.
    #[must_use]
    pub fn trying_once() -> Self {
        Self {
            max_tries: Some(1),
            ..Self::current()
        }
    }

    /// Returns the context that applies to a request after this number of tries.
    #[must_use]
    pub fn after(&self, tries: u32) -> Self {
        if tries < self.insisted_tries {
            Self {
                send_until: self.send_until,
                ..Self::default()
            }
        } else {
            self.clone()
        }
    }

    /// Returns the reason not to send a request now; `None` if it may be sent.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        let cancellation = self.cancellation.as_ref();
        if cancellation.is_some_and(CancellationToken::is_cancelled) {
            return Some(Stop::Cancelled);
        }
        let is_over = self.is_late() || self.send_until.is_some_and(BootTime::has_passed);
        is_over.then_some(Stop::DeadlinePassed)
    }

    /// Returns whether a request may still be sent after `wait`, as far as
    /// [`send_until`](Self::send_until) says.
    #[must_use]
    pub fn sends_after(&self, wait: Duration) -> bool {
        let until = self.send_until;
        !until.is_some_and(|until| until.has_passed_after(wait))
    }

    /// Shows that a request is about to wait for a quota of its server.
    pub fn show_quota_wait(&self, wait: Duration) {
        if let Some(QuotaWaits(show)) = &self.quota_waits {
            show(wait);
        }
    }

    /// Returns true if the deadline has passed.
    #[must_use]
    pub fn is_late(&self) -> bool {
        let passed = |deadline| Instant::now() >= deadline;
        self.deadline.is_some_and(passed)
    }

    /// Waits for `wait`.
    ///
    /// Fails at once if the deadline would pass during the wait, and as soon as the
    /// operation is cancelled.
    ///
    /// # Errors
    ///
    /// The [`Stop`] that applies.
    pub async fn pause(&self, wait: Duration) -> Result<(), Stop> {
        let in_time = |deadline| Instant::now() + wait < deadline;
        if !self.deadline.is_none_or(in_time) {
            return Err(Stop::DeadlinePassed);
        }
        tokio::select! {
            biased;
            () = self.cancelled() => Err(Stop::Cancelled),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Waits until there is a reason not to send a further request; forever if the context
    /// has neither a deadline nor a cancellation.
    pub async fn stopped(&self) {
        let late = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.cancelled() => {}
            () = late => {}
        }
    }

    /// Waits for the cancellation; forever if the context has none.
    pub async fn cancelled(&self) {
        match &self.cancellation {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }
}

impl Stop {
    /// Returns the stop in `error` or in its chain of sources.
    ///
    /// `io::Error::source` skips the error that it wraps, so each wrapped error is
    /// searched too.
    #[must_use]
    pub fn beneath(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(stop) = error.downcast_ref::<Self>() {
                return Some(*stop);
            }
            let carried = error.downcast_ref::<io::Error>();
            let carried = carried.and_then(io::Error::get_ref);
            if let Some(stop) = carried.and_then(|carried| Self::beneath(carried)) {
                return Some(stop);
            }
            next = error.source();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_found_at_any_depth() {
        let inner = io::Error::other(Stop::Cancelled);
        let outer = io::Error::other(inner);
        assert_eq!(Stop::beneath(&outer), Some(Stop::Cancelled));
        assert_eq!(
            Stop::beneath(&Stop::DeadlinePassed),
            Some(Stop::DeadlinePassed)
        );
        assert_eq!(Stop::beneath(&io::Error::other("cancelled")), None);
    }

    #[tokio::test]
    async fn a_pause_ends_at_once_where_its_operation_would_be_over_first() {
        let hour = Duration::from_secs(3600);
        let late = OperationContext {
            deadline: Some(Instant::now() + hour / 2),
            ..OperationContext::default()
        };
        assert_eq!(late.pause(hour).await, Err(Stop::DeadlinePassed));
        let cancellation = CancellationToken::new();
        cancellation.cancel();
        let cancelled = OperationContext {
            cancellation: Some(cancellation),
            ..OperationContext::default()
        };
        assert_eq!(cancelled.pause(hour).await, Err(Stop::Cancelled));
        let moment = Duration::from_millis(1);
        assert_eq!(OperationContext::default().pause(moment).await, Ok(()));
    }

    #[tokio::test]
    async fn a_commit_insists_for_a_few_tries_and_only_then_obeys() {
        let cancellation = CancellationToken::new();
        cancellation.cancel();
        let past = Instant::now().checked_sub(Duration::from_secs(1));
        for (context, stop) in [
            (
                OperationContext {
                    cancellation: Some(cancellation),
                    ..OperationContext::default()
                },
                Stop::Cancelled,
            ),
            (
                OperationContext {
                    deadline: past,
                    ..OperationContext::default()
                },
                Stop::DeadlinePassed,
            ),
        ] {
            let inside = context.scope(async {
                assert_eq!(OperationContext::current().after(0).stop(), Some(stop));
                let commit = async { OperationContext::current() };
                OperationContext::committing(commit).await
            });
            let inside = inside.await;
            for tries in 0..COMMIT_TRIES {
                assert_eq!(inside.after(tries).stop(), None);
            }
            assert_eq!(inside.after(COMMIT_TRIES).stop(), Some(stop));
        }
        assert_eq!(OperationContext::current().stop(), None);
    }
}
