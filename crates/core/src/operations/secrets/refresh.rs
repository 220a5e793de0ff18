//! Looks at secrets, without their values.

use uuid::Uuid;

use super::Secrets;
use crate::catalog::{
    Loaded, OnDestroy, SecretDocument, SecretRecord, SecretState, VersionRecord, record_key_of_name,
};
use crate::kek::{KekError, KekErrorKind};
use crate::names::{SecretName, Slug};
use crate::operations::backends::Trust;
use crate::operations::{OperationError, SecretView};
use crate::store::{Absence, DescribeOptions, StoreErrorKind, VersionStatus};

/// What a refresh knows from before.
#[derive(Clone, Debug)]
pub struct RefreshSecret {
    /// Its name and scope.
    pub name: SecretName,
    /// Its identity.
    pub uuid: Uuid,
    /// Its backend's name, where that was seen: it never changes.
    pub backend: Option<Slug>,
    /// What was seen of it last; absent right after an import.
    pub seen: Option<SeenSecret>,
}

/// What was seen of a secret before: it must not go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenSecret {
    /// The record's generation.
    pub generation: u64,
    /// Number and payload digest of the current version.
    pub version: Option<(u64, String)>,
}

/// What a refresh finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// It is there, and so is its current version.
    Present(SecretView),
    /// Its record is there; its current version, or its whole object, is missing or
    /// not the one we wrote.
    VersionLost(SecretView),
    /// Its record is there, and its backend could not be asked: the credential
    /// that leads there is sealed under a key that may not be used here, for this
    /// reason.
    Unchecked(SecretView, String),
    /// Its deletion was begun and not finished.
    Deleting(SecretView),
    /// Its backend cannot be asked, and its record says that it is to be forgotten.
    Unreachable(SecretView, String),
    /// The catalog has no record of it, and no tombstone.
    RecordMissing,
    /// It was deleted: its record no longer names it.
    Gone,
}

