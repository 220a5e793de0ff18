//! Defines the errors of a KEK.

use crate::error::{Error, ErrorKind};

/// The kind of a KEK's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KekErrorKind {
    /// The key does not exist. The caller must not create one because of it.
    NotFound,
    /// The key or the version of it is disabled, and can be enabled.
    Disabled,
    /// The key or the version of it is scheduled for deletion, which can be cancelled.
    PendingDeletion,
    /// The key exists, and the version of it was destroyed for good.
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

impl KekErrorKind {
    /// Returns whether the key does not open this wrap now, while another key may open the same
    /// data key.
    #[must_use]
    pub fn leaves_other_keys(self) -> bool {
        match self {
            Self::Disabled | Self::PendingDeletion | Self::Destroyed | Self::Refused => true,
            Self::NotFound
            | Self::PermissionDenied
            | Self::Unauthenticated
            | Self::RateLimited
            | Self::Unavailable
            | Self::Unexpected
            | Self::Misconfigured => false,
        }
    }
}

impl ErrorKind for KekErrorKind {
    const ERROR: &'static str = "KekError";

    fn meaning(self) -> &'static str {
        match self {
            Self::NotFound => "failed: key not found",
            Self::Disabled => "failed: key disabled",
            Self::PendingDeletion => "failed: key scheduled for deletion",
            Self::Destroyed => "failed: key version destroyed",
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
