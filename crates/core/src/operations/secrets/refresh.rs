//! Refreshes secrets, without reading their values.

use uuid::Uuid;

use super::Secrets;
use crate::catalog::{
    Loaded, OnDestroy, SecretDocument, SecretRecord, SecretState, VersionRecord, record_key_of_name,
};
use crate::kek::{KekError, KekErrorKind};
use crate::names::{SecretName, Slug};
use crate::operations::backends::Trust;
use crate::operations::{OperationError, SecretMarks, SecretView, SeenDigest};
use crate::store::{Absence, DescribeOptions, StoreErrorKind, VersionStatus};

/// The secret to refresh, as the caller's state has it.
#[derive(Clone, Debug)]
pub struct RefreshSecret {
    /// Its name and scope.
    pub name: SecretName,
    /// Its identity.
    pub uuid: Uuid,
    /// Its backend's name, if the caller saw it. It never changes.
    pub backend: Option<Slug>,
    /// The secret as the caller last saw it; `None` right after an import.
    pub seen: Option<SeenSecret>,
}

/// A secret as the caller last saw it. An older record is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenSecret {
    /// The record's generation.
    pub generation: u64,
    /// Number and payload digest of the current version.
    pub version: Option<(u64, SeenDigest)>,
    /// Marks of the record that the caller's view comes from, and of its current version.
    ///
    /// None where a refresh would return anything else than that view: the version was lost,
    /// the caller has a finding, or a deletion was begun.
    pub marks: Option<SecretMarks>,
}

/// Result of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The record is the one that the caller's view comes from, and the current version exists.
    /// Only for a caller with marks.
    Unchanged,
    /// The record and the current version exist.
    Present(SecretView),
    /// The record exists. The current version or its whole object is missing, or is not the
    /// one that was written.
    VersionLost(SecretView),
    /// The record exists. The backend was not checked, because the KEK denied access to the
    /// key that its credential is sealed under. Contains the reason.
    Unchecked(SecretView, String),
    /// A deletion was begun and not finished.
    Deleting(SecretView),
    /// The backend is missing or unreachable, and `on_destroy` of the record is `forget`.
    /// Contains the reason.
    Unreachable(SecretView, String),
    /// The catalog has neither a record nor a tombstone of the secret.
    RecordMissing,
    /// The secret was deleted: its document no longer contains it.
    Gone,
}

impl Secrets<'_> {
    /// Checks whether a secret and its current version exist.
    ///
    /// Sends one request to the catalog, one to the backend, and none to a KEK unless the secret is
    /// gone. If the version is missing, reads the record again. If the caller has marks and many
    /// secrets are refreshed, a listing may take the place of both requests.
    ///
    /// # Errors
    ///
    /// `RolledBack`, `BackendRolledBack`, `SecretMoved`; failures of catalog and store.
    ///
    /// # Security
    ///
    /// Verifies no MAC of a record that has the secret: the result is for display, and nothing is
    /// written or opened because of it. A record that ends the secret is verified if the MAC key is
    /// at hand: the state drops the secret because of it. The backend must be at the place where it was [seen
    /// before](crate::operations::Backends::remember).
    pub async fn refresh(self, request: &RefreshSecret) -> Result<Refreshed, OperationError> {
        self.organization.learn_floor().await?;
        let floor = self.organization.catalog.floor.value();
        if self.is_unchanged(request, floor).await {
            return Ok(Refreshed::Unchanged);
        }
        let key = record_key_of_name(&request.name);
        let loaded = self
            .organization
            .catalog
            .load_fenced_if(&key, |loaded| is_behind(loaded, request, floor))
            .await?;
        if is_rolled_back(loaded.as_ref(), request, floor) {
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

    /// Returns whether a listing confirms what the caller has seen.
    async fn is_unchanged(self, request: &RefreshSecret, floor: u64) -> bool {
        let Some(SeenSecret {
            generation,
            version: Some((number, _)),
            marks: Some(marks),
        }) = &request.seen
        else {
            return false;
        };
        // The view of an unchanged record has a higher generation since a rollback was accepted.
        if *generation < floor {
            return false;
        }
        let organization = self.organization;
        organization
            .is_listed_unchanged(&request.name, (*marks, *number))
            .await
    }

    /// Checks the version that a record names.
    async fn refresh_from(
        self,
        loaded: Option<&Loaded<SecretDocument>>,
        request: &RefreshSecret,
    ) -> Result<Refreshed, OperationError> {
        let Some(loaded) = loaded else {
            return Ok(Refreshed::RecordMissing);
        };
        let document = &loaded.record;
        let Some(secret) = sought(document, request) else {
            let seen = request.seen.as_ref().map(|seen| seen.generation);
            let may_be_abandoned = seen.is_some_and(|seen| {
                let floor = self.organization.catalog.floor.value();
                document.may_be_abandoned(request.uuid, seen, floor)
            });
            if document.has_no_past() || may_be_abandoned {
                return Ok(Refreshed::RecordMissing);
            }
            self.organization.keys().verify_end(loaded).await?;
            return Ok(Refreshed::Gone);
        };
        // An unverified record could otherwise redirect the refresh, and make the caller
        // discard what it saw of the backend.
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
            // A describe may have found the mark of the version.
            Ok(Refreshed::Present(view)) => {
                let read = (&record_key_of_name(&request.name), loaded.revision);
                Ok(Refreshed::Present(self.with_marks(view, secret, read)))
            }
            refreshed => refreshed,
        }
    }

    /// Asks the secret's backend for its current version.
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

/// Returns the secret that the request names.
fn sought<'a>(document: &'a SecretDocument, request: &RefreshSecret) -> Option<&'a SecretRecord> {
    let secret = document.secret(request.uuid);
    secret.filter(|secret| secret.name == request.name)
}

