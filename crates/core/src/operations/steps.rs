//! Between the steps of a use case: where it may be interrupted, and where
//! tests kill it.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::OperationError;
use crate::deadline::{RequestLimits, Stop};

/// When to stop. Looked at between steps and between the tries of a request,
/// never inside a commit.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    token: CancellationToken,
    deadline: Option<Instant>,
}

impl Interrupt {
    /// Stops when `token` is cancelled, or at the `deadline`.
    #[must_use]
    pub fn new(token: CancellationToken, deadline: Option<Instant>) -> Self {
        Self { token, deadline }
    }

    /// Runs a use case with this as the bound of every request that it makes. Those
    /// that take an interrupt do so by themselves.
    ///
    /// # Errors
    ///
    /// As the use case; `Interrupted` where a request was given up, or not made.
    pub async fn bound<T>(
        &self,
        use_case: impl Future<Output = Result<T, OperationError>>,
    ) -> Result<T, OperationError> {
        let limits = RequestLimits {
            deadline: self.deadline,
            cancellation: Some(self.token.clone()),
            ..RequestLimits::default()
        };
        // On the heap: a use case is larger than what calls it should carry along.
        limits.scope(Box::pin(use_case)).await.map_err(interrupted)
    }

    /// Says whether `step` may begin.
    ///
    /// # Errors
    ///
    /// `Interrupted` when it may not.
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
    /// Returns `Interrupted` where a request failed because it was to stop.
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

/// Kills this process with SIGKILL, holds it, or panics, where a test asks for
/// it; in debug builds only.
///
/// `PLANTON_TEST_KILL_BEFORE=<step>` kills. `PLANTON_TEST_PANIC_BEFORE=<step>:<text>`
/// panics with that text. `PLANTON_TEST_PAUSE_BEFORE=<step>:<path>`
/// holds at two named pipes, each of which waits for its other end: the test
/// reads `<path>.reached`, and lets go by writing `<path>.go`. Where the first
/// is no longer there, nothing holds. `PLANTON_TEST_PAUSE_ONE_BEFORE` takes several
/// of these, separated by semicolons, and holds the first to come to each.
#[cfg(all(debug_assertions, unix))]
pub(super) fn crash_point(step: &str) {
    if std::env::var("PLANTON_TEST_KILL_BEFORE").is_ok_and(|wanted| wanted == step) {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    let asked = |variable: &str| {
        let text = std::env::var(variable).ok()?;
        let (wanted, rest) = text.split_once(':')?;
        (wanted == step).then(|| rest.to_owned())
    };
    if let Some(text) = asked("PLANTON_TEST_PANIC_BEFORE") {
        panic!("{text}");
    }
    if let Some(path) = asked("PLANTON_TEST_PAUSE_BEFORE") {
        pause(&path);
    }
    let each = std::env::var("PLANTON_TEST_PAUSE_ONE_BEFORE").unwrap_or_default();
    for (wanted, path) in each.split(';').filter_map(|part| part.split_once(':')) {
        if wanted == step && std::fs::File::create_new(format!("{path}.taken")).is_ok() {
            pause(path);
        }
    }
}

#[cfg(all(debug_assertions, unix))]
fn pause(path: &str) {
    // What else this thread has to do goes on elsewhere.
    tokio::task::block_in_place(|| {
        let reached = std::fs::File::options()
            .write(true)
            .open(format!("{path}.reached"));
        if reached.is_ok() {
            let _ = std::fs::File::open(format!("{path}.go"));
        }
    });
}

#[cfg(not(all(debug_assertions, unix)))]
pub(super) fn crash_point(_step: &str) {}

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
