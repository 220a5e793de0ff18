//! What every call receives besides its request.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// What every call receives besides its request.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Cancelled when the host asks the provider to stop (an interrupt). Look
    /// at it between steps, never inside a commit.
    pub cancellation: CancellationToken,
    /// When the call must have ended, by the [time limit](crate::Timeouts) in force;
    /// `None` for a call without one.
    pub deadline: Option<Instant>,
    /// Whether the host keeps write-only values out of its state. The runtime rejects
    /// write-only values if this is false. Hosts send it in validation only; elsewhere it
    /// is false.
    pub write_only_allowed: bool,
    /// Whether the host would accept a deferral. For information only: this
    /// runtime never defers, and Terraform 1.11 sets it unasked in apply.
    pub deferral_allowed: bool,
    /// Whether the host keeps the private data of a plan, and sends it with the
    /// plan that it repeats before an apply as
    /// [`PlanRequest::planned_private`](super::PlanRequest::planned_private):
    /// protocol 6.11, Terraform 1.16.
    pub keeps_planned_private: bool,
}

impl Context {
    /// Returns a context without a deadline, whose token is never cancelled; for tests.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns true once the host has asked the provider to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Starts the clock of a call.
    pub(crate) fn within(self, limit: Option<Duration>) -> Self {
        Self {
            deadline: limit.map(|limit| Instant::now() + limit),
            ..self
        }
    }
}
