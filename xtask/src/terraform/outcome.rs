//! What a run of Terraform printed, and how it ended.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::process::Finished;

const DEV_OVERRIDES: &str = "Provider development overrides are in effect";

/// What a run of Terraform left behind.
#[derive(Clone)]
pub struct Outcome {
    /// The process's end and outputs.
    pub process: Finished,
    /// The trace log, where one was asked for.
    pub log: String,
    /// The workspace's folder, which its messages may name.
    pub(super) folder: PathBuf,
}

impl Outcome {
    /// Returns true for exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.process.success()
    }

    /// Returns the exit code; absent where a signal ended the run.
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

    /// Returns the errors as a practitioner reads them; fit for a snapshot: the
    /// folder's name is replaced by `<folder>`, and blank lines at both ends are
    /// gone. For warnings, and to tell one from another: [`structured`](Self::structured).
    #[must_use]
    pub fn diagnostics(&self) -> String {
        let folder = self.folder.display().to_string();
        self.stderr().trim().replace(&folder, "<folder>")
    }

    /// Returns the errors and warnings of a run that had `-json` among its
    /// arguments, in the order in which they were printed; without the warning
    /// that our own way of finding the provider causes.
    #[must_use]
    pub fn structured(&self) -> Vec<Diagnostic> {
        let whole: Option<Value> = serde_json::from_str(self.stdout()).ok();
        let found: Vec<Value> = match whole.as_ref().and_then(|v| v["diagnostics"].as_array()) {
            // `validate` prints one object,
            Some(all) => all.clone(),
            // all others one object a line.
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

    /// Returns all that was printed or logged, for the search for what must not
    /// be there.
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
    /// For any other end, with all outputs but the log.
    pub fn ok(self) -> Result<Self> {
        ensure!(self.success(), "{self:?}");
        Ok(self)
    }

    /// Returns the diagnostics of a run that must fail.
    ///
    /// # Errors
    ///
    /// If it went well, or was killed.
    pub fn error(self) -> Result<String> {
        ensure!(self.code() == Some(1), "was to fail: {self:?}");
        Ok(self.diagnostics())
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The log has megabytes; it is a field for those who want it.
        fmt::Debug::fmt(&self.process, f)
    }
}

/// An error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `error` or `warning`.
    pub severity: String,
    /// What happened, in a few words.
    pub summary: String,
    /// The rest; empty where there is none.
    pub detail: String,
    /// The resource that it is about.
    pub address: Option<String>,
    /// The line of the configuration that it points at, without indentation:
    /// that of the innermost attribute which the provider named.
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

/// How a plan ended, by its detailed exit code.
#[derive(Clone, Debug)]
pub enum PlanOutcome {
    /// There is nothing to do.
    NoChanges(Outcome),
    /// There is something to do.
    Changes(Outcome),
    /// There is no plan.
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

    /// Returns the run, however it ended.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        match self {
            Self::NoChanges(outcome) | Self::Changes(outcome) | Self::Failed(outcome) => outcome,
        }
    }

    /// Returns the run of a plan that must be empty.
    ///
    /// # Errors
    ///
    /// If it is not, or failed.
    pub fn no_changes(self) -> Result<Outcome> {
        match self {
            Self::NoChanges(outcome) => Ok(outcome),
            other => anyhow::bail!("the plan was to be empty: {other:?}"),
        }
    }

    /// Returns the run of a plan that must have something to do.
    ///
    /// # Errors
    ///
    /// If it has not, or failed.
    pub fn changes(self) -> Result<Outcome> {
        match self {
            Self::Changes(outcome) => Ok(outcome),
            other => anyhow::bail!("the plan was to have changes: {other:?}"),
        }
    }

    /// Returns the diagnostics of a plan that must fail.
    ///
    /// # Errors
    ///
    /// If it did not, or was killed.
    pub fn error(self) -> Result<String> {
        match self {
            Self::Failed(outcome) => outcome.error(),
            other => anyhow::bail!("the plan was to fail: {other:?}"),
        }
    }
}
