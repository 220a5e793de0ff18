//! The credential that a plan gives a backend, before the apply has saved it.
//!
//! A saved credential may have expired, and the plan that renews it also refreshes the backend's
//! secrets and opens ephemeral ones.

use std::sync::Arc;

use super::Backends;
use crate::catalog::BackendRecord;
use crate::names::Slug;
use crate::operations::OperationError;
use crate::operations::connections::PlannedConnection;
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::operations::keyrings::OrganizationKeyring;
use crate::store::{SecretStore, StoreCredential};

impl Backends<'_> {
    /// Sends the requests to the backend `name` as the plan does from its apply on. `None` ends
    /// that, and so does an update of the backend.
    ///
    /// # Security
    ///
    /// Nothing of the backend's record goes to the place that the settings name. If it is
    /// another place, the versions of its secrets are missing there, and so is its marker.
    pub fn plan_connection(self, name: &Slug, planned: Option<PlannedConnection>) {
        let connections = &self.organization.connections;
        connections.plan_connection(name, planned);
    }

    /// Opens the store of a backend.
    pub(super) async fn store_of(
        self,
        record: &BackendRecord,
        keyring: &OrganizationKeyring,
    ) -> Result<Arc<dyn SecretStore>, OperationError> {
        let connector = &self.organization.platform.connector;
        if let Some(planned) = self.organization.connections.planned_connection(record) {
            let PlannedConnection {
                settings,
                credential,
                ..
            } = &*planned;
            return Ok(connector.connect(settings, credential).await?);
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
}
