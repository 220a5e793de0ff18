//! Conversions of the client's error into the errors of the store, the catalog and the KEK.

use crate::openbao::client::{OpenBaoError, OpenBaoErrorKind as K};
use planton_core::catalog::{CatalogError, CatalogErrorKind};
use planton_core::error::Error;
use planton_core::kek::{KekError, KekErrorKind};
use planton_core::store::{StoreError, StoreErrorKind};

impl From<OpenBaoError> for StoreError {
    fn from(error: OpenBaoError) -> Self {
        convert(error, |kind| match kind {
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
        })
    }
}

impl From<OpenBaoError> for CatalogError {
    fn from(error: OpenBaoError) -> Self {
        convert(error, |kind| match kind {
            K::Conflict => CatalogErrorKind::Conflict,
            K::PermissionDenied => CatalogErrorKind::PermissionDenied,
            K::Unauthenticated => CatalogErrorKind::Unauthenticated,
            K::RateLimited => CatalogErrorKind::RateLimited,
            K::Unavailable => CatalogErrorKind::Unavailable,
            K::Corrupt => CatalogErrorKind::Corrupt,
            K::Unexpected => CatalogErrorKind::Unexpected,
            // To the catalog, a missing record is not an error. What remains is a mount of
            // the wrong kind.
            K::NotFound
            | K::TooLarge
            | K::InvalidPath
            | K::Refused
            | K::KeyDisabled
            | K::Misconfigured => CatalogErrorKind::Misconfigured,
        })
    }
}

impl From<OpenBaoError> for KekError {
    fn from(error: OpenBaoError) -> Self {
        convert(error, |kind| match kind {
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
        })
    }
}

/// Converts an error about a credential, which no request caused.
pub(super) fn credential_error(error: &StoreError) -> KekError {
    let kind = match error.kind() {
        StoreErrorKind::Unauthenticated => KekErrorKind::Unauthenticated,
        _ => KekErrorKind::Misconfigured,
    };
    let converted = KekError::new(kind, error.operation(), error.path());
    match error.remedy() {
        Some(remedy) => converted.with_remedy(remedy),
        None => converted,
    }
}

/// Keeps operation, path, remedy and source, and translates the kind.
fn convert<T>(error: OpenBaoError, kind: impl Fn(K) -> T) -> Error<T> {
    let parts = error.into_parts();
    let mut converted = Error::new(kind(parts.kind), parts.operation, parts.path);
    if let Some(remedy) = parts.remedy {
        converted = converted.with_remedy(remedy);
    }
    match parts.source {
        Some(source) => converted.with_source(source),
        None => converted,
    }
}