/// Returns whether access to an existing key was denied, as for a role that may only plan.
fn is_withheld(error: &KekError) -> bool {
    error.kind() == KekErrorKind::PermissionDenied
}

/// Returns the options of a describe of the secret's current version; `None` if it has no
/// version.
pub(crate) fn describe_options(secret: &SecretRecord, absence: Absence) -> Option<DescribeOptions> {
    let (current, others) = secret.versions.split_last()?;
    let native = |version: &VersionRecord| version.native_id.clone();
    Some(DescribeOptions {
        version: native(current),
        others: others.iter().map(native).collect(),
        absence,
    })
}

/// Returns whether the caller last saw the secret before a rollback was accepted.
fn has_seen_less(request: &RefreshSecret, floor: u64) -> bool {
    let seen = request.seen.as_ref();
    seen.is_some_and(|seen| seen.generation < floor)
}

/// Returns whether the loaded record is older than the caller's, or lacks the secret. It may
/// be a stale read, so only a fenced read confirms it.
fn is_behind(loaded: Option<&Loaded<SecretDocument>>, request: &RefreshSecret, floor: u64) -> bool {
    loaded.is_none_or(|loaded| sought(&loaded.record, request).is_none())
        || is_rolled_back(loaded, request, floor)
}

/// Returns whether the catalog is older than the caller's view: a lower generation, an
/// earlier version, or the same version with a payload that no reseal has replaced. A missing
/// record does not count as older, nor does the one that a raise puts in its place. Nothing is
/// older than what a caller saw before a rollback was accepted.
fn is_rolled_back(
    loaded: Option<&Loaded<SecretDocument>>,
    request: &RefreshSecret,
    floor: u64,
) -> bool {
    let (Some(seen), Some(loaded)) = (&request.seen, loaded) else {
        return false;
    };
    let document = &loaded.record;
    if document.has_no_past() || has_seen_less(request, floor) {
        return false;
    }
    if document.generation < seen.generation {
        return true;
    }
    let (Some(secret), Some((number, digest))) = (document.secret(request.uuid), &seen.version)
    else {
        return false;
    };
    let mut versions = secret.versions.iter();
    let known = versions.find(|version| version.number == *number);
    let is_seen = |payload: &str| SeenDigest::of(payload) == *digest;
    known.is_some_and(|version| !version.has_been(is_seen)) || secret.next_number() <= *number
}
