//! Progress of a long command: a bar on a terminal, lines elsewhere. Both go to stderr.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use planton_core::deadline::QuotaWaits;

use super::output::tell;

/// How often a line says that requests wait for a quota.
const LINE_EVERY: Duration = Duration::from_secs(10);

const WAITING: &str = "rate limited: waiting for a quota";

/// Progress of one step.
#[derive(Debug)]
pub(super) struct Progress(Shown);

/// What shows the progress.
#[derive(Clone, Debug)]
struct Shown {
    what: String,
    /// What is counted.
    unit: &'static str,
    /// Absent where stderr is no terminal.
    bar: Option<ProgressBar>,
    /// When a line last said that requests wait.
    told: Arc<Mutex<Option<Instant>>>,
}

impl Progress {
    /// Starts the progress of `what`, which counts secrets.
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self::counting("secrets", what)
    }

    /// Starts the progress of `what`.
    pub(super) fn counting(unit: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = "{prefix} [{bar:32}] {pos}/{len} {eta} {msg}";
            let style = ProgressStyle::with_template(style).expect("a constant template");
            bar.set_style(style.progress_chars("=> "));
            bar.set_prefix(what.clone());
            bar
        });
        Self(Shown {
            what,
            unit,
            bar,
            told: Arc::default(),
        })
    }

    /// Shows that `done` of `total` are done.
    pub(super) fn show(&self, done: usize, total: usize) {
        let Shown {
            what, unit, bar, ..
        } = &self.0;
        match bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message("");
            }
            None => tell(format_args!("{what}: {done} of {total} {unit}")),
        }
    }

    /// Returns what shows that requests wait for a quota.
    pub(super) fn quota_waits(&self) -> QuotaWaits {
        let shown = self.0.clone();
        QuotaWaits::shown_by(move |_| shown.show_wait(Instant::now()))
    }
}

impl Shown {
    fn show_wait(&self, now: Instant) {
        match &self.bar {
            Some(bar) => bar.set_message(WAITING),
            None if self.is_due(now) => tell(format_args!("{}: {WAITING}", self.what)),
            None => {}
        }
    }

    /// Returns whether a line is due. Many requests may wait at the same time.
    fn is_due(&self, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|told| now.duration_since(told) >= LINE_EVERY);
        if is_due {
            *told = Some(now);
        }
        is_due
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_at_intervals_that_requests_wait() {
        let progress = Progress::of("platform");
        let begun = Instant::now();
        let due = |seconds| progress.0.is_due(begun + Duration::from_secs(seconds));
        assert!(due(0), "the first wait");
        assert!(!due(0) && !due(9));
        assert!(due(10));
        assert!(!due(19));
    }
}
