//! The marker of a backend: an object that proves that settings and credentials reach the
//! place of the existing objects.

use tokio::sync::OnceCell;

use super::OperationError;
use super::grant_delay::GrantDelay;
use crate::catalog::MarkerRecord;
use crate::names::Slug;
use crate::store::{
    Absence, DescribeOptions, SecretStore, StoreError, StoreErrorKind, VersionStatus,
};

/// The marker of an open backend, checked at most once per process.
///
/// Credentials of another account or region reach a place without the backend's objects.
/// Their absence there must not count as a deletion.
#[derive(Debug)]
pub(crate) struct Marker {
    pub(super) name: Slug,
    pub(super) record: MarkerRecord,
    pub(super) seen: OnceCell<()>,
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

/// Returns the options of a describe, which a role that may only plan can send as well. No
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
