//! The record of the default backend: the backend of a secret that names none.
//!
//! A change of the default writes three records, and the default's own is the commit
//! point. The new backend's record is marked as the default before that commit, and the
//! former backend's mark is cleared after it. A creation that uses a cached default reads
//! the backend's record before it puts anything, so it notices a change.

use uuid::Uuid;

use super::DefaultBackend;
use crate::catalog::{BackendState, DefaultBackendRecord, Loaded, Owner};
use crate::names::Slug;
use crate::operations::SeenBackend;
use crate::operations::held_document::{Document as _, Held};
use crate::operations::{OperationError, PLATFORM_BACKEND};

/// The default backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultBackendView {
    /// The backend's name; `platform` for the built-in one.
    pub backend: Slug,
    /// Owner of the choice; `None` if nobody has set the default.
    pub owner: Option<Owner>,
    /// The generation of its record; 0 while there is none.
    pub generation: u64,
    /// The catalog's uuid.
    pub catalog: Uuid,
}

/// The record of the default backend, verified.
pub(crate) type HeldDefault = Held<DefaultBackendRecord>;

/// The new content of the default's record.
pub(crate) struct Choice {
    pub(crate) backend: Slug,
    pub(crate) owner: Option<Owner>,
    /// Whether the change is visible to users.
    pub(crate) is_changed: bool,
}

/// How often a change of the default is tried while other processes write.
pub(crate) const TRIES: usize = 4;

/// How often a fence of the default is tried. Any number of processes may delete backends
/// at once, and each deletion fences the default.
const FENCE_TRIES: usize = 32;

