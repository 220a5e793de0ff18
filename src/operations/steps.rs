//! Between the steps of a use case: where it may be interrupted, and where
//! tests kill it.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::OperationError;

/// When to stop. Looked at between steps, never inside a commit.
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

/// Kills this process with SIGKILL, holds it, or panics, where a test asks for
/// it; in debug builds only.
///
/// `PLANTON_TEST_KILL_BEFORE=<step>` kills. `PLANTON_TEST_PANIC_BEFORE=<step>:<text>`
/// panics with that text. `PLANTON_TEST_PAUSE_BEFORE=<step>:<path>`
/// holds at two named pipes, each of which waits for its other end: the test
/// reads `<path>.reached`, and lets go by writing `<path>.go`. Where the first
/// is no longer there, nothing holds.
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
        let reached = std::fs::File::options()
            .write(true)
            .open(format!("{path}.reached"));
        if reached.is_ok() {
            let _ = std::fs::File::open(format!("{path}.go"));
        }
    }
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
