//! The marker: an object that proves that settings and credentials reach the place where
//! the backend has stored so far.

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::grant_delay::GrantDelay;
use crate::catalog::MarkerRecord;
use crate::deadline::RequestLimits;
use crate::names::Slug;
use crate::operations::sealing::seal;
use crate::operations::secrets::object_name;
use crate::operations::{Backend, OperationError, Organization};
use crate::store::{
    Absence, Deletion, DescribeOptions, PutOptions, RemoteName, SecretStore, StoreError,
    StoreErrorKind, StoreSettings, VersionStatus,
};
use planton_envelope::{Context, Purpose, SecretValue};

/// The value of a marker.
const MARKER_TEXT: &str = "This object marks a secret backend.";

/// A backend before its record is committed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) uuid: Uuid,
    pub(crate) name: &'a Slug,
    pub(crate) settings: &'a StoreSettings,
    pub(crate) store: &'a dyn SecretStore,
}

/// The marker of an open backend, looked for at most once per process.
///
/// Credentials of another account, or another region, reach a place without our objects.
/// Their absence there must not be taken for a deletion.
#[derive(Debug)]
pub(crate) struct Marker {
    name: Slug,
    record: MarkerRecord,
    seen: OnceCell<()>,
}

impl Marker {
    pub(crate) fn new(name: &Slug, record: MarkerRecord) -> Self {
        Self {
            name: name.clone(),
            record,
            seen: OnceCell::new(),
        }
    }
}

impl Backend {
    /// Checks that the marker exists, before a write, before a deletion, and before an
    /// object is treated as missing. Sends one request per process, and none for a
    /// backend that was never verified.
    ///
    /// # Errors
    ///
    /// `BackendNotThere`; failures of the store.
    pub(crate) async fn expect_marker(&self) -> Result<(), OperationError> {
        let Some(marker) = &self.marker else {
            return Ok(());
        };
        marker
            .seen
            .get_or_try_init(|| {
                let (name, marker) = (&marker.name, &marker.record);
                find_marker(self.store.as_ref(), name, marker, Absence::Quick)
            })
            .await
            .copied()
    }

    /// As [`expect_marker`](Self::expect_marker), with a confirmed absence, before the
    /// marker is treated as missing.
    pub(crate) async fn look_for_marker_again(&self) -> Result<(), OperationError> {
        let Some(marker) = &self.marker else {
            return Ok(());
        };
        let (name, marker) = (&marker.name, &marker.record);
        find_marker(self.store.as_ref(), name, marker, Absence::Confirmed).await
    }
}

/// Checks that `store` reaches the place where `marker` was put.
///
/// # Errors
///
/// `BackendNotThere` if the marker is missing, or another object has its name.
pub(crate) async fn find_marker(
    store: &dyn SecretStore,
    name: &Slug,
    marker: &MarkerRecord,
    absence: Absence,
) -> Result<(), OperationError> {
    let looked = store.describe(&marker.remote_name, look(marker, absence));
    found_marker(name, marker, looked.await)
}

/// As [`find_marker`], with a new credential: waits until its grant takes effect.
pub(crate) async fn find_marker_granted(
    store: &dyn SecretStore,
    name: &Slug,
    marker: &MarkerRecord,
    absence: Absence,
) -> Result<(), OperationError> {
    let granted = GrantDelay::new(store);
    let describe = || store.describe(&marker.remote_name, look(marker, absence));
    found_marker(name, marker, granted.wait(describe).await)
}

/// Returns the options of a describe, which a role that only plans may send as well. No
/// other object ever had the marker's native id.
fn look(marker: &MarkerRecord, absence: Absence) -> DescribeOptions {
    DescribeOptions {
        version: marker.native_id.clone(),
        others: Vec::new(),
        absence,
    }
}

fn found_marker(
    name: &Slug,
    marker: &MarkerRecord,
    looked: Result<VersionStatus, StoreError>,
) -> Result<(), OperationError> {
    let elsewhere = || OperationError::BackendNotThere {
        backend: name.clone(),
        marker: marker.remote_name.to_string(),
    };
    match looked {
        Ok(VersionStatus::Present) => Ok(()),
        Ok(_) => Err(elsewhere()),
        Err(error) if error.kind() == StoreErrorKind::NotFound => Err(elsewhere()),
        Err(error) => Err(error.into()),
    }
}

impl Organization {
    /// Puts the marker.
    pub(crate) async fn put_marker(
        &self,
        candidate: Candidate<'_>,
    ) -> Result<MarkerRecord, OperationError> {
        // A new name each time: a process that loses a commit deletes its marker, and a
        // vendor may retain a deleted object for weeks.
        let random = getrandom::u64().map_err(|_| OperationError::Randomness)?;
        let remote_name = self.name_of(candidate, "backend", &format!("{random:016x}"));
        let payload = self.marker_payload(candidate).await?;
        let options = self.options_of(candidate);
        let native_id = candidate.store.put(&remote_name, &payload, options).await;
        Ok(MarkerRecord {
            remote_name,
            native_id: native_id.map_err(|error| OperationError::ProbeFailed {
                step: "write",
                error,
            })?,
            sha256: hex::encode(Sha256::digest(&payload)),
        })
    }

    /// Deletes a marker that no record names.
    pub(crate) async fn remove_marker(
        &self,
        store: &dyn SecretStore,
        marker: Option<MarkerRecord>,
    ) {
        let Some(marker) = marker else { return };
        // Its name is its own, so the whole object goes.
        let versions = vec![marker.native_id];
        let whole = Deletion::Purge { versions };
        let deleted = store.delete(&marker.remote_name, whole);
        if let Err(error) = RequestLimits::committing(deleted).await {
            tracing::warn!(%error, "a marker that nothing refers to is left behind");
        }
    }

    pub(crate) fn name_of(
        &self,
        candidate: Candidate<'_>,
        kind: &'static str,
        digits: &str,
    ) -> RemoteName {
        let leaf = format!("{}-{digits}", candidate.name);
        let parts = [
            candidate.settings.name_prefix.as_str(),
            self.slug().as_str(),
            kind,
            &leaf,
        ];
        object_name(&parts, candidate.store.capability().name)
    }

    pub(crate) fn options_of(&self, candidate: Candidate<'_>) -> PutOptions {
        PutOptions {
            version: 1,
            attempt: Uuid::new_v4(),
            keep: Vec::new(),
            labels: [
                ("planton-organization", self.slug().to_string()),
                ("planton-backend", candidate.name.to_string()),
            ]
            .map(|(key, text)| (key.to_owned(), text))
            .into(),
        }
    }

    /// Returns the payload of a marker: an envelope, so that a store handles one form
    /// only. Its context names the backend, and its value is not secret.
    pub(crate) async fn marker_payload(
        &self,
        candidate: Candidate<'_>,
    ) -> Result<Vec<u8>, OperationError> {
        let context = Context {
            purpose: Purpose::Secret,
            organization: self.existing().await?.uuid,
            object: candidate.uuid,
            backend: candidate.uuid,
            version: 1,
            configuration_digest: None,
        };
        let plaintext = SecretValue::Text(MARKER_TEXT.into()).to_plaintext();
        let sealed = seal(context, &[&*self.platform.kek], &plaintext).await?;
        Ok(sealed.payload(candidate.store.capability().encoding))
    }
}
