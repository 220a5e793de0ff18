//! Defines the errors of a KEK.

use crate::error::{Error, ErrorKind};

/// The kind of a KEK's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KekErrorKind {
    /// The key does not exist. The caller must not create one because of it.
    NotFound,
    /// The key is disabled.
    Disabled,
    /// The key is scheduled for deletion.
    PendingDeletion,
    /// The version of the key was destroyed.
    Destroyed,
    /// Permission denied: the request was authenticated, but is not allowed.
    PermissionDenied,
    /// Authentication failed: the credential is missing or expired.
    Unauthenticated,
    /// The wrapped key does not open: it belongs to another key or binding, or was
    /// altered.
    Refused,
    /// Rate limited; retries were exhausted.
    RateLimited,
    /// Unreachable, sealed or failing; retries were exhausted.
    Unavailable,
    /// The response does not have the vendor's form, so it proves nothing.
    Unexpected,
    /// The key has the wrong type, or its engine is not set up.
    Misconfigured,
}

/// A failure of a KEK.
pub type KekError = Error<KekErrorKind>;

impl ErrorKind for KekErrorKind {
    const ERROR: &'static str = "KekError";

    fn meaning(self) -> &'static str {
        match self {
            Self::NotFound => "failed: key not found",
            Self::Disabled => "failed: key disabled",
            Self::PendingDeletion => "failed: key scheduled for deletion",
            Self::Destroyed => "failed: key destroyed",
            Self::PermissionDenied => "was denied",
            Self::Unauthenticated => "failed: not authenticated",
            Self::Refused => "failed: the wrapped key does not open",
            Self::RateLimited => "was rate limited",
            Self::Unavailable => "failed: unavailable",
            Self::Unexpected => "received an unexpected response",
            Self::Misconfigured => "failed: not configured as required",
        }
    }
}
