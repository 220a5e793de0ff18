//! Declares a backend.

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::probe::Candidate;
use super::record_key;
use super::{BackendArguments, BackendView, SeenBackend};
use crate::catalog::{
    BackendDocument, BackendRecord, BackendState, Loaded, MarkerRecord, RecordKey, Revision,
};
use crate::envelope::SecretValue;
use crate::names::Slug;
use crate::operations::documents::Compared;
use crate::operations::{Interrupt, OperationError, Organization, PLATFORM_BACKEND};
use crate::store::{StoreCredential, StoreSettings};

/// What to declare.
#[derive(Debug)]
pub struct RegisterBackend {
    /// Its name.
    pub name: Slug,
    /// For people.
    pub description: Option<String>,
    /// Where it stores.
    pub settings: StoreSettings,
    /// Its static credential; empty for the vendor's ambient chain.
    pub credential: StoreCredential,
    /// What only the provider acts on.
    pub arguments: BackendArguments,
}

/// A backend's document as it is held, verified.
#[derive(Debug)]
pub(super) struct HeldBackend {
    pub(super) key: RecordKey,
    pub(super) document: BackendDocument,
    pub(super) revision: Revision,
}

impl Organization {
    /// Declares a backend: intent, probe, marker, commit.
    ///
    /// A declaration that was killed is taken over, or adopted where it was
    /// committed already and nothing about it differs.
    ///
    /// # Errors
    ///
    /// `BackendExists`; `ProbeFailed` with the step that was denied;
    /// failures of catalog and KEK. Nothing of a refused backend stays.
    pub async fn register_backend(
        &self,
        request: RegisterBackend,
        interrupt: &Interrupt,
    ) -> Result<BackendView, OperationError> {
        interrupt.before("register backend")?;
        self.ensure().await?;
        if request.name.as_str() == PLATFORM_BACKEND {
            return Err(exists(&request.name));
        }
        let mut held = self.hold_backend(&request.name).await?;
        if let Some(met) = held.document.backend.clone()
            && met.state == BackendState::Deleting
        {
            self.finish_backend_deletion(&mut held, met.uuid, interrupt)
                .await?;
        }
        let uuid = match &held.document.backend {
            None => Uuid::new_v4(),
            Some(met) if met.state == BackendState::Creating => met.uuid,
            Some(_) => return self.adopt_backend(held, &request, interrupt).await,
        };
        let store = self
            .platform
            .connector
            .connect(&request.settings, &request.credential)
            .await?;
        let candidate = Candidate {
            uuid,
            name: &request.name,
            settings: &request.settings,
            store: store.as_ref(),
        };
        let now = Timestamp::now();
        let mut record = BackendRecord {
            uuid,
            name: request.name.clone(),
            state: BackendState::Creating,
            is_default: false,
            description: request.description.clone(),
            settings: request.settings.clone(),
            credential: None,
            marker: None,
            arguments: request.arguments.clone(),
            created_at: now,
            updated_at: now,
            generation: held.document.generation + 1,
            adopted_at: None,
        };
        if request.arguments.verify_connection {
            // Before anything is written: a refused backend leaves nothing.
            self.probe(candidate).await?;
        }
        interrupt.before("backend intent")?;
        held.document.backend = Some(record.clone());
        self.commit_backend(&mut held).await?;
        if request.arguments.verify_connection {
            interrupt.before("backend marker")?;
            record.marker = Some(self.put_marker(candidate).await?);
        }
        record.credential = self
            .seal_credential(
                uuid,
                &request.settings,
                &request.credential,
                held.document.generation + 1,
            )
            .await?;
        record.state = BackendState::Ready;
        record.generation = held.document.generation + 1;
        let marker = record.marker.clone();
        held.document.backend = Some(record);
        crate::operations::steps::crash_point("commit backend");
        let committed = self.commit_backend(&mut held).await;
        if let Err(error) = committed {
            // After any other failure the record may stand, and name it.
            if let OperationError::ChangedConcurrently { .. } = error {
                self.remove_orphan(store.as_ref(), marker).await;
            }
            return Err(error);
        }
        crate::operations::steps::crash_point("answer");
        self.backend_view(&held.document).await
    }

