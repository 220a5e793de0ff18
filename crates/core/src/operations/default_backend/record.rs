//! Which backend a secret goes to when it names none.
//!
//! Three records take part, and the default's own is the commit point. A
//! backend's record is told before it becomes the default, and told again once it
//! has ceased to be. So a creation that goes by what it learned earlier reads
//! the backend's record anyway, before it puts anything, and learns there that
//! the default is another by now.

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
    /// Whose choice it is; absent where nobody has made one.
    pub owner: Option<Owner>,
    /// The generation of its record; 0 while there is none.
    pub generation: u64,
    /// The catalog's uuid.
    pub catalog: Uuid,
}

/// The record of the default backend, verified.
pub(crate) type HeldDefault = Held<DefaultBackendRecord>;

/// What the default's record is to say.
pub(crate) struct Choice {
    pub(crate) backend: Slug,
    pub(crate) owner: Option<Owner>,
    /// Whether it says anything else than before to a practitioner.
    pub(crate) is_changed: bool,
}

/// How often a change of the default is tried while others write.
pub(crate) const TRIES: usize = 4;

/// How often it is written as it is: any number of processes may delete backends at
/// once, and each of them writes it for each backend.
const FENCE_TRIES: usize = 32;

impl DefaultBackend<'_> {
    /// Takes notice of what was the default before this process: its record must
    /// not have gone back to another backend since.
    pub fn remember(self, backend: &Slug, generation: u64) {
        self.organization
            .connections
            .remember_default(backend, generation);
    }

    /// Returns the default backend in force now. Needs no key.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; `DefaultBackendRolledBack`; failures of the catalog.
    ///
    /// # Security
    ///
    /// Verifies no MAC: what it tells is shown, and nothing is written on its
    /// word.
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

    /// Returns the default backend for a new secret, asked for once a process: the
    /// record of one of the practitioner's own, which a creation reads anyway, tells
    /// when it has ceased to be the default; to the built-in one, a new secret goes as
    /// if it had been created at the process's first look.
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

    /// Returns the default backend as its record has it now.
    pub(crate) async fn reload(self) -> Result<Slug, OperationError> {
        self.organization.connections.learn_default(None);
        let name = self.hold().await?.document.backend;
        self.organization.connections.learn_default(Some(&name));
        Ok(name)
    }

    /// Writes the default's record again as it is, so that whoever is about to
    /// change it reads what has happened meanwhile. Returns the default.
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

    /// Says whether the backend is the default, by a record whose MAC is unverified.
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
            let (backend, found) = (&record.backend, record.generation);
            let seen = self
                .organization
                .connections
                .rollback_guard
                .rollback_of_default(backend, found)?;
            Some(OperationError::DefaultBackendRolledBack { seen, found })
        };
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

    /// Commits a choice. Returns false if another writer came first.
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
        let generation = held.next_generation();
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

    /// Tells a backend's record whether it is the default. One that is being
    /// deleted becomes none; one that is gone need not be told that it is none.
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
            // Else an older record would get a newer generation by this.
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
