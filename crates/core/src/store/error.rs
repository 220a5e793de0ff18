//! Errors by meaning.

use std::error::Error;
use std::fmt;

type Source = Box<dyn Error + Send + Sync>;

/// What a failure of a store means, whatever the vendor calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// No such object or version.
    NotFound,
    /// Something stands there already.
    AlreadyExists,
    /// A compare-and-set was lost.
    Conflict,
    /// Known, but not allowed; never taken for `NotFound`.
    PermissionDenied,
    /// Not known: no credential, or one that has run out.
    Unauthenticated,
    /// The payload exceeds the store's limit.
    TooLarge,
    /// The name breaks the store's rules.
    InvalidName,
    /// Asked to slow down, and still after all retries.
    RateLimited,
    /// Unreachable, sealed, or failing, and still after all retries.
    Unavailable,
    /// What is there is not what was put.
    Corrupt,
    /// The answer is not of the vendor's form: it says nothing of what is there.
    Unexpected,
    /// The store is not set up as it must be (a missing mount, KV version 1).
    Misconfigured,
}

/// A failure of a store: its meaning, what was tried, and where.
///
/// # Security
///
/// Carries no payload, no credential and no raw response body.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    operation: &'static str,
    path: String,
    remedy: Option<String>,
    setting: Option<&'static str>,
    source: Option<Source>,
}

/// What is tried where a setting cannot be used.
const CONFIGURE: &str = "configure";

impl StoreError {
    /// Describes a failure of `operation` (the vendor's own name for it) on
    /// `path`.
    #[must_use]
    pub fn new(kind: StoreErrorKind, operation: &'static str, path: impl Into<String>) -> Self {
        Self {
            kind,
            operation,
            path: path.into(),
            remedy: None,
            setting: None,
            source: None,
        }
    }

    /// Describes a setting that cannot be used: its name is the path. `remedy`
    /// says what it must be, and does not quote what it is: a credential may
    /// have been given in its place.
    #[must_use]
    pub fn unusable_setting(setting: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Misconfigured, CONFIGURE, setting).with_remedy(remedy)
    }

    /// Adds how to mend it: the missing grant or policy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds the setting, by the practitioner's name, that most likely has to
    /// change; where it is not the path already.
    #[must_use]
    pub fn with_setting(mut self, setting: &'static str) -> Self {
        self.setting = Some(setting);
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
    pub fn kind(&self) -> StoreErrorKind {
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

    /// Returns the setting that most likely has to change.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        self.setting
            .or_else(|| self.is_of_setting().then_some(&self.path))
    }

    /// Returns true where nothing was asked of the vendor: a setting cannot be
    /// used as it is.
    #[must_use]
    pub fn is_of_setting(&self) -> bool {
        self.operation == CONFIGURE
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.kind {
            StoreErrorKind::NotFound => "found nothing",
            StoreErrorKind::AlreadyExists => "found something there already",
            StoreErrorKind::Conflict => "was overtaken by another writer",
            StoreErrorKind::PermissionDenied => "was denied",
            StoreErrorKind::Unauthenticated => "was refused: not authenticated",
            StoreErrorKind::TooLarge => "was refused: too large",
            StoreErrorKind::InvalidName => "was refused: invalid name",
            StoreErrorKind::RateLimited => "was rate-limited",
            StoreErrorKind::Unavailable => "failed: unavailable",
            StoreErrorKind::Corrupt => "found something that was not put there by this provider",
            StoreErrorKind::Unexpected => "got an answer of another form",
            StoreErrorKind::Misconfigured => "failed: not set up",
        };
        write!(f, "{} on {:?} {meaning}", self.operation, self.path)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
