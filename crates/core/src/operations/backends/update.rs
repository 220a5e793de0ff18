//! Changes a backend in place: its credential, its settings, or its description.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::Backends;
use super::candidate::Candidate;
use super::record::HeldBackend;
use super::{BackendArguments, BackendOnDestroy, BackendView};
use crate::catalog::{BackendRecord, BackendState, MarkerRecord, Stamp};
use crate::names::Slug;
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::operations::key_resolution::ResolvedKeys;
use crate::operations::marker::find_marker_granted;
use crate::operations::{DeclaredKeys, Interrupt, OperationError};
use crate::store::{Absence, SecretStore, StoreCredential, StoreSettings};

/// The change of a backend.
#[derive(Debug)]
pub struct UpdateBackend {
    /// Its name.
    pub name: Slug,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation that the caller saw when it planned the change; `None` right after an
    /// import.
    pub seen: Option<u64>,
    /// The stamp in the caller's state; `None` if it has none.
    pub stamp: Option<Stamp>,
    /// Human-readable description, which replaces the present one.
    pub description: Option<String>,
    /// Settings, which replace the present ones.
    pub settings: StoreSettings,
    /// The new credential; `None` to keep the present one. An empty credential selects the
    /// vendor's ambient chain.
    pub credential: Option<StoreCredential>,
    /// The KEKs of its secrets, whole.
    pub keys: DeclaredKeys,
    /// Arguments, which replace the present ones.
    pub arguments: BackendArguments,
}

/// The store of a changed connection, and the marker that was put there.
pub(crate) struct Reconnected {
    store: Arc<dyn SecretStore>,
    /// The new marker, which only the commit will name.
    put: Option<MarkerRecord>,
}

