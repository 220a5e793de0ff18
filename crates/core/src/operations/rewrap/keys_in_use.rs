//! Ends a pass whose keys are no longer those of the records.

use super::super::held_document::Held;
use crate::catalog::{BackendDocument, KekRecord};
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

impl Keys<'_> {
    /// Returns the keys that the records name now, behind a fence.
    pub(super) async fn keys_in_use(self, backend: &Slug) -> Result<KeysInUse, OperationError> {
        let record = self.hold_record().await?.record;
        let organization = ids(&record.escrow);
        if backend.as_str() == PLATFORM_BACKEND {
            return Ok(KeysInUse {
                organization,
                backend: None,
            });
        }
        let held: Held<BackendDocument> = self.organization.hold_fenced(backend.clone()).await?;
        let of_backend = held.document.backend.map(|record| OfBackend {
            encryption: record.keys.encryption.map(|key| key.kek),
            escrow: ids(&record.keys.escrow),
            former: ids(&record.keys.former),
        });
        let of_backend = of_backend.ok_or_else(|| OperationError::UnknownBackend {
            backend: backend.clone(),
        })?;
        Ok(KeysInUse {
            organization,
            backend: Some(of_backend),
        })
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
