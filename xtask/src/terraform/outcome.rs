//! The output and the exit of a run of Terraform.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::process::Finished;

const DEV_OVERRIDES: &str = "Provider development overrides are in effect";

/// The result of a run of Terraform.
#[derive(Clone)]
pub struct Outcome {
    /// The process's exit and outputs.
    pub process: Finished,
    /// The trace log, if requested.
    pub log: String,
    /// The workspace's folder, which messages may contain.
    pub(super) folder: PathBuf,
}

impl Outcome {
    /// Returns true for exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.process.success()
    }

    /// Returns the exit code, or `None` if a signal ended the run.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.process.code
    }

    /// Returns standard output.
    #[must_use]
    pub fn stdout(&self) -> &str {
        &self.process.stdout
    }

    /// Returns standard error.
    #[must_use]
    pub fn stderr(&self) -> &str {
        &self.process.stderr
    }

    /// Returns the errors as users see them, in a form for snapshots: `<folder>` replaces the
    /// folder's name, without blank lines at both ends. [`structured`](Self::structured)
    /// returns warnings and separate diagnostics.
    #[must_use]
    pub fn diagnostics(&self) -> String {
        let folder = self.folder.display().to_string();
        self.stderr().trim().replace(&folder, "<folder>")
    }

    /// Returns the errors and warnings of a run with `-json`, in order. Omits the warning
    /// about the development override of the provider.
    #[must_use]
    pub fn structured(&self) -> Vec<Diagnostic> {
        let whole: Option<Value> = serde_json::from_str(self.stdout()).ok();
        let found: Vec<Value> = match whole.as_ref().and_then(|v| v["diagnostics"].as_array()) {
            // `validate` prints one object.
            Some(all) => all.clone(),
            // Other commands print one object per line.
            None => {
                let lines = self.stdout().lines();
                let objects = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
                objects.map(|mut line| line["diagnostic"].take()).collect()
            }
        };
        let diagnostics = found.iter().filter_map(Diagnostic::parse);
        diagnostics
            .filter(|it| it.summary != DEV_OVERRIDES)
            .collect()
    }

    /// Returns all output and logs, to search for values that must not appear.
    #[must_use]
    pub fn everything(&self) -> Vec<u8> {
        [self.stdout(), self.stderr(), &self.log]
            .concat()
            .into_bytes()
    }

    /// Returns itself for exit code 0.
    ///
    /// # Errors
    ///
    /// If it ended in another way; with all outputs except the log.
    pub fn ok(self) -> Result<Self> {
        ensure!(self.success(), "{self:?}");
        Ok(self)
    }

    /// Returns the diagnostics of a run that must fail.
    ///
    /// # Errors
    ///
    /// If it succeeded, or was killed.
    pub fn error(self) -> Result<String> {
        ensure!(self.code() == Some(1), "was to fail: {self:?}");
        Ok(self.diagnostics())
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Omits the log, which has megabytes.
        fmt::Debug::fmt(&self.process, f)
    }
}

/// An error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `error` or `warning`.
    pub severity: String,
    /// The summary.
    pub summary: String,
    /// The detail, possibly empty.
    pub detail: String,
    /// The affected resource.
    pub address: Option<String>,
    /// The line of the configuration, without indentation: that of the innermost attribute
    /// that the provider named.
    pub code: Option<String>,
}

impl Diagnostic {
    fn parse(json: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
        Some(Self {
            severity: text(&json["severity"])?,
            summary: text(&json["summary"])?,
            detail: text(&json["detail"]).unwrap_or_default(),
            address: text(&json["address"]),
            code: text(&json["snippet"]["code"]),
        })
    }
}

/// The result of a plan, from its detailed exit code.
#[derive(Clone, Debug)]
pub enum PlanOutcome {
    /// The plan is empty.
    NoChanges(Outcome),
    /// The plan has changes.
    Changes(Outcome),
    /// The plan failed.
    Failed(Outcome),
}

impl PlanOutcome {
    pub(super) fn of(outcome: Outcome) -> Self {
        match outcome.code() {
            Some(0) => Self::NoChanges(outcome),
            Some(2) => Self::Changes(outcome),
            _ => Self::Failed(outcome),
        }
    }

    /// Returns the run in any case.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        match self {
            Self::NoChanges(outcome) | Self::Changes(outcome) | Self::Failed(outcome) => outcome,
        }
    }

    /// Returns the run of an empty plan.
    ///
    /// # Errors
    ///
    /// If it has changes, or failed.
    pub fn no_changes(self) -> Result<Outcome> {
        match self {
            Self::NoChanges(outcome) => Ok(outcome),
            other => anyhow::bail!("the plan was to be empty: {other:?}"),
        }
    }

    /// Returns the run of a plan with changes.
    ///
    /// # Errors
    ///
    /// If it is empty, or failed.
    pub fn changes(self) -> Result<Outcome> {
        match self {
            Self::Changes(outcome) => Ok(outcome),
            other => anyhow::bail!("the plan was to have changes: {other:?}"),
        }
    }

    /// Returns the diagnostics of a failed plan.
    ///
    /// # Errors
    ///
    /// If it did not fail, or was killed.
    pub fn error(self) -> Result<String> {
        match self {
            Self::Failed(outcome) => outcome.error(),
            other => anyhow::bail!("the plan was to fail: {other:?}"),
        }
    }
}
