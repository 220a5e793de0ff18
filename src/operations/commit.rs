//! Commits a version that was put.

use uuid::Uuid;

use super::documents::Held;
use super::{Backend, OperationError, Organization, SecretView};
use crate::catalog::{SecretDocument, SecretRecord, SecretState, VersionRecord};
use crate::limits::RequestLimits;
use crate::store::{Deletion, NativeVersionId, RemoteName};

impl Organization {
    /// Adds `version` to the secret and commits; when another writer came first,
    /// what was put is deleted again, unless the record names it.
    pub(super) async fn commit_version(
        &self,
        held: &mut Held,
        uuid: Uuid,
        version: VersionRecord,
        backend: &Backend,
        change: impl FnOnce(&mut SecretRecord),
    ) -> Result<SecretView, OperationError> {
        super::steps::crash_point("commit");
        let native_id = version.native_id.clone();
        let record = held
            .document
            .secret_mut(uuid)
            .expect("the caller holds this secret");
        record.versions.push(version);
        change(record);
        let remote_name = record.remote_name.clone();
        if let Some(now) = self.try_commit(held).await? {
            // Where the record names it, our commit has landed, its answer was
            // lost, and somebody has built on it since.
            let landed = now.document.secret(uuid).is_some_and(|secret| {
                let mut versions = secret.versions.iter();
                versions.any(|version| version.native_id == native_id)
            });
            if !landed {
                let orphan = orphan(&now.document, uuid, &remote_name, native_id);
                let deleted = backend.store.delete(&remote_name, orphan);
                if let Err(error) = RequestLimits::committing(deleted).await {
                    tracing::warn!(%error, "a version that nothing refers to is left behind");
                }
                return Err(held.overtaken());
            }
        }
        super::steps::crash_point("answer");
        self.view(held, uuid).await
    }

    pub(super) async fn view(&self, held: &Held, uuid: Uuid) -> Result<SecretView, OperationError> {
        let catalog = self.existing().await?.uuid;
        let secret = held
            .document
            .secret(uuid)
            .expect("the caller holds this secret");
        Ok(SecretView::new(secret, held.document.generation, catalog))
    }
}

/// Says what to delete of a put that nothing refers to. Where its secret is on
/// its way out, or gone, the put may have brought the object back.
fn orphan(
    now: &SecretDocument,
    uuid: Uuid,
    remote_name: &RemoteName,
    native_id: NativeVersionId,
) -> Deletion {
    let versions = vec![native_id];
    let mut secrets = now.current.iter().chain(&now.displaced);
    let in_use = secrets.any(|secret| {
        secret.remote_name == *remote_name
            && (secret.uuid != uuid || secret.state != SecretState::Deleting)
    });
    if in_use {
        Deletion::Versions(versions)
    } else {
        Deletion::Object { versions }
    }
}
