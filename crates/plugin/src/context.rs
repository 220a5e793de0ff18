//! What every call is told besides its request.

use tokio_util::sync::CancellationToken;

/// What every call is told besides its request.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Cancelled when the host asks the provider to stop (an interrupt). Look
    /// at it between steps, never inside a commit.
    pub cancellation: CancellationToken,
    /// Whether the host keeps write-only values out of its state. The runtime
    /// has refused write-only values already where this is false; it is told
    /// in validation only, and false everywhere else.
    pub write_only_allowed: bool,
    /// Whether the host would accept a deferral. For information only: this
    /// runtime never defers, and Terraform 1.11 sets it unasked in apply.
    pub deferral_allowed: bool,
    /// Whether the host keeps the private data of a plan, and hands it to the
    /// plan that it repeats before an apply as
    /// [`PlanRequest::planned_private`](super::PlanRequest::planned_private):
    /// protocol 6.11, Terraform 1.16.
    pub keeps_planned_private: bool,
}

impl Context {
    /// A context whose token nobody cancels; for tests.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns true once the host has asked the provider to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }
}
