//! A backend before its record is committed: puts its marker and names its objects.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Backends;
use crate::catalog::MarkerRecord;
use crate::deadline::OperationContext;
use crate::kek::{KeyPurpose, WrapNames};
use crate::names::Slug;
use crate::operations::OperationError;
use crate::operations::sealing::seal;
use crate::operations::secrets::object_name;
use crate::store::{Deletion, PutOptions, RemoteName, SecretStore, StoreSettings};
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

impl Backends<'_> {
    /// Puts the marker.
    pub(crate) async fn put_marker(
        self,
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
    pub(crate) async fn remove_marker(self, store: &dyn SecretStore, marker: Option<MarkerRecord>) {
        let Some(marker) = marker else { return };
        // The name is unique, so the whole object is deleted.
        let versions = vec![marker.native_id];
        let whole = Deletion::Purge { versions };
        let deleted = store.delete(&marker.remote_name, whole);
        if let Err(error) = OperationContext::committing(deleted).await {
            tracing::warn!(%error, "could not delete an unreferenced marker");
        }
    }

    pub(crate) fn name_of(
        self,
        candidate: Candidate<'_>,
        kind: &'static str,
        digits: &str,
    ) -> RemoteName {
        let leaf = format!("{}-{digits}", candidate.name);
        let parts = [
            candidate.settings.name_prefix.as_str(),
            self.organization.slug().as_str(),
            kind,
            &leaf,
        ];
        object_name(&parts, candidate.store.capability().name)
    }

    pub(crate) fn options_of(self, candidate: Candidate<'_>) -> PutOptions {
        PutOptions {
            version: 1,
            attempt: Uuid::new_v4(),
            keep: Vec::new(),
            labels: [
                ("planton-organization", self.organization.slug().to_string()),
                ("planton-backend", candidate.name.to_string()),
            ]
            .map(|(key, text)| (key.to_owned(), text))
            .into(),
        }
    }

    /// Returns the payload of a marker: an envelope, so that a store handles one form
    /// only. Its context names the backend, and its value is not secret.
    pub(crate) async fn marker_payload(
        self,
        candidate: Candidate<'_>,
    ) -> Result<Vec<u8>, OperationError> {
        let context = Context {
            purpose: Purpose::Secret,
            organization: self.organization.existing().await?.uuid,
            object: candidate.uuid,
            backend: candidate.uuid,
            version: 1,
            extension: None,
        };
        let plaintext = SecretValue::Text(MARKER_TEXT.into()).to_plaintext();
        let organization = self.organization.slug();
        let names = WrapNames::backend(organization, candidate.name, KeyPurpose::BackendMarker);
        let keyring = self.organization.keys().wrapping_keyring().await?;
        let sealed = seal(context, &names, &keyring.keyring, &plaintext).await?;
        Ok(sealed.payload(candidate.store.capability().encoding))
    }
}
