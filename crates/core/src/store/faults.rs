//! Scripts faults and races of an in-memory store or catalog in a test.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// The point at which a scripted fault occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// Before the call has any effect.
    Before,
    /// After the call had its full effect; its response is lost.
    After,
}

/// A scripted failure of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault<V, K> {
    /// Method that fails.
    pub verb: V,
    /// Number of the failing call, counted from now, starting at 1.
    pub nth: usize,
    /// Whether the call has its effect.
    pub landing: Landing,
    /// Kind of the returned error.
    pub kind: K,
}

/// A concurrent action during a call.
pub(crate) type Race = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The time that each request takes, in tests with a paused clock.
///
/// The time of a use case is then its number of requests in a row.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// The pending faults and races, and the past calls.
pub(crate) struct Script<V, K> {
    /// Whether each request takes a [`TICK`].
    is_timed: bool,
    /// The number of requests in a row of a call; one if absent.
    requests: Vec<(V, u32)>,
    faults: Vec<Fault<V, K>>,
    races: Vec<(V, usize, Race)>,
    calls: Vec<V>,
}

/// The scripted events of one call.
pub(crate) struct Step<K> {
    /// Race to run before the call takes effect.
    pub(crate) race: Option<Race>,
    time: Option<Duration>,
    fault: Option<(Landing, K)>,
}

impl<K: Copy> Step<K> {
    /// Waits for the time of the call.
    pub(crate) async fn pass(&mut self) {
        if let Some(time) = self.time {
            tokio::time::sleep(time).await;
        }
    }

    /// Returns the kind of the error to return at `landing`, if any.
    pub(crate) fn strikes(&self, landing: Landing) -> Option<K> {
        self.fault
            .filter(|(when, _)| *when == landing)
            .map(|(_, kind)| kind)
    }
}

impl<V, K> Default for Script<V, K> {
    fn default() -> Self {
        Self {
            is_timed: false,
            requests: Vec::new(),
            faults: Vec::new(),
            races: Vec::new(),
            calls: Vec::new(),
        }
    }
}

impl<V: Copy + PartialEq, K: Copy> Script<V, K> {
    pub(crate) fn inject(&mut self, fault: Fault<V, K>) {
        self.faults.push(fault);
    }

    /// Lets each request take a [`TICK`] from now on.
    #[cfg(test)]
    pub(crate) fn time(&mut self) {
        self.is_timed = true;
    }

    /// Sets the number of requests in a row of a call of `verb`.
    #[cfg(test)]
    pub(crate) fn cost(&mut self, verb: V, requests: u32) {
        self.requests.retain(|(other, _)| *other != verb);
        self.requests.push((verb, requests));
    }

    fn requests(&self, verb: V) -> u32 {
        let mut costs = self.requests.iter();
        let cost = costs.find(|(other, _)| *other == verb);
        cost.map_or(1, |(_, requests)| *requests)
    }

    pub(crate) fn before(
        &mut self,
        verb: V,
        nth: usize,
        race: impl Future<Output = ()> + Send + 'static,
    ) {
        self.races.push((verb, nth, Box::pin(race)));
    }

    /// Counts a call of `verb` and returns its scripted events.
    pub(crate) fn step(&mut self, verb: V) -> Step<K> {
        self.calls.push(verb);
        for fault in self.faults.iter_mut().filter(|fault| fault.verb == verb) {
            fault.nth = fault.nth.saturating_sub(1);
        }
        for race in self.races.iter_mut().filter(|race| race.0 == verb) {
            race.1 = race.1.saturating_sub(1);
        }
        let fault = self
            .faults
            .iter()
            .position(|fault| fault.verb == verb && fault.nth == 0)
            .map(|at| self.faults.remove(at))
            .map(|fault| (fault.landing, fault.kind));
        let race = self
            .races
            .iter()
            .position(|race| race.0 == verb && race.1 == 0)
            .map(|at| self.races.remove(at).2);
        let time = self.is_timed.then(|| TICK * self.requests(verb));
        Step { race, time, fault }
    }

    /// Returns the number of calls of `verb`.
    pub(crate) fn calls(&self, verb: V) -> usize {
        self.calls.iter().filter(|call| **call == verb).count()
    }
}

impl<V: fmt::Debug, K: fmt::Debug> fmt::Debug for Script<V, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("faults", &self.faults)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}
