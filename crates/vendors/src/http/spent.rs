//! What a request has used of its retry policy.

use std::time::Instant;

/// The tries and the time that a request has used.
///
/// Rate limits and failures count separately: the first failure after a minute of rate
/// limits counts as one try.
pub(super) struct Spent {
    pub(super) started: Instant,
    /// Since when no other kind of failure came.
    pub(super) since: Instant,
    pub(super) tries: u32,
    pub(super) is_limited: bool,
}

impl Spent {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            since: Instant::now(),
            tries: 0,
            is_limited: false,
        }
    }

    /// Counts a try without a final response.
    pub(super) fn count(&mut self, is_limited: bool) {
        if is_limited != self.is_limited {
            self.tries = 0;
            self.since = Instant::now();
        }
        self.is_limited = is_limited;
        self.tries += 1;
    }
}
