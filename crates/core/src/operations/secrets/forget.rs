//! Forgets what an operator names: the record of a secret or of a backend becomes a
//! tombstone, and the backend is not asked.
//!
//! For a backend that is gone for good, where a destroy can't be finished. Whoever
//! forgets has seen the record: it is found first, and forgotten only as it was found.
//! No stamp counts, since the state that knew it may be gone as well.

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
    /// Whose it is.
    pub owner: Owner,
    /// Whether its deletion was begun.
    pub is_deleting: bool,
    /// Whether it stands no longer under its name.
    pub is_displaced: bool,
    /// Whether `deletion_protection` is set.
    pub is_protected: bool,
    /// The objects that may be left in the backend.
    pub objects: Vec<RemoteName>,
    entries: Vec<EntryKey>,
    held: HeldSecret,
}

/// What stands under a name that an operator wants to forget.
#[derive(Debug)]
pub enum Found<T> {
    /// This.
    One(Box<T>),
    /// Nothing any more: a tombstone, or secrets that the name alone does not find.
    Nothing {
        /// The secrets that were displaced under this name, and are found by uuid.
        displaced: Vec<Uuid>,
    },
    /// Nothing was ever written there.
    Never,
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
    ) -> Result<Found<ForgettableSecret>, OperationError> {
        self.organization.existing().await?;
        let held: HeldSecret = self
            .organization
            .hold_fenced(record_key_of_name(name))
            .await?;
        if held.is_absent() {
            return Ok(Found::Never);
        }
        let found = match uuid {
            Some(uuid) => held.named(name, uuid),
            None => held.document.current.as_ref(),
        };
        let Some(secret) = found.filter(|secret| secret.name == *name) else {
            let displaced = held.document.displaced.iter().map(|secret| secret.uuid);
            let displaced = displaced.collect();
            return Ok(Found::Nothing { displaced });
        };
        let current = held.document.current.as_ref();
        let is_displaced = current.is_none_or(|current| current.uuid != secret.uuid);
        let secret = secret.clone();
        Ok(Found::One(Box::new(ForgettableSecret::new(
            &secret,
            is_displaced,
            held,
        ))))
    }

    /// Makes the record of a secret a tombstone, if nobody has changed its document
    /// since it was found, and removes its entries.
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
        self.clear(&found.held, &found.entries).await;
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
