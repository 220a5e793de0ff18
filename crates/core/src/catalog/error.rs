//! Errors by meaning.

use std::error::Error;
use std::fmt;

type Source = Box<dyn Error + Send + Sync>;

/// What a failure of the catalog means, whatever the vendor calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogErrorKind {
    /// A compare-and-set was lost.
    Conflict,
    /// Known, but not allowed; never taken for an absent record.
    PermissionDenied,
    /// Not known: no credential, or one that has run out.
    Unauthenticated,
    /// Asked to slow down, and still after all retries.
    RateLimited,
    /// Unreachable, sealed, or failing, and still after all retries.
    Unavailable,
    /// What is there is not a record of ours.
    Corrupt,
    /// The answer is not of the vendor's form: it says nothing of what is there.
    Unexpected,
    /// Nothing stands there because somebody deleted the record.
    Removed,
    /// The record's MAC does not fit: somebody else changed it.
    Altered,
    /// The platform is not set up as it must be (a missing mount, KV version 1).
    Misconfigured,
}

/// A failure of the catalog: its meaning, what was tried, and where.
///
/// # Security
///
/// Carries no payload, no credential and no raw response body.
#[derive(Debug)]
pub struct CatalogError {
    kind: CatalogErrorKind,
    operation: &'static str,
    path: String,
    remedy: Option<String>,
    source: Option<Source>,
}

impl CatalogError {
    /// Describes a failure of `operation` (the vendor's own name for it) on
    /// `path`.
    #[must_use]
    pub fn new(kind: CatalogErrorKind, operation: &'static str, path: impl Into<String>) -> Self {
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
    pub fn kind(&self) -> CatalogErrorKind {
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

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.kind {
            CatalogErrorKind::Conflict => "was overtaken by another writer",
            CatalogErrorKind::PermissionDenied => "was denied",
            CatalogErrorKind::Unauthenticated => "was refused: not authenticated",
            CatalogErrorKind::RateLimited => "was rate-limited",
            CatalogErrorKind::Unavailable => "failed: unavailable",
            CatalogErrorKind::Corrupt => "found something that is not a record of this provider",
            CatalogErrorKind::Unexpected => "got an answer of another form",
            CatalogErrorKind::Removed => "found a record that somebody deleted",
            CatalogErrorKind::Altered => "found a record that somebody else has changed",
            CatalogErrorKind::Misconfigured => "failed: not set up",
        };
        write!(f, "{} on {:?} {meaning}", self.operation, self.path)
    }
}

impl Error for CatalogError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
