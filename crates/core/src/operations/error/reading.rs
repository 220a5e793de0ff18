//! What an error means to the use case that gets it.

use super::{CommitUnclear, OperationError};
use crate::catalog::{CatalogErrorKind, RunId};
use crate::kek::KekErrorKind;
use crate::store::StoreErrorKind;

impl OperationError {
    /// Turns the failure of a commit of `run` into `CommitUnclear`, if the commit may have
    /// landed.
    pub(crate) fn unclear_in(self, run: RunId) -> Self {
        use CatalogErrorKind as K;
        match self {
            Self::Catalog(ref failure)
                if matches!(
                    failure.kind(),
                    K::Unavailable | K::RateLimited | K::Corrupt | K::Conflict
                ) =>
            {
                Self::CommitUnclear(Box::new(CommitUnclear { run, error: self }))
            }
            error => error,
        }
    }

    /// Returns whether a server did not answer, or not in time.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Catalog(error) => error.kind() == CatalogErrorKind::Unavailable,
            Self::Kek(error) => error.kind() == KekErrorKind::Unavailable,
            Self::Store(error) => error.kind() == StoreErrorKind::Unavailable,
            _ => false,
        }
    }

    /// Returns whether a migration has moved the organization to another platform.
    pub(crate) fn is_moved(&self) -> bool {
        matches!(self, Self::Catalog(error) if error.kind() == CatalogErrorKind::Moved)
    }

    /// Returns whether the backend is missing or unreachable.
    pub(crate) fn is_of_the_backend(&self) -> bool {
        matches!(
            self,
            Self::Store(_)
                | Self::UnknownBackend { .. }
                | Self::BackendNotThere { .. }
                | Self::BackendDeleting { .. }
                | Self::CredentialRefused { .. }
        )
    }

    /// Returns true for a failure that no other record would escape.
    #[must_use]
    pub fn ends_all(&self) -> bool {
        match self {
            Self::Interrupted { .. }
            | Self::KeyNotAllowed { .. }
            | Self::RestoreUnfinished { .. }
            | Self::RestoreNotAccepted { .. } => true,
            Self::Catalog(error) => !concerns_one_record(error.kind()),
            error => error.interruption().is_some(),
        }
    }

    /// Returns the remedy of a failure of catalog, store or KEK.
    pub(crate) fn remedy(&self) -> Option<&str> {
        match self {
            Self::Catalog(error) => error.remedy(),
            Self::Kek(error) => error.remedy(),
            Self::Store(error) => error.remedy(),
            _ => None,
        }
    }

    /// Returns the message with those of all sources.
    pub(crate) fn with_sources(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

/// Returns true for a failure of the catalog that is about one record.
fn concerns_one_record(kind: CatalogErrorKind) -> bool {
    use CatalogErrorKind as K;
    match kind {
        K::Altered | K::Corrupt | K::Removed | K::Conflict => true,
        K::PermissionDenied
        | K::Unauthenticated
        | K::RateLimited
        | K::Unavailable
        | K::Unexpected
        | K::Moved
        | K::Misconfigured => false,
    }
}
