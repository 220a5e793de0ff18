//! The scripted faults, and the requests that they match.

use std::fmt;
use std::time::Duration;

use super::gate::{Gate, Latch, gate};
use super::scripted::Scripted;
use super::wire::{Message, decode};

/// A matcher of requests. A request must meet all its conditions.
#[derive(Clone, Default)]
pub struct Match {
    method: Option<String>,
    paths: Vec<String>,
    headers: Vec<(String, String)>,
    bodies: Vec<String>,
    excluded: Vec<Self>,
}

impl Match {
    /// Matches every request.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches requests with this method.
    #[must_use]
    pub fn method(method: &str) -> Self {
        Self {
            method: Some(method.to_owned()),
            ..Self::default()
        }
    }

    /// Matches requests with `part` in their path or query, with or without percent-encoding.
    #[must_use]
    pub fn path(part: &str) -> Self {
        Self {
            paths: vec![part.to_owned()],
            ..Self::default()
        }
    }

    /// Matches requests with `part` in a header of this name.
    #[must_use]
    pub fn header(name: &str, part: &str) -> Self {
        Self {
            headers: vec![(name.to_ascii_lowercase(), part.to_owned())],
            ..Self::default()
        }
    }

    /// Matches requests with `part` in their body.
    #[must_use]
    pub fn body(part: &str) -> Self {
        Self {
            bodies: vec![part.to_owned()],
            ..Self::default()
        }
    }

    /// Also requires the conditions of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.method = self.method.or(other.method);
        self.paths.extend(other.paths);
        self.headers.extend(other.headers);
        self.bodies.extend(other.bodies);
        self.excluded.extend(other.excluded);
        self
    }

    /// Excludes the requests that `other` matches.
    #[must_use]
    pub fn but_not(mut self, other: Self) -> Self {
        self.excluded.push(other);
        self
    }

    pub(super) fn means(&self, request: &Message) -> bool {
        let head = &request.head;
        let method = self.method.as_deref();
        method.is_none_or(|method| head.method() == method)
            && (self.paths.iter())
                .all(|part| head.target().contains(part) || decode(head.target()).contains(part))
            && self.headers.iter().all(|(name, part)| {
                let mut values = head.header(name);
                values.any(|value| value.contains(part))
            })
            && self.bodies.iter().all(|part| {
                let mut places = request.body.windows(part.len().max(1));
                part.is_empty() || places.any(|at| at == part.as_bytes())
            })
            && !self.excluded.iter().any(|other| other.means(request))
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method.as_deref().unwrap_or("any method"))?;
        for part in &self.paths {
            write!(f, " …{part}…")?;
        }
        for (name, part) in &self.headers {
            write!(f, " {name}: …{part}…")?;
        }
        for part in &self.bodies {
            write!(f, " with {part:?}")?;
        }
        for other in &self.excluded {
            write!(f, " but not ({other:?})")?;
        }
        Ok(())
    }
}

/// A fault of a request, by default of the next one.
#[derive(Debug)]
pub struct Fault {
    pub(super) action: Action,
    on: Match,
    nth: usize,
    /// Strikes every request, every second one, ….
    step: usize,
    times: usize,
    is_endless: bool,
    met: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Answer(Scripted),
    Replace(Scripted),
    Reset,
    LoseAnswer,
    Stall,
    StallAnswer,
    Truncate,
    Hold(Latch),
    HoldAnswer(Latch),
    Delay(Duration),
    LandLate(Latch),
    LandAfter(Duration),
}

