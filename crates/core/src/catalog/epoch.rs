//! Counts the writes of a process, so that what it listed before a write serves no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of writes of this process to the catalog.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epoch(Arc<AtomicU64>);

/// Ends an epoch when it is dropped: after a write of any outcome, also of one that was
/// abandoned.
#[derive(Debug)]
pub(crate) struct EpochOfWrite<'a>(&'a Epoch);

impl Epoch {
    /// Returns a guard to hold for the duration of a write.
    pub(crate) fn of_write(&self) -> EpochOfWrite<'_> {
        EpochOfWrite(self)
    }

    /// Returns the number of the present epoch.
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for EpochOfWrite<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}
