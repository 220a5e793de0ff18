//! Rotates a secret and edits what is set besides its value.

use jiff::Timestamp;
use uuid::Uuid;

use super::backends::Trust;
use super::steps::Interrupt;
use super::{OperationError, Organization, SecretView, ValueSource};
use crate::catalog::{
    Revision, SecretArguments, SecretMetadata, SecretState, VersionRecord, record_key_of_name,
};
use crate::names::SecretName;
use crate::store::{Deletion, NativeVersionId, RemoteName, SecretStore, StoreCapability};

/// What to change.
#[derive(Debug)]
pub struct UpdateSecret {
    /// Its name and scope.
    pub name: SecretName,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation that was seen when the change was planned: the secret has
    /// not changed since, whatever became of its namesakes.
    pub generation: u64,
    /// The new value; absent to leave it alone.
    pub source: Option<ValueSource>,
    /// What is set besides the value, whole.
    pub metadata: SecretMetadata,
    /// What only the provider acts on, whole.
    pub arguments: SecretArguments,
}

impl Organization {
    /// Writes a new version, new metadata, or both, in one commit; then deletes
    /// the versions beyond `keep_versions`.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently` when the secret is not as it was planned on;
    /// `RolledBack` when the catalog is older than what was seen;
    /// `SecretNotFound`; `ValueTooLarge` before anything is written; failures of
    /// catalog, store and KEK.
    pub async fn update_secret(
        &self,
        request: UpdateSecret,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        interrupt.bound(self.update(request, interrupt)).await
    }

    async fn update(
        &self,
        request: UpdateSecret,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        interrupt.before("update")?;
        let UpdateSecret {
            name,
            uuid,
            generation,
            source,
            metadata,
            arguments,
        } = request;
        let mut held = self.hold(record_key_of_name(&name)).await?;
        let behind = held.document.generation < generation || held.named(&name, uuid).is_none();
        if behind && held.revision != Revision::ABSENT {
            // A node that lags answers so, too.
            held = self.hold_fenced(held.key).await?;
        }
        let Some(record) = held.named(&name, uuid) else {
            return Err(OperationError::SecretNotFound {
                secret: name.to_string(),
            });
        };
        if held.document.generation < generation {
            let found = held.document.generation;
            return Err(OperationError::RolledBack {
                name,
                seen: generation,
                found,
            });
        }
        if record.generation > generation || record.state != SecretState::Ready {
            return Err(OperationError::ChangedConcurrently {
                subject: format!("secret {name}"),
            });
        }
        let now = Timestamp::now();
        let backend = self.backend_of(record, Trust::Mac).await?;
        let Some(source) = source else {
            if record.metadata == metadata && record.arguments == arguments {
                return self.view(&held, uuid).await.map(|view| view.on(&backend));
            }
            let record = held.document.secret_mut(uuid).expect("looked up above");
            if record.metadata != metadata {
                record.updated_at = now;
            }
            record.metadata = metadata;
            record.arguments = arguments;
            interrupt.before("commit edit")?;
            self.commit(&mut held).await?;
            return self.view(&held, uuid).await.map(|view| view.on(&backend));
        };
        let from = source.copy_from();
        let value = self.resolve(source).await?;
        let number = record.next_number();
        let organization = self.existing().await?.uuid;
        let plaintext = value.to_plaintext();
        let version = backend
            .seal_and_put(organization, record, number, &plaintext, interrupt)
            .await?;
        let remote_name = record.remote_name.clone();
        let mut pruned = Vec::new();
        let view = self
            .commit_version(&mut held, uuid, version, &backend, |record| {
                record.kind = value.kind();
                record.updated_at = now;
                record.metadata = metadata;
                record.arguments = arguments;
                let capability = backend.store.capability();
                let keep = kept(capability, record.arguments.keep_versions);
                let surplus = prune(&mut record.versions, keep);
                if capability.deletes_versions {
                    pruned = surplus;
                }
            })
            .await?;
        delete_pruned(backend.store.as_ref(), &remote_name, pruned).await;
        let left = self.delete_source(from.as_ref()).await;
        Ok(view.on(&backend).leaving(left))
    }
}

/// Returns how many versions stay in the record: always one less than the store
/// can hold, so that the next put drops none before its commit.
fn kept(capability: &StoreCapability, keep_versions: u32) -> u32 {
    let room = capability.max_versions.map(|max| max.saturating_sub(1));
    keep_versions.min(room.unwrap_or(u32::MAX)).max(1)
}

/// Takes the oldest versions beyond `keep` out of the record.
fn prune(versions: &mut Vec<VersionRecord>, keep: u32) -> Vec<NativeVersionId> {
    let surplus = versions.len().saturating_sub(keep as usize);
    versions
        .drain(..surplus)
        .map(|version| version.native_id)
        .collect()
}

/// The rotation is committed: what cannot be deleted now is left to `gc`.
async fn delete_pruned(store: &dyn SecretStore, name: &RemoteName, pruned: Vec<NativeVersionId>) {
    if pruned.is_empty() {
        return;
    }
    super::steps::crash_point("prune");
    if let Err(error) = store.delete(name, Deletion::Versions(pruned)).await {
        tracing::warn!(%error, "versions beyond keep_versions could not be deleted");
    }
}
