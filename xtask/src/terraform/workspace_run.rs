//! A Terraform that runs in a workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::Outcome;
use crate::process::Running;

/// A running Terraform.
#[derive(Debug)]
pub struct WorkspaceRun {
    /// The process, to wait for output, to send signals, and for its id.
    pub running: Running,
    pub(super) folder: PathBuf,
    pub(super) log: PathBuf,
    pub(super) bound: Duration,
}

impl WorkspaceRun {
    /// Returns the current log, which is empty if it was not requested.
    #[must_use]
    pub fn log(&self) -> String {
        read_lossy(&self.log)
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// If the workspace's time limit expired.
    pub fn wait(self) -> Result<Outcome> {
        let process = self.running.wait(self.bound)?;
        Ok(Outcome {
            process,
            log: read_lossy(&self.log),
            folder: self.folder,
        })
    }
}

fn read_lossy(file: &Path) -> String {
    fs::read(file)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
