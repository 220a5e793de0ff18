//! Forgets a secret: replaces its record with a tombstone, without a request to its backend.
//!
//! An operator uses it for a backend that is gone for good, where a destroy cannot finish.
//! The record is found first, so the operator can review it. A record that was modified since
//! is kept. The stamp is not checked, since the state that has it may be lost as well.

use uuid::Uuid;

use super::Secrets;
use crate::catalog::{EntryKey, Owner, SecretRecord, SecretState, record_key_of_name};
use crate::names::{SecretName, Slug};
use crate::operations::OperationError;
use crate::operations::held_document::HeldSecret;
use crate::operations::interrupt::Interrupt;
use crate::store::RemoteName;

/// A secret that may be forgotten.
#[derive(Debug)]
pub struct ForgettableSecret {
    /// Its name and scope.
    pub name: SecretName,
    /// Its identity.
    pub uuid: Uuid,
    /// Its backend's name.
    pub backend: Slug,
    /// Its backend's identity.
    pub backend_uuid: Uuid,
    /// Its owner.
    pub owner: Owner,
    /// Whether its deletion has begun.
    pub is_deleting: bool,
    /// Whether it is displaced.
    pub is_displaced: bool,
    /// Whether `deletion_protection` is set.
    pub is_protected: bool,
    /// The objects that may be left in the backend.
    pub objects: Vec<RemoteName>,
    entries: Vec<EntryKey>,
    held: HeldSecret,
}

/// Result of looking up the record that an operator wants to forget.
#[derive(Debug)]
pub enum Lookup<T> {
    /// The record.
    Found(Box<T>),
    /// The document has no such record: it is a tombstone, or its secrets have another uuid.
    NoMatch {
        /// The displaced secrets of this name, which are found by uuid.
        displaced: Vec<Uuid>,
    },
    /// No record was ever written under this name.
    NeverExisted,
}

impl Secrets<'_> {
    /// Finds a secret to forget: the current one of its name, or the one with `uuid`.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; failures of catalog and KEK.
    pub async fn find_to_forget(
        self,
        name: &SecretName,
        uuid: Option<Uuid>,
    ) -> Result<Lookup<ForgettableSecret>, OperationError> {
        self.organization.existing().await?;
        let held: HeldSecret = self
            .organization
            .hold_fenced(record_key_of_name(name))
            .await?;
        if held.is_missing() {
            return Ok(Lookup::NeverExisted);
        }
        let found = match uuid {
            Some(uuid) => held.named(name, uuid),
            None => held.document.current.as_ref(),
        };
        let Some(secret) = found.filter(|secret| secret.name == *name) else {
            let displaced = held.document.displaced.iter().map(|secret| secret.uuid);
            let displaced = displaced.collect();
            return Ok(Lookup::NoMatch { displaced });
        };
        let current = held.document.current.as_ref();
        let is_displaced = current.is_none_or(|current| current.uuid != secret.uuid);
        let secret = secret.clone();
        Ok(Lookup::Found(Box::new(ForgettableSecret::new(
            &secret,
            is_displaced,
            held,
        ))))
    }

    /// Replaces the record of a secret with a tombstone, and removes its entries. Fails if
    /// its document was modified since it was found.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently`; failures of the catalog.
    pub async fn forget(
        self,
        mut found: ForgettableSecret,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        interrupt.before("tombstone")?;
        found.held.document.remove(found.uuid);
        self.organization.commit(&mut found.held).await?;
        self.clear(&found.held, found.entries);
        self.organization.settle().await;
        Ok(())
    }
}

impl ForgettableSecret {
    fn new(secret: &SecretRecord, is_displaced: bool, held: HeldSecret) -> Self {
        let lost = secret.lost.iter().map(|lost| lost.remote_name.clone());
        Self {
            name: secret.name.clone(),
            uuid: secret.uuid,
            backend: secret.backend_name.clone(),
            backend_uuid: secret.backend,
            owner: secret.owner.clone(),
            is_deleting: secret.state == SecretState::Deleting,
            is_displaced,
            is_protected: secret.arguments.deletion_protection,
            objects: std::iter::once(secret.remote_name.clone())
                .chain(lost)
                .collect(),
            entries: secret.entries(),
            held,
        }
    }
}