impl Fault {
    /// Returns a status without a request to upstream.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::new(Action::Answer(Scripted::status(status)))
    }

    /// Forwards the request, and returns this status without a body.
    #[must_use]
    pub fn answer_in_place(status: u16) -> Self {
        Self::new(Action::Replace(Scripted::status(status)))
    }

    /// Resets the connection before the request reaches upstream.
    #[must_use]
    pub fn reset() -> Self {
        Self::new(Action::Reset)
    }

    /// Forwards the request, and resets the connection in place of the response.
    #[must_use]
    pub fn lose_answer() -> Self {
        Self::new(Action::LoseAnswer)
    }

    /// Sends no response until the client gives up or
    /// [`let_go`](super::FaultProxy::let_go). The request never reaches upstream.
    #[must_use]
    pub fn stall() -> Self {
        Self::new(Action::Stall)
    }

    /// As [`stall`](Self::stall), after the request was forwarded.
    #[must_use]
    pub fn stall_answer() -> Self {
        Self::new(Action::StallAnswer)
    }

    /// Forwards the request, and cuts the response off in the middle of its body, with
    /// the whole length in its head. A response without a body ends in the middle of its
    /// head.
    #[must_use]
    pub fn truncate() -> Self {
        Self::new(Action::Truncate)
    }

    /// Holds a request at a gate, and forwards it when the gate opens, even if the client
    /// has given up.
    #[must_use]
    pub fn hold() -> (Self, Gate) {
        let (gate, latch) = gate();
        (Self::new(Action::Hold(latch)), gate)
    }

    /// Forwards the request, and holds the response at a gate.
    #[must_use]
    pub fn hold_answer() -> (Self, Gate) {
        let (gate, latch) = gate();
        (Self::new(Action::HoldAnswer(latch)), gate)
    }

    /// Forwards the request after this time.
    #[must_use]
    pub fn delay(time: Duration) -> Self {
        Self::new(Action::Delay(time))
    }

    /// Resets the connection, and forwards the request when the gate opens.
    #[must_use]
    pub fn land_late() -> (Self, Gate) {
        let (gate, latch) = gate();
        (Self::new(Action::LandLate(latch)), gate)
    }

    /// Resets the connection, and forwards the request after this time.
    #[must_use]
    pub fn land_after(time: Duration) -> Self {
        Self::new(Action::LandAfter(time))
    }

    /// Adds a header to a scripted response.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl fmt::Display) -> Self {
        if let Action::Answer(answer) | Action::Replace(answer) = &mut self.action {
            answer.headers.push((name.to_owned(), value.to_string()));
        }
        self
    }

    /// Sets the words beside the status of a scripted response.
    #[must_use]
    pub fn with_reason(mut self, reason: &'static str) -> Self {
        if let Action::Answer(answer) | Action::Replace(answer) = &mut self.action {
            answer.reason = reason;
        }
        self
    }

    /// Adds `Retry-After` in seconds to a scripted response.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with_header("retry-after", seconds)
    }

    /// Adds a body to a scripted response.
    #[must_use]
    pub fn with_body(mut self, body: &str) -> Self {
        if let Action::Answer(answer) | Action::Replace(answer) = &mut self.action {
            body.clone_into(&mut answer.body);
        }
        self
    }

    /// Restricts the fault to these requests.
    #[must_use]
    pub fn on(mut self, on: Match) -> Self {
        self.on = on;
        self
    }

    /// Strikes from the `nth` matching request on, counted from 1, including requests
    /// that other faults strike.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.nth = nth;
        self
    }

    /// Strikes every `nth` matching request, without end.
    #[must_use]
    pub fn every(mut self, nth: usize) -> Self {
        (self.nth, self.step) = (nth, nth);
        (self.times, self.is_endless) = (usize::MAX, true);
        self
    }

    /// Sets the number of strikes.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn new(action: Action) -> Self {
        Self {
            action,
            on: Match::any(),
            nth: 1,
            step: 1,
            times: 1,
            is_endless: false,
            met: 0,
        }
    }

    /// Counts a request, and returns whether the fault strikes it.
    fn meets(&mut self, request: &Message, is_free: bool) -> bool {
        if !self.on.means(request) {
            return false;
        }
        self.met += 1;
        let is_due = self.met >= self.nth && (self.met - self.nth).is_multiple_of(self.step);
        let strikes = is_free && is_due && self.times > 0;
        if strikes {
            self.times -= 1;
        }
        strikes
    }
}

/// Returns the first fault that strikes `request`.
pub(super) fn choose(faults: &mut [Fault], request: &Message) -> Option<Action> {
    let mut chosen = None;
    for fault in faults {
        if fault.meets(request, chosen.is_none()) {
            chosen = Some(fault.action.clone());
        }
    }
    chosen
}

/// Describes the faults that have not struck as often as planned.
pub(super) fn unused(faults: &[Fault]) -> Vec<String> {
    let left = faults.iter().filter(|fault| match fault.is_endless {
        true => fault.times == usize::MAX,
        false => fault.times > 0,
    });
    left.map(|fault| {
        let Fault {
            action, on, times, ..
        } = fault;
        format!("{action} on {on:?}, {times} left")
    })
    .collect()
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => write!(f, "status {}", answer.status),
            Self::Replace(answer) => write!(f, "answer replaced by status {}", answer.status),
            Self::Reset => f.write_str("reset"),
            Self::LoseAnswer => f.write_str("answer lost"),
            Self::Stall => f.write_str("stall"),
            Self::StallAnswer => f.write_str("answer stalled"),
            Self::Truncate => f.write_str("answer truncated"),
            Self::Hold(_) => f.write_str("held"),
            Self::HoldAnswer(_) => f.write_str("answer held"),
            Self::Delay(time) => write!(f, "delayed by {time:?}"),
            Self::LandLate(_) => f.write_str("landed late"),
            Self::LandAfter(time) => write!(f, "landed after {time:?}"),
        }
    }
}
