//! Deletes a secret.

use uuid::Uuid;

use super::documents::Held;
use super::steps::Interrupt;
use super::{OperationError, Organization};
use crate::catalog::{SecretState, record_key_of_name};
use crate::names::SecretName;
use crate::store::Deletion;

impl Organization {
    /// Deletes a secret: mark, remove from the backend, leave a tombstone.
    /// Every step takes what is gone already for done, so that a deletion which
    /// was killed goes on where it stood.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently`; failures of catalog and store.
    pub async fn delete_secret(
        &self,
        name: &SecretName,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        interrupt.before("delete")?;
        let mut held = self.hold(record_key_of_name(name)).await?;
        if held.document.secret(uuid).is_none() {
            return Ok(());
        }
        self.finish_deletion(&mut held, uuid, interrupt).await
    }

    /// Deletes the secret `uuid` of a document that is held.
    pub(super) async fn finish_deletion(
        &self,
        held: &mut Held,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let Some(secret) = held.document.secret_mut(uuid) else {
            return Ok(());
        };
        if secret.state != SecretState::Deleting {
            interrupt.before("mark deleting")?;
            secret.state = SecretState::Deleting;
            self.commit(held).await?;
        }
        let Some(secret) = held.document.secret(uuid) else {
            return Ok(());
        };
        interrupt.before("delete object")?;
        let backend = self.backend(&secret.backend_name).await?;
        let whole = Deletion::Object {
            versions: secret.native_ids(),
        };
        backend.store.delete(&secret.remote_name, whole).await?;
        interrupt.before("tombstone")?;
        held.document.remove(uuid);
        self.commit(held).await?;
        if held.document.is_tombstone() {
            super::steps::crash_point("forget history");
            self.catalog
                .forget_history(&held.key, held.revision)
                .await?;
        }
        Ok(())
    }
}
