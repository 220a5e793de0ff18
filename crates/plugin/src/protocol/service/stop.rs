//! Cancellation token of StopProvider.

use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::protocol::server::ServeMode;

/// Token that StopProvider cancels.
#[derive(Debug)]
pub(in crate::protocol) struct StopToken {
    /// Cancelled when the process is terminated.
    process: CancellationToken,
    current: Mutex<CancellationToken>,
    mode: ServeMode,
}

impl StopToken {
    /// Creates a token that is also cancelled together with `process`.
    pub(in crate::protocol) fn new(mode: ServeMode, process: CancellationToken) -> Self {
        Self {
            current: Mutex::new(process.child_token()),
            process,
            mode,
        }
    }

    /// Returns the token of calls that start now.
    pub(super) fn current(&self) -> CancellationToken {
        self.lock().clone()
    }

    /// Cancels the running calls. Under a host, the process then ends, so later calls get a
    /// cancelled token. In debug mode the process serves other runs as well, so later calls
    /// get a new token, as in
    /// <https://github.com/hashicorp/terraform-plugin-go/blob/main/tfprotov6/tf6server/server.go>.
    pub(super) fn stop(&self) {
        let mut current = self.lock();
        current.cancel();
        match self.mode {
            ServeMode::Plugin => {}
            ServeMode::Debug => *current = self.process.child_token(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, CancellationToken> {
        // A panic cannot leave a token in an invalid state.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_ends_all_work_under_a_host_and_the_work_under_way_in_debug_mode() {
        for (mode, later) in [(ServeMode::Plugin, true), (ServeMode::Debug, false)] {
            let stop = StopToken::new(mode, CancellationToken::new());
            let under_way = stop.current();
            stop.stop();
            assert!(under_way.is_cancelled());
            assert_eq!(stop.current().is_cancelled(), later, "{mode:?}");
        }
    }

    #[test]
    fn a_termination_cancels_calls_after_a_stop_as_well() {
        let process = CancellationToken::new();
        let stop = StopToken::new(ServeMode::Debug, process.clone());
        stop.stop();
        let later = stop.current();
        process.cancel();
        assert!(later.is_cancelled());
    }
}
