//! The organization's record whose escrow keys wrap: verified, and no older than the caller knows.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::Keys;
use crate::catalog::OrganizationRecord;
use crate::kek::Keyring;
use crate::operations::keyrings::OrganizationKeyring;
use crate::operations::organization::Opened;
use crate::operations::rollback_guard::SeenKeys;
use crate::operations::{Backend, OperationError};

/// The organization's record, with the keyring of its keys. Opened with its first wrap.
#[derive(Debug)]
pub(in crate::operations) struct NewestRecord {
    record: OrganizationRecord,
    keyring: OnceCell<Arc<OrganizationKeyring>>,
}

impl Keys<'_> {
    /// Passes the keys that the caller saw earlier to the rollback guard. Sends no request.
    ///
    /// Nothing is then wrapped for the escrow keys of an older record.
    pub fn remember(self, seen: SeenKeys) {
        let connections = &self.organization.connections;
        connections.rollback_guard.remember_keys(seen);
    }

    /// Checks that the organization's record is no older than the one that the caller saw, or
    /// names the same escrow keys.
    ///
    /// # Errors
    ///
    /// `OrganizationRolledBack`; failures of catalog and KEK.
    pub async fn expect_seen(self, seen: &SeenKeys) -> Result<(), OperationError> {
        self.remember(*seen);
        let newest = self.newest().await?;
        // Two callers may have seen different keys at one generation.
        match newest.seen().is_rolled_back_from(seen) {
            true => Err(self.rolled_back(seen.generation, &newest.record)),
            false => Ok(()),
        }
    }

    /// Returns the newest escrow keys that this process has seen in a verified record or was
    /// passed, for the caller to keep; `None` if there is nothing to keep: first use without
    /// escrow keys.
    pub async fn seen(self) -> Option<SeenKeys> {
        let guard = &self.organization.connections.rollback_guard;
        let verified = self
            .organization
            .opened
            .get()
            .filter(|opened| match opened {
                Opened::Loaded(_) => self.organization.mac_key.is_open(),
                Opened::Written(..) => true,
            });
        if let Some(opened) = verified {
            let newest = self.organization.newest.lock().await;
            let newest = newest.as_ref().map(|newest| newest.seen());
            guard.remember_keys(newest.unwrap_or_else(|| SeenKeys::of(opened.record())));
        }
        guard.last_keys().filter(|seen| !seen.is_of_first_use())
    }

    /// Returns the keyring that wraps for the organization's keys, its escrow keys included.
    ///
    /// # Errors
    ///
    /// `OrganizationRolledBack`; `Catalog(Altered)`; failures of catalog and KEK.
    pub(crate) async fn wrapping_keyring(self) -> Result<Arc<OrganizationKeyring>, OperationError> {
        let newest = self.newest().await?;
        let record = &newest.record;
        let open = async || {
            let opened = self.keyring_of(record.uuid, &record.escrow).await?;
            Ok::<_, OperationError>(Arc::new(opened))
        };
        newest.keyring.get_or_try_init(open).await.cloned()
    }

    /// Returns the keyring that wraps for the keys of `backend`.
    ///
    /// # Errors
    ///
    /// As [`wrapping_keyring`](Self::wrapping_keyring).
    pub(crate) async fn wrapping_keyring_of(
        self,
        backend: &Backend,
    ) -> Result<Keyring, OperationError> {
        if backend.keyring.is_organizations() {
            return Ok(self.wrapping_keyring().await?.keyring.clone());
        }
        Ok(backend.keyring.get().await?.clone())
    }

    /// Returns the organization's record, for its escrow keys.
    ///
    /// # Errors
    ///
    /// `OrganizationRolledBack`; failures of catalog and KEK.
    ///
    /// # Security
    ///
    /// Whoever writes the catalog could add an escrow key of their own, or bring a removed one
    /// back. So a record that names escrow keys is verified first, and a record that is older
    /// than the known one is loaded again behind a fence: it may be a stale read.
    async fn newest(self) -> Result<Arc<NewestRecord>, OperationError> {
        let guard = &self.organization.connections.rollback_guard;
        let mut newest = self.organization.newest.lock().await;
        if let Some(newest) = &*newest
            && guard.rollback_of_keys(&newest.seen()).is_none()
        {
            return Ok(Arc::clone(newest));
        }
        let mut record = self.organization.existing().await?.clone();
        if !record.escrow.is_empty() {
            self.mac_key().await?;
        }
        if guard.rollback_of_keys(&SeenKeys::of(&record)).is_some() {
            record = self.hold_record().await?.record;
        }
        if let Some(seen) = guard.rollback_of_keys(&SeenKeys::of(&record)) {
            return Err(self.rolled_back(seen, &record));
        }
        let found = Arc::new(NewestRecord {
            record,
            keyring: OnceCell::new(),
        });
        *newest = Some(Arc::clone(&found));
        Ok(found)
    }

    fn rolled_back(self, seen: u64, found: &OrganizationRecord) -> OperationError {
        OperationError::OrganizationRolledBack {
            organization: self.organization.slug().clone(),
            seen,
            found: found.generation,
        }
    }
}

impl NewestRecord {
    fn seen(&self) -> SeenKeys {
        SeenKeys::of(&self.record)
    }
}
