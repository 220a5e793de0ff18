//! Progress of a long command: a bar on a terminal, lines elsewhere. Both go to stderr.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Progress of one step.
#[derive(Debug)]
pub(super) struct Progress {
    what: String,
    /// Absent where stderr is no terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts the progress of `what`.
    pub(super) fn of(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{prefix} [{bar:32}] {pos}/{len} {eta}");
            bar.set_style(style.expect("a constant template").progress_chars("=> "));
            bar.set_prefix(what.clone());
            bar
        });
        Self { what, bar }
    }

    /// Shows that `done` of `total` secrets are done.
    pub(super) fn show(&self, done: usize, total: usize) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            }
            None => eprintln!("{}: {done} of {total} secrets", self.what),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
