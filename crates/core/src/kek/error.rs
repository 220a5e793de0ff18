//! Errors by meaning.

use std::error::Error;
use std::fmt;

type Source = Box<dyn Error + Send + Sync>;

/// What a failure of a KEK means, whatever the vendor calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KekErrorKind {
    /// No such key. Never a reason to create one.
    NotFound,
    /// The key exists, and is disabled, scheduled for deletion or destroyed.
    Disabled,
    /// Known, but not allowed.
    PermissionDenied,
    /// Not known: no credential, or one that has run out.
    Unauthenticated,
    /// The key does not open this wrap: another key, another binding, altered.
    Refused,
    /// Asked to slow down, and still after all retries.
    RateLimited,
    /// Unreachable, sealed, or failing, and still after all retries.
    Unavailable,
    /// The answer is not of the vendor's form: it says nothing of the key.
    Unexpected,
    /// The key is not of the kind that is needed, or its engine is not set up.
    Misconfigured,
}

/// A failure of a KEK: its meaning, what was tried, and where.
///
/// # Security
///
/// Carries no payload, no credential and no raw response body.
#[derive(Debug)]
pub struct KekError {
    kind: KekErrorKind,
    operation: &'static str,
    path: String,
    remedy: Option<String>,
    source: Option<Source>,
}

impl KekError {
    /// Describes a failure of `operation` (the vendor's own name for it) on
    /// `path`.
    #[must_use]
    pub fn new(kind: KekErrorKind, operation: &'static str, path: impl Into<String>) -> Self {
        Self {
            kind,
            operation,
            path: path.into(),
            remedy: None,
            source: None,
        }
    }

    /// Adds how to mend it: the missing grant or policy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds the error beneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what the failure means.
    #[must_use]
    pub fn kind(&self) -> KekErrorKind {
        self.kind
    }

    /// Returns the vendor's name of what was tried.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns the path on which it was tried.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns how to mend it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for KekError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.kind {
            KekErrorKind::NotFound => "found no such key",
            KekErrorKind::Disabled => "found the key disabled",
            KekErrorKind::PermissionDenied => "was denied",
            KekErrorKind::Unauthenticated => "was refused: not authenticated",
            KekErrorKind::Refused => "does not open what was wrapped",
            KekErrorKind::RateLimited => "was rate-limited",
            KekErrorKind::Unavailable => "failed: unavailable",
            KekErrorKind::Unexpected => "got an answer of another form",
            KekErrorKind::Misconfigured => "failed: not set up",
        };
        write!(f, "{} on {:?} {meaning}", self.operation, self.path)
    }
}

impl Error for KekError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
