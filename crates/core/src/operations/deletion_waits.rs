//! How long the deletion of a backend waits for other processes.

use std::time::Duration;

/// How long a deletion waits for others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeletionWaits {
    /// While secrets that others are deleting stay as they are.
    pub(crate) deleting: Duration,
    /// While secrets in use do.
    pub(crate) in_use: Duration,
    /// From one look to the next: other processes tell nobody when they are done.
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
