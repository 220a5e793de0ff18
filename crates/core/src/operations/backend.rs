//! An open secret backend.

use std::sync::Arc;

use uuid::Uuid;

use super::keyrings::BackendKeyring;
use super::marker::{Marker, find_marker};
use super::{OperationError, SeenBackend};
use crate::names::Slug;
use crate::store::{Absence, SecretStore};

/// A secret backend, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    /// Its identity in the catalog.
    pub uuid: Uuid,
    /// Its name.
    pub name: Slug,
    /// First part of the names of its objects.
    pub name_prefix: String,
    /// The organization that it belongs to.
    pub organization: Slug,
    /// The store of its objects.
    pub store: Arc<dyn SecretStore>,
    /// The KEKs of its secrets.
    pub(crate) keyring: Arc<BackendKeyring>,
    /// Its record as last seen; `None` for the built-in backend.
    pub seen: Option<SeenBackend>,
    /// The marker that identifies its place; `None` if it has none.
    pub(crate) marker: Option<Arc<Marker>>,
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
