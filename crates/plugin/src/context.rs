//! Context of a call.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// Context that every call receives with its request: cancellation, deadline, and the
/// capabilities of the host.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Cancelled when the host requests a stop, after an interrupt. Check it between steps,
    /// never inside a commit.
    pub cancellation: CancellationToken,
    /// Deadline of the call, from its [time limit](crate::Timeouts); `None` without a limit.
    pub deadline: Option<Instant>,
    /// Whether the host keeps write-only values out of its state. The runtime rejects
    /// write-only values if this is false. Hosts send it in validation only; elsewhere it
    /// is false.
    pub write_only_allowed: bool,
    /// Whether the host accepts a deferral. For information only: this runtime never defers,
    /// and Terraform 1.11 always sets it in an apply.
    pub deferral_allowed: bool,
    /// Whether the host keeps the private data of a plan, and sends it as
    /// [`PlanRequest::planned_private`](super::PlanRequest::planned_private) when it repeats
    /// the plan before an apply (protocol 6.11, Terraform 1.16).
    pub keeps_planned_private: bool,
}

impl Context {
    /// Returns a context without a deadline, whose token is never cancelled; for tests.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns true once the host has requested a stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Sets the deadline of a call that starts now.
    pub(crate) fn within(self, limit: Option<Duration>) -> Self {
        Self {
            deadline: limit.map(|limit| Instant::now() + limit),
            ..self
        }
    }
}
