//! The bounds of an operation, handed down without a parameter in every trait:
//! who makes requests asks for them, who runs an operation sets them.

use std::error::Error;
use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static LIMITS: RequestLimits;
}

/// The tries that each request of a commit gets, whoever asks to stop: so many
/// outlast a short outage and no more than seconds.
const COMMIT_TRIES: u32 = 4;

/// How long the requests of an operation may go on.
#[derive(Clone, Debug, Default)]
pub struct RequestLimits {
    /// When the operation has to be over.
    pub deadline: Option<Instant>,
    /// Looked at before each try; a request under way is never cut off, since it
    /// may be a commit.
    pub cancellation: Option<CancellationToken>,
    /// The tries that each request gets before either of these counts.
    pub insisted_tries: u32,
}

/// Returns how long to be patient. In debug builds a variable may set another time,
/// in milliseconds, so that tests need not wait as long as people do.
pub(crate) fn duration_in_tests(variable: &str, time: Duration) -> Duration {
    let set = || std::env::var(variable).ok()?.parse().ok();
    let set = cfg!(debug_assertions).then(set).flatten();
    set.map_or(time, Duration::from_millis)
}

/// What ended an operation's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// Somebody asked to stop.
    #[error("somebody asked to stop")]
    Cancelled,
    /// The operation's deadline has passed.
    #[error("the operation's time ran out")]
    DeadlinePassed,
}

impl RequestLimits {
    /// Runs `operation` with these limits on every request made inside it. A
    /// task that it spawns has none.
    pub async fn scope<F: Future>(self, operation: F) -> F::Output {
        LIMITS.scope(self, operation).await
    }

    /// Runs `commit` to its end: each request inside it is tried a few times at
    /// least, even where the operation is to stop, or its time has run out.
    pub async fn committing<F: Future>(commit: F) -> F::Output {
        let limits = Self {
            insisted_tries: COMMIT_TRIES,
            ..Self::current()
        };
        limits.scope(Box::pin(commit)).await
    }

    /// Returns the limits of the operation that this is called in.
    #[must_use]
    pub fn current() -> Self {
        LIMITS.try_with(Self::clone).unwrap_or_default()
    }

    /// Returns what holds for a request that was tried so often.
    #[must_use]
    pub fn after(&self, tries: u32) -> Self {
        if tries < self.insisted_tries {
            Self::default()
        } else {
            self.clone()
        }
    }

    /// Returns what keeps a request from being tried now.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        let cancellation = self.cancellation.as_ref();
        if cancellation.is_some_and(CancellationToken::is_cancelled) {
            return Some(Stop::Cancelled);
        }
        self.is_late().then_some(Stop::DeadlinePassed)
    }

    /// Returns true where the deadline has passed.
    #[must_use]
    pub fn is_late(&self) -> bool {
        let passed = |deadline| Instant::now() >= deadline;
        self.deadline.is_some_and(passed)
    }

    /// Waits so long. Gives up at once where the deadline comes first, and as soon
    /// as somebody asks to stop.
    ///
    /// # Errors
    ///
    /// What the operation has to stop for.
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

    /// Waits for the cancellation; for ever where there is none.
    pub async fn cancelled(&self) {
        match &self.cancellation {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }
}

impl Stop {
    /// Looks for a stop at or beneath `error`: io::Error hides the one that it
    /// carries from `source`, so each is opened.
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
        let late = RequestLimits {
            deadline: Some(Instant::now() + hour / 2),
            ..RequestLimits::default()
        };
        assert_eq!(late.pause(hour).await, Err(Stop::DeadlinePassed));
        let cancellation = CancellationToken::new();
        cancellation.cancel();
        let cancelled = RequestLimits {
            cancellation: Some(cancellation),
            ..RequestLimits::default()
        };
        assert_eq!(cancelled.pause(hour).await, Err(Stop::Cancelled));
        let moment = Duration::from_millis(1);
        assert_eq!(RequestLimits::default().pause(moment).await, Ok(()));
    }

    #[tokio::test]
    async fn a_commit_insists_for_a_few_tries_and_only_then_obeys() {
        let cancellation = CancellationToken::new();
        cancellation.cancel();
        let past = Instant::now().checked_sub(Duration::from_secs(1));
        for (limits, stop) in [
            (
                RequestLimits {
                    cancellation: Some(cancellation),
                    ..RequestLimits::default()
                },
                Stop::Cancelled,
            ),
            (
                RequestLimits {
                    deadline: past,
                    ..RequestLimits::default()
                },
                Stop::DeadlinePassed,
            ),
        ] {
            let inside = limits.scope(async {
                assert_eq!(RequestLimits::current().after(0).stop(), Some(stop));
                let commit = async { RequestLimits::current() };
                RequestLimits::committing(commit).await
            });
            let inside = inside.await;
            for tries in 0..COMMIT_TRIES {
                assert_eq!(inside.after(tries).stop(), None);
            }
            assert_eq!(inside.after(COMMIT_TRIES).stop(), Some(stop));
        }
        assert_eq!(RequestLimits::current().stop(), None);
    }
}
