//! Scripts faults and races of an in-memory store or catalog in a test.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

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

/// The pending faults and races, and the past calls.
pub(crate) struct Script<V, K> {
    faults: Vec<Fault<V, K>>,
    races: Vec<(V, usize, Race)>,
    calls: Vec<V>,
}

/// The scripted events of one call.
pub(crate) struct Step<K> {
    /// Race to run before the call takes effect.
    pub(crate) race: Option<Race>,
    fault: Option<(Landing, K)>,
}

impl<K: Copy> Step<K> {
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
        Step { race, fault }
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
