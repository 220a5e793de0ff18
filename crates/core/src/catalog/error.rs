//! Defines the errors of a catalog.

use crate::error::{Error, ErrorKind};

/// The kind of a catalog's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogErrorKind {
    /// Another writer won the compare-and-set.
    Conflict,
    /// Permission denied: authenticated, but not allowed. Never reported as an absent
    /// record.
    PermissionDenied,
    /// Authentication failed: the credential is missing or expired.
    Unauthenticated,
    /// Rate limited; retries were exhausted.
    RateLimited,
    /// Unreachable, sealed or failing; retries were exhausted.
    Unavailable,
    /// The stored body is not a record of this provider.
    Corrupt,
    /// The response does not have the vendor's form, so it proves nothing.
    Unexpected,
    /// The record is missing because it was deleted.
    Removed,
    /// A migration has moved the record to another platform, or has not completed it here.
    Moved,
    /// The record was changed without the MAC key: its MAC does not verify, or it is the record
    /// of another key.
    Altered,
    /// The platform is not set up as required (a missing mount, KV version 1).
    Misconfigured,
}

/// A failure of the catalog.
pub type CatalogError = Error<CatalogErrorKind>;

impl ErrorKind for CatalogErrorKind {
    const ERROR: &'static str = "CatalogError";

    fn meaning(self) -> &'static str {
        match self {
            Self::Conflict => "conflicted with another write",
            Self::PermissionDenied => "was denied",
            Self::Unauthenticated => "failed: not authenticated",
            Self::RateLimited => "was rate limited",
            Self::Unavailable => "failed: unavailable",
            Self::Corrupt => "found data that is not a record of this provider",
            Self::Unexpected => "received an unexpected response",
            Self::Removed => "found a deleted record",
            Self::Moved => "found that the organization is at another platform",
            Self::Altered => "found an altered record",
            Self::Misconfigured => "failed: not configured as required",
        }
    }
}
