//! The client's errors as those of the store, the catalog and the KEK.

use crate::openbao::client::{OpenBaoError, OpenBaoErrorKind};
use planton_core::catalog::{CatalogError, CatalogErrorKind};
use planton_core::kek::{KekError, KekErrorKind};
use planton_core::store::{StoreError, StoreErrorKind};

impl From<OpenBaoError> for StoreError {
    fn from(error: OpenBaoError) -> Self {
        use OpenBaoErrorKind as K;
        let parts = error.into_parts();
        let kind = match parts.kind {
            K::NotFound => StoreErrorKind::NotFound,
            K::Conflict => StoreErrorKind::Conflict,
            K::PermissionDenied => StoreErrorKind::PermissionDenied,
            K::Unauthenticated => StoreErrorKind::Unauthenticated,
            K::TooLarge => StoreErrorKind::TooLarge,
            K::InvalidPath => StoreErrorKind::InvalidName,
            K::RateLimited => StoreErrorKind::RateLimited,
            K::Unavailable => StoreErrorKind::Unavailable,
            K::Corrupt => StoreErrorKind::Corrupt,
            K::Unexpected => StoreErrorKind::Unexpected,
            K::Refused | K::KeyDisabled | K::Misconfigured => StoreErrorKind::Misconfigured,
        };
        let mut error = Self::new(kind, parts.operation, parts.path);
        if let Some(remedy) = parts.remedy {
            error = error.with_remedy(remedy);
        }
        match parts.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl From<OpenBaoError> for CatalogError {
    fn from(error: OpenBaoError) -> Self {
        use OpenBaoErrorKind as K;
        let parts = error.into_parts();
        let kind = match parts.kind {
            K::Conflict => CatalogErrorKind::Conflict,
            K::PermissionDenied => CatalogErrorKind::PermissionDenied,
            K::Unauthenticated => CatalogErrorKind::Unauthenticated,
            K::RateLimited => CatalogErrorKind::RateLimited,
            K::Unavailable => CatalogErrorKind::Unavailable,
            K::Corrupt => CatalogErrorKind::Corrupt,
            K::Unexpected => CatalogErrorKind::Unexpected,
            // A record that is not found is no error to the catalog; what is
            // left here is a mount that is not what it must be.
            K::NotFound
            | K::TooLarge
            | K::InvalidPath
            | K::Refused
            | K::KeyDisabled
            | K::Misconfigured => CatalogErrorKind::Misconfigured,
        };
        let mut error = Self::new(kind, parts.operation, parts.path);
        if let Some(remedy) = parts.remedy {
            error = error.with_remedy(remedy);
        }
        match parts.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl From<OpenBaoError> for KekError {
    fn from(error: OpenBaoError) -> Self {
        use OpenBaoErrorKind as K;
        let parts = error.into_parts();
        let kind = match parts.kind {
            K::NotFound => KekErrorKind::NotFound,
            K::PermissionDenied => KekErrorKind::PermissionDenied,
            K::Unauthenticated => KekErrorKind::Unauthenticated,
            K::Refused => KekErrorKind::Refused,
            K::KeyDisabled => KekErrorKind::Disabled,
            K::RateLimited => KekErrorKind::RateLimited,
            K::Unavailable => KekErrorKind::Unavailable,
            K::Unexpected => KekErrorKind::Unexpected,
            K::Conflict | K::TooLarge | K::InvalidPath | K::Corrupt | K::Misconfigured => {
                KekErrorKind::Misconfigured
            }
        };
        let mut error = Self::new(kind, parts.operation, parts.path);
        if let Some(remedy) = parts.remedy {
            error = error.with_remedy(remedy);
        }
        match parts.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}
