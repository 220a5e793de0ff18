//! Errors and warnings to the practitioner.

use super::AttributePath;

/// Severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed, at least in part.
    Error,
    /// The operation continued.
    Warning,
}

/// One message to the practitioner.
///
/// # Security
///
/// Never contains a configured or stored value that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Three to six words in title case.
    pub summary: String,
    /// The failure and its object, the likely cause, the remedy, and the original error.
    pub detail: String,
    /// Innermost attribute to edit; the root if there is none.
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

    /// Builds the error for a defect of the provider.
    #[must_use]
    pub fn bug(what: impl std::fmt::Display) -> Self {
        Self::error(
            "Provider Defect",
            format!("{what}\n\nThis is always a bug in the provider. Please report it."),
        )
    }

    /// Builds the error for a call whose deadline expired. `step` says in the infinitive
    /// what the provider did not finish: `read the secret`.
    #[must_use]
    pub fn timed_out(step: impl std::fmt::Display) -> Self {
        Self::error(
            "Operation Timed Out",
            format!(
                "The operation's deadline expired before the provider could {step}. All stored \
                 records are complete: the next apply continues from here.\n\nIf this happens \
                 again, raise the limit in the resource's timeouts block."
            ),
        )
    }

    /// Builds the error for a call that the host requested to stop. `step` says in the
    /// infinitive what the provider did not finish: `read the secret`.
    #[must_use]
    pub fn cancelled(step: impl std::fmt::Display) -> Self {
        Self::error(
            "Operation Cancelled",
            format!(
                "Terraform requested a stop before the provider could {step}. All stored records \
                 are complete: the next apply continues from here."
            ),
        )
    }

    /// Turns an error into a warning with the same text.
    #[must_use]
    pub fn into_warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    /// Points the message at `path`.
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
    /// Returns an empty list.
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

    /// Returns true if at least one message is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Returns true if there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the messages in the order in which they were added.
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