    /// Adopts what a killed declaration has committed; refuses all else.
    async fn adopt_backend(
        &self,
        mut held: HeldBackend,
        request: &RegisterBackend,
        interrupt: &Interrupt,
    ) -> Result<BackendView, OperationError> {
        let Some(met) = held.document.backend.clone() else {
            return Err(exists(&request.name));
        };
        let same = met.is_as_created()
            && met.description == request.description
            && met.settings == request.settings
            && met.arguments == request.arguments
            && self.is_credential(&met, &request.credential).await?;
        if !same {
            return Err(exists(&request.name));
        }
        interrupt.before("adopt backend")?;
        // Always a write: its namesake may still be about to be deleted, by the
        // same uuid, and must not take this one along.
        held.document.backend = Some(BackendRecord {
            adopted_at: Some(held.document.generation + 1),
            ..met
        });
        self.commit_backend(&mut held).await?;
        tracing::info!("adopted a backend whose creation was interrupted");
        self.backend_view(&held.document).await
    }

    async fn is_credential(
        &self,
        met: &BackendRecord,
        candidate: &StoreCredential,
    ) -> Result<bool, OperationError> {
        let Some(sealed) = &met.credential else {
            return Ok(candidate.is_empty());
        };
        let kept = self
            .open_credential(met.uuid, &met.settings, sealed)
            .await?;
        let (one, other) = (
            SecretValue::KeyValue(kept),
            SecretValue::KeyValue(candidate.clone()),
        );
        Ok(bool::from(one.ct_eq(&other)))
    }

    /// Loads the document of a backend's name, fenced and verified; an empty one
    /// where nothing was ever written.
    pub(super) async fn hold_backend(&self, name: &Slug) -> Result<HeldBackend, OperationError> {
        let key = record_key(name);
        let loaded = self.catalog.load_fenced::<BackendDocument>(&key).await?;
        self.held_backend(key, loaded).await
    }

    async fn held_backend(
        &self,
        key: RecordKey,
        loaded: Option<Loaded<BackendDocument>>,
    ) -> Result<HeldBackend, OperationError> {
        let Some(loaded) = loaded else {
            return Ok(HeldBackend {
                key,
                document: BackendDocument::default(),
                revision: Revision::ABSENT,
            });
        };
        loaded.verify(self.mac_key().await?)?;
        Ok(HeldBackend {
            key,
            document: loaded.record,
            revision: loaded.revision,
        })
    }

    /// Commits a changed document.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently` when another writer came first.
    pub(super) async fn commit_backend(
        &self,
        held: &mut HeldBackend,
    ) -> Result<(), OperationError> {
        held.document.generation += 1;
        held.document.write_id = Uuid::new_v4();
        let written = self
            .compare_and_set(&held.key, &held.document, held.revision)
            .await?;
        match written {
            Compared::Written(revision) => {
                held.revision = revision;
                let record = held.document.backend.as_ref();
                // An intent has no credential yet, which would be taken for none.
                if let Some(record) = record.filter(|r| r.state != BackendState::Creating) {
                    let seen = SeenBackend::new(held.document.generation, record);
                    self.connections.seen.remember(seen);
                }
                Ok(())
            }
            Compared::Overtaken(_) => Err(OperationError::ChangedConcurrently {
                subject: held.key.as_str().replacen("backends/", "backend ", 1),
            }),
        }
    }

    pub(super) async fn backend_view(
        &self,
        document: &BackendDocument,
    ) -> Result<BackendView, OperationError> {
        let record = document.backend.as_ref();
        let record = record.expect("the caller holds this backend");
        let catalog = self.existing().await?.uuid;
        Ok(BackendView::new(document, record, catalog))
    }

    /// Deletes a marker that no record names.
    pub(super) async fn remove_orphan(
        &self,
        store: &dyn crate::store::SecretStore,
        marker: Option<MarkerRecord>,
    ) {
        let Some(marker) = marker else { return };
        let versions = vec![marker.native_id];
        // Not the whole object: whoever took this declaration over may have put a
        // marker of the same name.
        let whole = crate::store::Deletion::Versions(versions);
        if let Err(error) = store.delete(&marker.remote_name, whole).await {
            tracing::warn!(%error, "a marker that nothing refers to is left behind");
        }
    }
}

fn exists(name: &Slug) -> OperationError {
    OperationError::BackendExists {
        backend: name.clone(),
    }
}
