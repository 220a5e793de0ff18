//! Ends a pass whose keys are no longer those of the records.

use super::super::held_document::Held;
use crate::catalog::{BackendDocument, BackendKeys, KekRecord, OrganizationRecord};
use crate::names::{PLATFORM_BACKEND, Slug};
use crate::operations::{Keys, OperationError};
use planton_envelope::KekId;

/// The keys that the records of an organization and of a backend name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeysInUse {
    /// Escrow keys of the organization.
    organization: Vec<KekId>,
    /// The backend's own keys, former ones included; `None` for the built-in backend.
    backend: Option<OfBackend>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct OfBackend {
    encryption: Option<KekId>,
    escrow: Vec<KekId>,
    former: Vec<KekId>,
}

impl KeysInUse {
    /// Returns the keys that an organization's record and one of a backend name; the built-in
    /// backend has no record.
    pub(super) fn of(organization: &OrganizationRecord, backend: Option<&BackendKeys>) -> Self {
        Self {
            organization: ids(&organization.escrow),
            backend: backend.map(|keys| OfBackend {
                encryption: keys.encryption.as_ref().map(|key| key.kek.clone()),
                escrow: ids(&keys.escrow),
                former: ids(&keys.former),
            }),
        }
    }
}

impl Keys<'_> {
    /// Returns the keys that the records name now, behind a fence.
    async fn keys_in_use(self, backend: &Slug) -> Result<KeysInUse, OperationError> {
        let record = self.hold_record().await?.record;
        if backend.as_str() == PLATFORM_BACKEND {
            return Ok(KeysInUse::of(&record, None));
        }
        let held: Held<BackendDocument> = self.organization.hold_fenced(backend.clone()).await?;
        let named = held.document.backend.as_ref();
        let named = named.ok_or_else(|| OperationError::UnknownBackend {
            backend: backend.clone(),
        })?;
        Ok(KeysInUse::of(&record, Some(&named.keys)))
    }

    /// Checks that the records still name these keys. What a pass writes under others may not
    /// open any more, or may lack an escrow key.
    ///
    /// # Errors
    ///
    /// `BackendChangedConcurrently`; `UnknownBackend`; failures of the catalog.
    pub(super) async fn expect_keys(
        self,
        backend: &Slug,
        expected: &KeysInUse,
    ) -> Result<(), OperationError> {
        if self.keys_in_use(backend).await? == *expected {
            return Ok(());
        }
        Err(OperationError::BackendChangedConcurrently {
            backend: backend.clone(),
        })
    }
}

fn ids(keys: &[KekRecord]) -> Vec<KekId> {
    keys.iter().map(|key| key.kek.clone()).collect()
}
