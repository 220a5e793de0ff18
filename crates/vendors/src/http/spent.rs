//! What a request has used of its retry policy.

use std::time::{Duration, Instant};

use super::retry::RetryPolicy;
use planton_core::deadline::OperationContext;

/// The tries and the time that a request has used.
///
/// Rate limits and failures count separately: the first failure after a minute of rate
/// limits counts as one try.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(super) started: Instant,
    /// Since when no other kind of failure came.
    pub(super) since: Instant,
    pub(super) tries: u32,
    pub(super) is_limited: bool,
}

impl Spent {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            since: Instant::now(),
            tries: 0,
            is_limited: false,
        }
    }

    /// Returns the number of tries of the present kind of failure.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    /// Returns whether `policy` and the operation permit another try after `delay`.
    pub(crate) fn affords(
        &self,
        policy: &RetryPolicy,
        delay: Duration,
        context: &OperationContext,
    ) -> bool {
        let has_tries = match self.is_limited {
            // With a single try, the caller has its own way to wait.
            true => policy.max_tries > 1,
            false => self.tries < policy.max_tries,
        };
        has_tries
            && context.sends_after(delay)
            && self.left(policy, context).is_some_and(|left| delay < left)
    }

    /// Returns the time that is left, or `None` if there is none.
    pub(super) fn left(
        &self,
        policy: &RetryPolicy,
        context: &OperationContext,
    ) -> Option<Duration> {
        let policy = match (self.is_limited, policy.max_rate_limited) {
            (true, Some(most)) => most.checked_sub(self.started.elapsed()),
            (true, None) => Some(Duration::MAX),
            (false, _) => policy.max_elapsed.checked_sub(self.since.elapsed()),
        };
        let operation = match context.deadline {
            Some(deadline) => deadline.checked_duration_since(Instant::now()),
            None => Some(Duration::MAX),
        };
        Some(policy?.min(operation?)).filter(|left| !left.is_zero())
    }

    /// Counts a try without a final response.
    pub(crate) fn count(&mut self, is_limited: bool) {
        if is_limited != self.is_limited {
            self.tries = 0;
            self.since = Instant::now();
        }
        self.is_limited = is_limited;
        self.tries += 1;
    }
}
