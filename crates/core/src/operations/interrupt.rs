//! Interrupts a use case between two steps: when it is cancelled, or its deadline expires.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::OperationError;
use super::crash_hooks::crash_point;
use crate::deadline::{OperationContext, QuotaWaits, Stop};

/// Cancellation and deadline of a use case. Checked between steps and between the
/// attempts of a request, never inside a commit.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    token: CancellationToken,
    deadline: Option<Instant>,
    quota_waits: Option<QuotaWaits>,
}

impl Interrupt {
    /// Interrupts when `token` is cancelled, or at `deadline`.
    #[must_use]
    pub fn new(token: CancellationToken, deadline: Option<Instant>) -> Self {
        Self {
            token,
            deadline,
            quota_waits: None,
        }
    }

    /// Shows each wait of a request for a quota of its server.
    #[must_use]
    pub fn showing(self, quota_waits: QuotaWaits) -> Self {
        Self {
            quota_waits: Some(quota_waits),
            ..self
        }
    }

    /// Runs a use case and bounds each of its requests. A use case that takes an
    /// interrupt calls this itself.
    ///
    /// # Errors
    ///
    /// As the use case; `Interrupted` if a request was abandoned or not sent.
    pub async fn bound<T>(
        &self,
        use_case: impl Future<Output = Result<T, OperationError>>,
    ) -> Result<T, OperationError> {
        let context = OperationContext {
            deadline: self.deadline,
            cancellation: Some(self.token.clone()),
            quota_waits: self.quota_waits.clone(),
            ..OperationContext::default()
        };
        // On the heap: the future of a use case is large.
        context.scope(Box::pin(use_case)).await.map_err(interrupted)
    }

    /// Checks the interrupt before `step`.
    ///
    /// # Errors
    ///
    /// `Interrupted` if the use case is cancelled or its deadline has expired.
    pub fn before(&self, step: &'static str) -> Result<(), OperationError> {
        crash_point(step);
        let timed_out = self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        if timed_out || self.token.is_cancelled() {
            return Err(OperationError::Interrupted { step, timed_out });
        }
        Ok(())
    }
}

fn interrupted(error: OperationError) -> OperationError {
    error.interruption().unwrap_or(error)
}

impl OperationError {
    /// Returns `Interrupted` if a request failed because of the interrupt.
    #[must_use]
    pub fn interruption(&self) -> Option<Self> {
        let step = match self {
            Self::Catalog(error) => error.operation(),
            Self::Store(error) | Self::ProbeFailed { error, .. } => error.operation(),
            Self::Kek(error) => error.operation(),
            _ => return None,
        };
        let stop = Stop::beneath(self)?;
        Some(Self::Interrupted {
            step,
            timed_out: stop == Stop::DeadlinePassed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_begins_unless_cancelled_or_late() {
        assert!(Interrupt::default().before("x").is_ok());
        let token = CancellationToken::new();
        token.cancel();
        let cancelled = Interrupt::new(token, None).before("x");
        assert!(matches!(
            cancelled,
            Err(OperationError::Interrupted {
                timed_out: false,
                ..
            })
        ));
        let late = Interrupt::new(CancellationToken::new(), Some(Instant::now())).before("x");
        assert!(matches!(
            late,
            Err(OperationError::Interrupted {
                timed_out: true,
                ..
            })
        ));
    }
}
