//! Declares a backend.

use jiff::Timestamp;
use uuid::Uuid;

use super::Backends;
use super::candidate::Candidate;
use super::declaration::{RegisterBackend, RegisteredBackend, exists};
use super::record::HeldBackend;
use crate::catalog::{BackendKeys, BackendRecord, BackendState};
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::operations::key_resolution::ResolvedKeys;
use crate::operations::ownership::OwnerRelation;
use crate::operations::{Interrupt, OperationError, PLATFORM_BACKEND};

impl Backends<'_> {
    /// Declares a backend: probes it, puts its marker, and commits its record once.
    ///
    /// Finishes the deletion of a backend of this name first. Adopts an existing backend only
    /// if it is unchanged since the resumed run declared it.
    ///
    /// # Errors
    ///
    /// `BackendExists`, `BackendDeclaredTwice`, `BackendNameReserved`; `ProbeFailed`
    /// with the step that was denied; `CommitUnclear`; failures of catalog and KEK.
    /// A rejected backend leaves nothing behind.
    pub async fn register(
        self,
        request: RegisterBackend,
        interrupt: &Interrupt,
    ) -> Result<RegisteredBackend, OperationError> {
        interrupt.before("register backend")?;
        self.organization.ensure().await?;
        if request.name.as_str() == PLATFORM_BACKEND {
            return Err(OperationError::BackendNameReserved);
        }
        let mut held = self.hold(&request.name).await?;
        if let Some(existing) = held.document.backend.as_ref()
            && existing.state == BackendState::Deleting
        {
            let (uuid, before) = (existing.uuid, existing.arguments.on_destroy);
            // The cleanup deletes what no record names.
            let organization = self.organization.keys().hold_record().await?.record;
            self.organization.expect_accepted(&organization)?;
            self.finish_deletion(&mut held, uuid, before, interrupt)
                .await?;
        }
        let Some(existing) = held.document.backend.clone() else {
            return self.create(held, request, interrupt).await;
        };
        match self
            .organization
            .run
            .relation_to(&existing.owner, existing.is_untouched())
        {
            OwnerRelation::ResumedRun => self.adopt(held, existing, request, interrupt).await,
            OwnerRelation::ThisRun | OwnerRelation::Other => Err(self.refused(&existing)),
        }
    }

    async fn create(
        self,
        mut held: HeldBackend,
        request: RegisterBackend,
        interrupt: &Interrupt,
    ) -> Result<RegisteredBackend, OperationError> {
        let RegisterBackend {
            name,
            description,
            settings,
            credential,
            keys,
            arguments,
            ..
        } = request;
        let uuid = Uuid::new_v4();
        let connector = &self.organization.platform.connector;
        let store = connector.connect(&settings, &credential).await?;
        let candidate = Candidate {
            uuid,
            name: &name,
            settings: &settings,
            store: store.as_ref(),
        };
        let generation = held.document.generation + 1;
        let sealed = self
            .organization
            .keys()
            .wrapping_keyring()
            .await?
            .seal_credential(
                CredentialUse::store(CredentialOwner::backend(uuid, &name), &settings),
                &credential,
                generation,
            )
            .await?;
        let owner = CredentialOwner::backend(uuid, &name);
        let before = BackendKeys::default();
        let resolved = self.organization.keys();
        let resolved = resolved.resolve(owner, &before, keys, generation);
        let ResolvedKeys { keys, notes } = resolved.await?;
        let mut marker = None;
        if arguments.verify_connection {
            interrupt.before("probe backend")?;
            self.probe(candidate).await?;
            interrupt.before("backend marker")?;
            marker = Some(self.put_marker(candidate).await?);
        }
        let now = Timestamp::now();
        let record = BackendRecord {
            uuid,
            name: name.clone(),
            state: BackendState::Ready,
            is_default: false,
            description,
            settings: settings.clone(),
            credential: sealed,
            keys,
            marker: marker.clone(),
            arguments,
            created_at: now,
            updated_at: now,
            generation,
            owner: self.organization.run.owner(generation),
        };
        if let Err(interrupted) = interrupt.before("commit backend") {
            self.remove_marker(store.as_ref(), marker).await;
            return Err(interrupted);
        }
        held.document.backend = Some(record);
        let committed = self.try_commit(&mut held).await;
        if let Some(now) = committed.map_err(|error| error.unclear_in(self.organization.run.id))? {
            let found = now.document.backend.as_ref();
            let ours = found.filter(|found| found.uuid == uuid);
            // If it is ours, the commit landed without a response, and another writer changed
            // the record since.
            if ours.is_none_or(|ours| ours.marker != marker) {
                self.remove_marker(store.as_ref(), marker).await;
            }
            if ours.is_none() {
                let rival = found.filter(|found| found.state == BackendState::Ready);
                return Err(
                    rival.map_or_else(|| now.overtaken(), |existing| self.refused(existing))
                );
            }
            held = now;
        }
        crate::operations::crash_hooks::crash_point("answer");
        Ok(RegisteredBackend {
            view: self.view(&held.document).await?.with_key_notes(notes),
            adopted_from: None,
        })
    }

    /// Returns the error of a declaration whose name another backend has.
    fn refused(self, existing: &BackendRecord) -> OperationError {
        let backend = existing.name.clone();
        match self
            .organization
            .run
            .relation_to(&existing.owner, existing.is_untouched())
        {
            OwnerRelation::ThisRun => OperationError::BackendDeclaredTwice { backend },
            OwnerRelation::ResumedRun | OwnerRelation::Other => exists(existing, None),
        }
    }
}
