//! Defines the errors of a store.

use crate::error::{Error, ErrorKind};

/// The kind of a store's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The object or version does not exist.
    NotFound,
    /// Another object has this name.
    AlreadyExists,
    /// Another writer won the compare-and-set.
    Conflict,
    /// Permission denied: authenticated, but not allowed. Never reported as `NotFound`.
    PermissionDenied,
    /// Authentication failed: the credential is missing or expired.
    Unauthenticated,
    /// The payload exceeds the store's limit.
    TooLarge,
    /// The name violates the store's rules.
    InvalidName,
    /// Rate limited; retries were exhausted.
    RateLimited,
    /// Unreachable, sealed or failing; retries were exhausted.
    Unavailable,
    /// The stored content is not what was put.
    Corrupt,
    /// The response does not have the vendor's form, so it proves nothing.
    Unexpected,
    /// The store is not set up as required (a missing mount, KV version 1).
    Misconfigured,
}

/// A failure of a store.
pub type StoreError = Error<StoreErrorKind>;

/// The operation of an error about a setting.
const CONFIGURE: &str = "configure";

impl Error<StoreErrorKind> {
    /// Describes a setting that cannot be used. The path of the error is its name.
    ///
    /// `remedy` names the allowed values. It does not quote the given value, which may
    /// be a misplaced credential.
    #[must_use]
    pub fn unusable_setting(setting: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Misconfigured, CONFIGURE, setting).with_remedy(remedy)
    }

    /// Returns the setting that most likely has to change.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        self.named_setting()
            .or_else(|| self.is_of_setting().then_some(self.path()))
    }

    /// Returns true if a setting cannot be used, and no request was sent.
    #[must_use]
    pub fn is_of_setting(&self) -> bool {
        self.operation() == CONFIGURE
    }
}

impl ErrorKind for StoreErrorKind {
    const ERROR: &'static str = "StoreError";

    fn meaning(self) -> &'static str {
        match self {
            Self::NotFound => "failed: not found",
            Self::AlreadyExists => "failed: already exists",
            Self::Conflict => "conflicted with another write",
            Self::PermissionDenied => "was denied",
            Self::Unauthenticated => "failed: not authenticated",
            Self::TooLarge => "failed: too large",
            Self::InvalidName => "failed: invalid name",
            Self::RateLimited => "was rate limited",
            Self::Unavailable => "failed: unavailable",
            Self::Corrupt => "found content that this provider did not write",
            Self::Unexpected => "received an unexpected response",
            Self::Misconfigured => "failed: not configured as required",
        }
    }
}