impl Backends<'_> {
    /// Changes a backend in one commit.
    ///
    /// Probes new credentials and settings before the commit, if the arguments request it.
    /// The backend's marker must exist at a new address. Cancels an unfinished deletion.
    ///
    /// # Errors
    ///
    /// `BackendOwnedByAnother` under another stamp; `BackendRecordMissing`;
    /// `BackendNotThere` for an address that leads elsewhere; `ProbeFailed`;
    /// `BackendChangedConcurrently`; `UnknownBackend`; failures of catalog and KEK.
    pub async fn update(
        self,
        request: UpdateBackend,
        interrupt: &Interrupt,
    ) -> Result<BackendView, OperationError> {
        interrupt.before("update backend")?;
        // Whatever comes of it, the rest of the process uses what is saved.
        self.plan_connection(&request.name, None);
        let mut held = self.hold(&request.name).await?;
        let record = own_record(&held, request.uuid, request.stamp)?;
        let seen = request.seen.unwrap_or(held.document.generation);
        if held.document.generation < seen {
            return Err(OperationError::BackendRolledBack {
                backend: request.name,
                seen,
                found: held.document.generation,
            });
        }
        if record.generation > seen {
            return Err(held.overtaken());
        }
        let moved = record.settings != request.settings;
        // An update cancels an unfinished deletion. That deletion may have deleted the
        // marker.
        let is_taken_back = record.state == BackendState::Deleting;
        let mut changed = BackendRecord {
            state: BackendState::Ready,
            description: request.description,
            settings: request.settings,
            arguments: request.arguments,
            ..record.clone()
        };
        // Before a marker is put: a key that fails leaves nothing behind.
        let owner = CredentialOwner::backend(record.uuid, &record.name);
        let generation = held.document.generation + 1;
        let keys = self.organization.keys();
        let resolved = keys.resolve(owner, &record.keys, request.keys, generation);
        let ResolvedKeys { keys, notes } = resolved.await?;
        changed.keys = keys;
        // A backend that is to be forgotten cannot be checked.
        let is_given_up = changed.arguments.on_destroy == BackendOnDestroy::Forget;
        let is_unmarked = changed.arguments.verify_connection && record.marker.is_none();
        let in_doubt = is_taken_back || is_unmarked;
        let mut reconnected = None;
        if moved || request.credential.is_some() || (in_doubt && !is_given_up) {
            let before = record.clone();
            let version = held.document.generation + 1;
            let reconnect = self.reconnect(&before, &mut changed, request.credential, version);
            reconnected = Some(reconnect.await?);
        }
        if changed == *record {
            return Ok(self.view(&held.document).await?.with_key_notes(notes));
        }
        changed.updated_at = Timestamp::now();
        changed.generation = held.document.generation + 1;
        held.document.backend = Some(changed);
        interrupt.before("commit backend")?;
        self.commit_reconnected(&mut held, reconnected).await?;
        self.organization.connections.forget(&request.name);
        crate::operations::crash_hooks::crash_point("answer");
        Ok(self.view(&held.document).await?.with_key_notes(notes))
    }

    /// Checks that the changed backend is usable, and seals its credential for the new
    /// settings.
    pub(crate) async fn reconnect(
        self,
        before: &BackendRecord,
        changed: &mut BackendRecord,
        credential: Option<StoreCredential>,
        version: u64,
    ) -> Result<Reconnected, OperationError> {
        let credential = match (credential, &before.credential) {
            (Some(new), _) => new,
            (None, Some(sealed)) => {
                let usage = CredentialUse::store(
                    CredentialOwner::backend(before.uuid, &before.name),
                    &before.settings,
                );
                self.organization
                    .keys()
                    .keyring()
                    .await?
                    .open_credential(usage, sealed)
                    .await?
            }
            (None, None) => StoreCredential::new(),
        };
        let store = self
            .organization
            .platform
            .connector
            .connect(&changed.settings, &credential)
            .await?;
        let candidate = Candidate {
            uuid: before.uuid,
            name: &before.name,
            settings: &changed.settings,
            store: store.as_ref(),
        };
        let mut put = None;
        match &before.marker {
            // Whichever argument changed, the existing objects must be there.
            Some(marker) => match look_for(store.as_ref(), &before.name, marker).await {
                // The marker was deleted at the same place. That must not block new
                // credentials.
                Err(OperationError::BackendNotThere { .. })
                    if before.settings == changed.settings
                        && self.holds_ours(before.uuid, store.as_ref()).await? =>
                {
                    put = Some(self.put_marker(candidate).await?);
                    changed.marker.clone_from(&put);
                }
                Err(OperationError::Store(error)) => {
                    return Err(OperationError::ProbeFailed {
                        step: "read",
                        error,
                    });
                }
                found => found?,
            },
            None if before.settings != changed.settings => {
                return Err(OperationError::BackendNotMarked {
                    backend: before.name.clone(),
                });
            }
            None => {}
        }
        if changed.arguments.verify_connection {
            self.probe(candidate).await?;
            // It was declared without verification, and its settings are those of today.
            if before.marker.is_none() {
                put = Some(self.put_marker(candidate).await?);
                changed.marker.clone_from(&put);
            }
        }
        let usage = CredentialUse::store(
            CredentialOwner::backend(before.uuid, &before.name),
            &changed.settings,
        );
        changed.credential = self
            .organization
            .keys()
            .wrapping_keyring()
            .await?
            .seal_credential(usage, &credential, version)
            .await?;
        Ok(Reconnected { store, put })
    }

    /// Commits a changed document. If another writer committed first, deletes the new marker.
    pub(crate) async fn commit_reconnected(
        self,
        held: &mut HeldBackend,
        reconnected: Option<Reconnected>,
    ) -> Result<(), OperationError> {
        let committed = self.commit(held).await;
        if let Err(OperationError::BackendChangedConcurrently { .. }) = &committed
            && let Some(Reconnected { store, put }) = reconnected
        {
            self.remove_marker(store.as_ref(), put).await;
        }
        committed
    }
}

/// Looks for the marker. Confirms its absence, since a missing marker is put again.
async fn look_for(
    store: &dyn SecretStore,
    name: &Slug,
    marker: &MarkerRecord,
) -> Result<(), OperationError> {
    match find_marker_granted(store, name, marker, Absence::Quick).await {
        Err(OperationError::BackendNotThere { .. }) => {
            find_marker_granted(store, name, marker, Absence::Confirmed).await
        }
        found => found,
    }
}

/// Returns the backend with this uuid, if the caller owns it.
///
/// # Errors
///
/// `BackendRecordMissing`, `UnknownBackend`, `BackendOwnedByAnother`.
fn own_record(
    held: &HeldBackend,
    uuid: Uuid,
    stamp: Option<Stamp>,
) -> Result<&BackendRecord, OperationError> {
    let backend = || held.name.clone();
    if held.is_absent() {
        return Err(OperationError::BackendRecordMissing { backend: backend() });
    }
    let record = held.document.backend.as_ref();
    let record = record
        .filter(|record| record.uuid == uuid)
        .ok_or_else(|| super::connect::unknown(&held.name))?;
    if !record.owner.is_known_as(stamp) {
        return Err(OperationError::BackendOwnedByAnother {
            backend: backend(),
            owner: Box::new(record.owner.clone()),
        });
    }
    Ok(record)
}
