//! How long the deletion of a backend waits for other processes.

use std::time::Duration;

/// How long the deletion of a backend waits for other processes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeletionWaits {
    /// Time without progress while other processes delete secrets of the backend.
    pub(crate) deleting: Duration,
    /// Time without progress while secrets of the backend are in use.
    pub(crate) in_use: Duration,
    /// Time between two listings, since no event announces the end of another process's work.
    pub(crate) poll: Duration,
}

impl Default for DeletionWaits {
    fn default() -> Self {
        Self {
            deleting: Duration::from_secs(30),
            in_use: Duration::from_millis(1500),
            poll: Duration::from_millis(250),
        }
    }
}
