//! How many of a proxy's requests were in a row, and how many under way at the same time.

use super::FaultProxy;

impl FaultProxy {
    /// Returns the greatest number of requests of which each began after the one before it had
    /// its response.
    ///
    /// The order of events decides, and not their times.
    #[must_use]
    pub fn in_a_row(&self) -> usize {
        let mut answered: Vec<(u64, u64)> = Vec::new();
        for seen in &self.shared.state().seen {
            answered.extend(seen.ended.map(|ended| (ended, seen.begun)));
        }
        answered.sort_unstable();
        let (mut count, mut last) = (0, 0);
        for (ended, begun) in answered {
            if begun > last {
                count += 1;
                last = ended;
            }
        }
        count
    }

    /// Returns the greatest number of requests that were under way at the same time.
    #[must_use]
    pub fn at_once(&self) -> usize {
        let state = self.shared.state();
        let begun = state.seen.iter().map(|seen| (seen.begun, true));
        let ended = state.seen.iter().filter_map(|seen| seen.ended);
        let mut events: Vec<(u64, bool)> = begun.chain(ended.map(|at| (at, false))).collect();
        events.sort_unstable();
        let (mut most, mut now) = (0, 0_usize);
        for (_, begins) in events {
            now = if begins { now + 1 } else { now - 1 };
            most = most.max(now);
        }
        most
    }
}
