//! Counts requests, since the stores document how many they send.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of requests that a client sent, including retries.
#[derive(Clone, Debug, Default)]
pub struct RequestCounter(Arc<AtomicU64>);

impl RequestCounter {
    /// Returns the number of requests so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A file with one line `METHOD PATH STATUS` per try, with `-` for no response.
#[derive(Debug)]
pub(super) struct RequestLog(File);

impl RequestLog {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(file))
    }

    /// Appends a line in one write, so that processes may share the file. A failure
    /// does not fail the request.
    pub(super) fn line(&self, method: &http::Method, path: &str, status: Option<u16>) {
        let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let line = format!("{method} {path} {status}\n");
        if let Err(error) = (&self.0).write_all(line.as_bytes()) {
            tracing::debug!(%error, "the request log cannot be written");
        }
    }
}
