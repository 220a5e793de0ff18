//! Which backend a secret goes to when it names none.
//!
//! Three records take part, and the default's own is the commit point. A
//! backend's record is told before it becomes the default, and told again once it
//! has ceased to be. So a creation that goes by what it learned earlier reads
//! the backend's record anyway, before it puts anything, and learns there that
//! the default is another by now.

use uuid::Uuid;

use crate::catalog::{BackendDocument, BackendState, DefaultBackendRecord, Loaded, Owner};
use crate::names::Slug;
use crate::operations::SeenBackend;
use crate::operations::held_document::{Document as _, Held};
use crate::operations::{OperationError, Organization, PLATFORM_BACKEND};

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

impl Organization {
    /// Takes notice of what was the default before this process: its record must
    /// not have gone back to another backend since.
    pub fn remember_default_backend(&self, backend: &Slug, generation: u64) {
        self.connections.remember_default(backend, generation);
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
    pub async fn default_backend_view(&self) -> Result<DefaultBackendView, OperationError> {
        let catalog = self.existing().await?.uuid;
        let loaded = self.load_default().await?;
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
    pub(crate) async fn default_backend(&self) -> Result<Slug, OperationError> {
        if let Some(learned) = self.connections.learned_default() {
            return Ok(learned);
        }
        let _asking = self.connections.asking.lock().await;
        match self.connections.learned_default() {
            Some(learned) => Ok(learned),
            None => self.reload_default().await,
        }
    }

    /// Returns the default backend as its record has it now.
    pub(crate) async fn reload_default(&self) -> Result<Slug, OperationError> {
        self.connections.learn_default(None);
        let name = self.hold_default().await?.document.backend;
        self.connections.learn_default(Some(&name));
        Ok(name)
    }

    /// Writes the default's record again as it is, so that whoever is about to
    /// change it reads what has happened meanwhile. Returns the default.
    pub(crate) async fn fence_default(&self) -> Result<Slug, OperationError> {
        let _fencing = self.connections.fencing.lock().await;
        for _ in 0..FENCE_TRIES {
            let mut held = self.hold_default().await?;
            let choice = Choice {
                backend: held.document.backend.clone(),
                owner: held.document.owner.clone(),
                is_changed: false,
            };
            if self.commit_default(&mut held, choice).await? {
                return Ok(held.document.backend);
            }
        }
        Err(changed())
    }

    /// Loads the default's record, its MAC unverified. The rollback guard decides
    /// whether it is read again, fenced.
    async fn load_default(&self) -> Result<Option<Loaded<DefaultBackendRecord>>, OperationError> {
        let overruled = |loaded: Option<&Loaded<DefaultBackendRecord>>| {
            let nothing = DefaultBackendRecord::default();
            let record = loaded.map_or(&nothing, |loaded| &loaded.record);
            let (backend, found) = (&record.backend, record.generation);
            let seen = self.connections.seen.overrules_default(backend, found)?;
            Some(OperationError::DefaultBackendRolledBack { seen, found })
        };
        let key = DefaultBackendRecord::key(&());
        let loaded = self
            .catalog
            .load_fenced_if(&key, |loaded| overruled(loaded).is_some());
        let loaded = loaded.await?;
        match overruled(loaded.as_ref()) {
            None => Ok(loaded),
            Some(error) => Err(error),
        }
    }

    /// Loads the default's record and verifies its MAC.
    pub(crate) async fn hold_default(&self) -> Result<HeldDefault, OperationError> {
        let loaded = self.load_default().await?;
        self.held((), loaded).await
    }

    /// Commits a choice. Returns false if another writer came first.
    pub(crate) async fn commit_default(
        &self,
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
        if self.try_commit(held).await?.is_some() {
            return Ok(false);
        }
        let backend = &held.document.backend;
        self.connections.remember_default(backend, generation);
        Ok(true)
    }

    /// Tells a backend's record whether it is the default. One that is being
    /// deleted becomes none; one that is gone need not be told that it is none.
    pub(crate) async fn tell(&self, name: &Slug, is_default: bool) -> Result<(), OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return Ok(());
        }
        for _ in 0..TRIES {
            let mut held = self.hold_backend(name).await?;
            let generation = held.document.generation;
            let record = held.document.backend.as_mut();
            let record = record.ok_or_else(|| crate::operations::backends::unknown(name))?;
            // Else an older record would get a newer generation by this.
            self.expect_newest(&SeenBackend::new(generation, record))?;
            if is_default && record.state == BackendState::Deleting {
                return Err(OperationError::BackendDeleting {
                    backend: name.clone(),
                });
            }
            if record.is_default == is_default {
                return Ok(());
            }
            record.is_default = is_default;
            match self.commit_backend(&mut held).await {
                Err(OperationError::BackendChangedConcurrently { .. }) => {}
                outcome => return outcome,
            }
        }
        Err(changed())
    }

    pub(crate) async fn untell(&self, name: &Slug) -> Result<(), OperationError> {
        match self.tell(name, false).await {
            Err(OperationError::UnknownBackend { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Says whether a new object may be put on the backend: asked once the object's
    /// entry is answered, so that a deletion either lists the entry or is seen here.
    /// Never shared or cached, and no older than the entry.
    pub(crate) async fn recheck_backend(
        &self,
        name: &Slug,
        uuid: Uuid,
        by_default: ByDefault,
    ) -> Result<Rechecked, OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return Ok(Rechecked::Usable);
        }
        let loaded = self
            .catalog
            .load_since_own_writes::<BackendDocument>(&BackendDocument::key(name))
            .await?;
        let document = self.verified(loaded).await?;
        let record = document.and_then(|document| document.backend);
        let record = record.filter(|record| record.uuid == uuid);
        Ok(match record {
            None => Rechecked::Gone,
            Some(record) if record.state == BackendState::Deleting => Rechecked::Deleting,
            Some(record) if by_default == ByDefault::Yes && !record.is_default => {
                Rechecked::NotDefault
            }
            Some(_) => Rechecked::Usable,
        })
    }
}

/// Whether a backend was chosen because it is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByDefault {
    Yes,
    No,
}

/// What a creation learns of the backend that it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rechecked {
    Usable,
    NotDefault,
    Deleting,
    Gone,
}

pub(crate) fn changed() -> OperationError {
    DefaultBackendRecord::default().overtaken(&())
}
