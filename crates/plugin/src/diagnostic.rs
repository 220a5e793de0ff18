//! What a practitioner is told.

use super::AttributePath;

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed, in whole or in part.
    Error,
    /// The operation went on.
    Warning,
}

/// One message to the practitioner. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Three to six words in title case.
    pub summary: String,
    /// What failed, the likely cause, the remedy, the original error.
    pub detail: String,
    /// The innermost attribute to edit; the root for none.
    pub path: AttributePath,
}

impl Diagnostic {
    /// Builds an error without a path.
    #[must_use]
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            path: AttributePath::root(),
        }
    }

    /// Builds a warning without a path.
    #[must_use]
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(summary, detail)
        }
    }

    /// Builds the error for a defect of ours.
    #[must_use]
    pub fn bug(what: impl std::fmt::Display) -> Self {
        Self::error(
            "Provider Defect",
            format!("{what}\n\nThis is always a bug in the provider; please report it."),
        )
    }

    /// Builds the error for a call whose deadline passed before `step` was done.
    #[must_use]
    pub fn timed_out(step: impl std::fmt::Display) -> Self {
        Self::error(
            "Operation Timed Out",
            format!(
                "Time ran out before {step} was done. Nothing is half-written: the next apply goes \
                 on from here.\n\nRaise the limit in the resource's timeouts block if this happens \
                 again."
            ),
        )
    }

    /// Builds the error for a call that the host asked to stop before `step`.
    #[must_use]
    pub fn cancelled(step: impl std::fmt::Display) -> Self {
        Self::error(
            "Operation Cancelled",
            format!(
                "Terraform asked to stop before {step}. Nothing is half-written: the next apply \
                 goes on from here."
            ),
        )
    }

    /// Locates the message at `path`.
    #[must_use]
    pub fn at(mut self, path: impl Into<AttributePath>) -> Self {
        self.path = path.into();
        self
    }
}

/// The messages of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No messages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds an error without a path.
    pub fn error(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Diagnostic::error(summary, detail));
    }

    /// Adds a warning without a path.
    pub fn warning(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Diagnostic::warning(summary, detail));
    }

    /// Returns true where at least one message is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Returns true where there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the messages in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