impl DefaultBackend<'_> {
    /// Remembers the default that the caller saw. A later read rejects an older record
    /// that names another backend.
    pub fn remember(self, backend: &Slug, generation: u64) {
        self.organization
            .connections
            .remember_default(backend, generation);
    }

    /// Returns the current default backend. Uses no key.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; `DefaultBackendRolledBack`; failures of the catalog.
    ///
    /// # Security
    ///
    /// Verifies no MAC: the result is for display, and nothing is written because of it.
    pub async fn view(self) -> Result<DefaultBackendView, OperationError> {
        let catalog = self.organization.existing().await?.uuid;
        let loaded = self.load().await?;
        let DefaultBackendRecord {
            generation,
            backend,
            owner,
            ..
        } = loaded.map(|loaded| loaded.record).unwrap_or_default();
        Ok(DefaultBackendView {
            backend,
            owner,
            generation,
            catalog,
        })
    }

    /// Returns the default backend for a new secret. Reads the default's record once per
    /// process.
    ///
    /// A creation reads the record of a registered backend anyway, and that record says
    /// whether the backend is still the default. If the default was the built-in backend,
    /// the creation counts as made at the time of the read.
    pub(crate) async fn for_new_secret(self) -> Result<Slug, OperationError> {
        if let Some(learned) = self.organization.connections.learned_default() {
            return Ok(learned);
        }
        let _asking = self.organization.connections.asking.lock().await;
        match self.organization.connections.learned_default() {
            Some(learned) => Ok(learned),
            None => self.reload().await,
        }
    }

    /// Reads the default backend again.
    pub(crate) async fn reload(self) -> Result<Slug, OperationError> {
        self.organization.connections.learn_default(None);
        let name = self.hold().await?.document.backend;
        self.organization.connections.learn_default(Some(&name));
        Ok(name)
    }

    /// Raises the default's record: a process that is about to change it fails its
    /// compare-and-set and reads all records again. Returns the default.
    pub(crate) async fn fence(self) -> Result<Slug, OperationError> {
        let _fencing = self.organization.connections.fencing.lock().await;
        for _ in 0..FENCE_TRIES {
            let mut held = self.hold().await?;
            let choice = Choice {
                backend: held.document.backend.clone(),
                owner: held.document.owner.clone(),
                is_changed: false,
            };
            if self.commit(&mut held, choice).await? {
                return Ok(held.document.backend);
            }
        }
        Err(changed())
    }

    /// Returns true if the backend is the default. Verifies no MAC.
    pub(crate) async fn is(self, name: &Slug) -> Result<bool, OperationError> {
        let key = DefaultBackendRecord::key(&());
        let loaded = self
            .organization
            .catalog
            .load::<DefaultBackendRecord>(&key)
            .await?;
        Ok(loaded.is_some_and(|loaded| loaded.record.backend == *name))
    }

    /// Loads the default's record, its MAC unverified. The rollback guard decides
    /// whether it is read again, fenced.
    async fn load(self) -> Result<Option<Loaded<DefaultBackendRecord>>, OperationError> {
        let overruled = |loaded: Option<&Loaded<DefaultBackendRecord>>| {
            let nothing = DefaultBackendRecord::default();
            let record = loaded.map_or(&nothing, |loaded| &loaded.record);
            let floor = self.organization.catalog.floor.value();
            let (backend, found) = (&record.backend, record.generation.max(floor));
            let seen = self
                .organization
                .connections
                .rollback_guard
                .rollback_of_default(backend, found)?;
            Some(OperationError::DefaultBackendRolledBack { seen, found })
        };
        self.organization.learn_floor().await?;
        let key = DefaultBackendRecord::key(&());
        let loaded = self
            .organization
            .catalog
            .load_fenced_if(&key, |loaded| overruled(loaded).is_some());
        let loaded = loaded.await?;
        match overruled(loaded.as_ref()) {
            None => Ok(loaded),
            Some(error) => Err(error),
        }
    }

    /// Loads the default's record and verifies its MAC.
    pub(crate) async fn hold(self) -> Result<HeldDefault, OperationError> {
        let loaded = self.load().await?;
        self.organization.held((), loaded).await
    }

    /// Commits a choice. Returns false if another writer committed first.
    pub(crate) async fn commit(
        self,
        held: &mut HeldDefault,
        choice: Choice,
    ) -> Result<bool, OperationError> {
        let Choice {
            backend,
            owner,
            is_changed,
        } = choice;
        let generation = held.base.generation + 1;
        let is_changed = is_changed || held.is_absent();
        let record = &mut held.document;
        record.backend = backend;
        record.owner = owner;
        if is_changed {
            record.changed = generation;
        }
        if self.organization.try_commit(held).await?.is_some() {
            return Ok(false);
        }
        let backend = &held.document.backend;
        self.organization
            .connections
            .remember_default(backend, generation);
        Ok(true)
    }

    /// Writes to a backend's record whether it is the default.
    ///
    /// # Errors
    ///
    /// `BackendDeleting` if the backend is being deleted and would become the default.
    pub(crate) async fn set_is_default(
        self,
        name: &Slug,
        is_default: bool,
    ) -> Result<(), OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return Ok(());
        }
        for _ in 0..TRIES {
            let mut held = self.organization.backends().hold(name).await?;
            let generation = held.document.generation;
            let record = held.document.backend.as_mut();
            let record = record.ok_or_else(|| crate::operations::backends::unknown(name))?;
            // This commit would give a rolled-back record a newer generation.
            self.organization
                .backends()
                .expect_newest(&SeenBackend::new(generation, record))?;
            if is_default && record.state == BackendState::Deleting {
                return Err(OperationError::BackendDeleting {
                    backend: name.clone(),
                });
            }
            if record.is_default == is_default {
                return Ok(());
            }
            record.is_default = is_default;
            match self.organization.backends().commit(&mut held).await {
                Err(OperationError::BackendChangedConcurrently { .. }) => {}
                outcome => return outcome,
            }
        }
        Err(changed())
    }

    pub(crate) async fn clear_is_default(self, name: &Slug) -> Result<(), OperationError> {
        match self.set_is_default(name, false).await {
            Err(OperationError::UnknownBackend { .. }) => Ok(()),
            outcome => outcome,
        }
    }
}

pub(crate) fn changed() -> OperationError {
    DefaultBackendRecord::default().overtaken(&())
}
