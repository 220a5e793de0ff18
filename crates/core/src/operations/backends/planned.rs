//! The credential that a plan gives a backend, before the apply has saved it.
//!
//! A saved credential may have expired, and the plan that renews it also refreshes the backend's
//! secrets and opens ephemeral ones. The plan that a host repeats in the apply lets the process
//! use it until the update begins.

use std::sync::Arc;

use super::Backends;
use crate::catalog::BackendRecord;
use crate::deadline::OperationContext;
use crate::names::Slug;
use crate::operations::OperationError;
use crate::operations::connections::PlannedConnection;
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::operations::keyrings::OrganizationKeyring;
use crate::operations::marker::find_marker;
use crate::store::{Absence, SecretStore, StoreCredential};

impl Backends<'_> {
    /// Sends requests to the backend `name` with the connection that its plan saves, if that
    /// leads to the backend. `None` ends that, and so does the beginning of an update.
    pub fn plan_connection(self, name: &Slug, planned: Option<PlannedConnection>) {
        let connections = &self.organization.connections;
        connections.plan_connection(name, planned);
    }

    /// Opens the store of a backend: by the planned connection if it provably leads to the
    /// backend, by the saved one otherwise.
    pub(super) async fn store_of(
        self,
        record: &BackendRecord,
        keyring: &OrganizationKeyring,
    ) -> Result<Arc<dyn SecretStore>, OperationError> {
        let connector = &self.organization.platform.connector;
        if let Some(planned) = self.organization.connections.planned_connection(record)
            && let Some(store) = self.planned_store(record, &planned).await
        {
            return Ok(store);
        }
        let credential = match &record.credential {
            None => StoreCredential::new(),
            Some(sealed) => {
                let owner = CredentialOwner::backend(record.uuid, &record.name);
                let usage = CredentialUse::store(owner, &record.settings);
                keyring.open_credential(usage, sealed).await?
            }
        };
        Ok(connector.connect(&record.settings, &credential).await?)
    }

    /// Opens the store of a planned connection; `None` if it does not lead to the backend. Its
    /// credential may become valid in the same apply only.
    ///
    /// The marker proves the place. A backend without one stays where its record says: secrets
    /// would count as lost at another place, and would be written there.
    async fn planned_store(
        self,
        record: &BackendRecord,
        planned: &PlannedConnection,
    ) -> Option<Arc<dyn SecretStore>> {
        if record.marker.is_none() && planned.settings != record.settings {
            return None;
        }
        let connector = &self.organization.platform.connector;
        let opened = async {
            let store = connector
                .connect(&planned.settings, &planned.credential)
                .await?;
            if let Some(marker) = &record.marker {
                find_marker(store.as_ref(), &record.name, marker, Absence::Quick).await?;
            }
            Ok::<_, OperationError>(store)
        };
        match OperationContext::trying_once().scope(opened).await {
            Ok(store) => Some(store),
            Err(error) => {
                tracing::debug!(%error, "the planned connection of a backend is not used");
                None
            }
        }
    }
}
