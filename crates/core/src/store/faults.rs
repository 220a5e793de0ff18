//! Faults and races that a test scripts into an in-memory store or catalog.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// When a scripted fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// The call has no effect.
    Before,
    /// The call has its full effect, and its answer is lost.
    After,
}

/// A failure that a test asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault<V, K> {
    /// Which call fails.
    pub verb: V,
    /// Which of them, counted from now, from 1.
    pub nth: usize,
    /// Whether it still has its effect.
    pub landing: Landing,
    /// What the caller is told.
    pub kind: K,
}

/// What happens elsewhere while a call is under way.
pub(crate) type Race = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The faults and races still to come, and the calls so far.
pub(crate) struct Script<V, K> {
    faults: Vec<Fault<V, K>>,
    races: Vec<(V, usize, Race)>,
    calls: Vec<V>,
}

/// What the script says about one call.
pub(crate) struct Step<K> {
    /// Runs before the call takes effect.
    pub(crate) race: Option<Race>,
    fault: Option<(Landing, K)>,
}

impl<K: Copy> Step<K> {
    /// Returns the error to give, if it strikes at `landing`.
    pub(crate) fn strikes(&self, landing: Landing) -> Option<K> {
        self.fault
            .filter(|(when, _)| *when == landing)
            .map(|(_, kind)| kind)
    }
}

impl<V, K> Default for Script<V, K> {
    fn default() -> Self {
        Self {
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

    pub(crate) fn before(
        &mut self,
        verb: V,
        nth: usize,
        race: impl Future<Output = ()> + Send + 'static,
    ) {
        self.races.push((verb, nth, Box::pin(race)));
    }

    /// Counts a call of `verb` and returns what is scripted for it.
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
        Step { race, fault }
    }

    /// Returns how often `verb` was called.
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