impl Secrets<'_> {
    /// Looks at a secret without its value: one request to the catalog, one to
    /// the backend, none to a KEK. A version that is missing costs a second look at
    /// the record.
    ///
    /// # Errors
    ///
    /// `RolledBack`, `BackendRolledBack`, `SecretMoved`; failures of catalog and store.
    ///
    /// # Security
    ///
    /// Verifies no MAC: what it tells is shown, and nothing is written or opened
    /// on its word. A backend is asked where it was when it was
    /// [seen before](Self::remember_backend).
    pub async fn refresh(self, request: &RefreshSecret) -> Result<Refreshed, OperationError> {
        let key = record_key_of_name(&request.name);
        let loaded = self
            .organization
            .catalog
            .load_fenced_if(&key, |loaded| is_behind(loaded, request))
            .await?;
        if is_rolled_back(loaded.as_ref(), request) {
            let found = loaded.map_or(0, |loaded| loaded.record.generation);
            let seen = request.seen.as_ref().map_or(0, |seen| seen.generation);
            return Err(OperationError::RolledBack {
                name: request.name.clone(),
                seen,
                found,
            });
        }
        let refreshed = self.refresh_from(loaded.as_ref(), request).await?;
        if !matches!(refreshed, Refreshed::VersionLost(_)) {
            return Ok(refreshed);
        }
        // A rotation may have removed the version after the record was read.
        let now = self
            .organization
            .catalog
            .load_fenced::<SecretDocument>(&key)
            .await?;
        let generation =
            |loaded: &Option<Loaded<SecretDocument>>| Some(loaded.as_ref()?.record.generation);
        if generation(&now) <= generation(&loaded) {
            return Ok(refreshed);
        }
        self.refresh_from(now.as_ref(), request).await
    }

    /// Looks at the version that a record names.
    async fn refresh_from(
        self,
        loaded: Option<&Loaded<SecretDocument>>,
        request: &RefreshSecret,
    ) -> Result<Refreshed, OperationError> {
        let Some(Loaded {
            record: document, ..
        }) = loaded
        else {
            return Ok(Refreshed::RecordMissing);
        };
        let Some(secret) = sought(document, request) else {
            return Ok(Refreshed::Gone);
        };
        // Else a record that nobody has verified would lead the refresh elsewhere,
        // and have the caller forget what it knows of the backend.
        if let Some(backend) = &request.backend
            && *backend != secret.backend_name
        {
            return Err(OperationError::SecretMoved {
                name: request.name.clone(),
                backend: secret.backend_name.clone(),
            });
        }
        let view = SecretView::new(secret, document, self.organization.existing().await?.uuid);
        if secret.state == SecretState::Deleting {
            return Ok(Refreshed::Deleting(view));
        }
        let is_forgotten = secret.arguments.on_destroy == OnDestroy::Forget;
        match self.look_at_version(secret, view.clone()).await {
            Err(error) if is_forgotten && error.is_of_the_backend() => {
                Ok(Refreshed::Unreachable(view, error.with_sources()))
            }
            refreshed => refreshed,
        }
    }

    /// Asks a secret's backend for its current version.
    async fn look_at_version(
        self,
        secret: &SecretRecord,
        view: SecretView,
    ) -> Result<Refreshed, OperationError> {
        let Some(options) = describe_options(secret, Absence::Quick) else {
            return Ok(Refreshed::VersionLost(view));
        };
        let backend = match self
            .organization
            .backends()
            .of_secret(secret, Trust::MacOrRollbackGuard)
            .await
        {
            Ok(backend) => backend,
            Err(OperationError::Kek(error)) if is_withheld(&error) => {
                let remedy = error.remedy().unwrap_or_default();
                let reason = format!("{error}\n{remedy}").trim_end().to_owned();
                return Ok(Refreshed::Unchecked(view, reason));
            }
            Err(error) => return Err(error),
        };
        let view = view.on(&backend);
        match backend.store.describe(&secret.remote_name, options).await {
            Ok(VersionStatus::Present) => Ok(Refreshed::Present(view)),
            Ok(VersionStatus::Missing | VersionStatus::Replaced) => {
                Ok(Refreshed::VersionLost(view))
            }
            Err(error) if error.kind() == StoreErrorKind::NotFound => {
                backend.expect_marker().await?;
                Ok(Refreshed::VersionLost(view))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the secret that a refresh asks about.
fn sought<'a>(document: &'a SecretDocument, request: &RefreshSecret) -> Option<&'a SecretRecord> {
    let secret = document.secret(request.uuid);
    secret.filter(|secret| secret.name == request.name)
}

/// Says whether a key is there and may not be used with these credentials, as
/// a role that only plans may not.
fn is_withheld(error: &KekError) -> bool {
    error.kind() == KekErrorKind::PermissionDenied
}

/// What to ask the store about a secret's current version; `None` when it has
/// none.
pub(crate) fn describe_options(secret: &SecretRecord, absence: Absence) -> Option<DescribeOptions> {
    let (current, others) = secret.versions.split_last()?;
    let native = |version: &VersionRecord| version.native_id.clone();
    Some(DescribeOptions {
        version: native(current),
        others: others.iter().map(native).collect(),
        absence,
    })
}

/// Says whether what was loaded seems to be older than what the caller knows, or the
/// secret gone: never believed without a fence.
fn is_behind(loaded: Option<&Loaded<SecretDocument>>, request: &RefreshSecret) -> bool {
    loaded.is_none_or(|loaded| sought(&loaded.record, request).is_none())
        || is_rolled_back(loaded, request)
}

/// Says whether the catalog is older than what was seen: a lower generation, an
/// earlier version, or a version that we know with another payload. A record that is
/// not there at all is no older one.
fn is_rolled_back(loaded: Option<&Loaded<SecretDocument>>, request: &RefreshSecret) -> bool {
    let (Some(seen), Some(loaded)) = (&request.seen, loaded) else {
        return false;
    };
    let document = &loaded.record;
    if document.generation < seen.generation {
        return true;
    }
    let (Some(secret), Some((number, digest))) = (document.secret(request.uuid), &seen.version)
    else {
        return false;
    };
    let mut versions = secret.versions.iter();
    let known = versions.find(|version| version.number == *number);
    known.is_some_and(|version| version.payload_sha256 != *digest)
        || secret.next_number() <= *number
}
