//! Which backend a secret goes to when it names none.
//!
//! Three records take part, and the default's own is the commit point. A
//! backend's record is told before it becomes the default, and told again once it
//! has ceased to be. So a creation that goes by what it learned earlier reads
//! the backend's record anyway, before it puts anything, and learns there that
//! the default is another by now.

use uuid::Uuid;

use super::{SeenBackend, default_key, record_key};
use crate::catalog::{BackendDocument, BackendState, DefaultBackendRecord, Loaded, Revision};
use crate::names::Slug;
use crate::operations::documents::Compared;
use crate::operations::{Interrupt, OperationError, Organization, PLATFORM_BACKEND};

/// The default backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultBackendView {
    /// The backend's name; `platform` for the built-in one.
    pub backend: Slug,
    /// Whether anybody has ever chosen it.
    pub is_chosen: bool,
    /// The generation of its record; 0 while there is none.
    pub generation: u64,
    /// The catalog's uuid.
    pub catalog: Uuid,
}

/// How often a change of the default is tried while others write.
const TRIES: usize = 4;

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
        let loaded = self.look_at_default().await?;
        Ok(DefaultBackendView {
            backend: name_of(loaded.as_ref()),
            is_chosen: loaded.is_some(),
            generation: generation_of(loaded.as_ref()),
            catalog,
        })
    }

    /// Makes `backend` the default. `expected` is the one that the caller saw
    /// last: another one in force is not overwritten.
    ///
    /// # Errors
    ///
    /// `DefaultBackendExists` when neither `expected` nor `backend` is in force;
    /// `UnknownBackend`; `BackendDeleting`; failures of the catalog.
    pub async fn set_default_backend(
        &self,
        backend: &Slug,
        expected: &Slug,
        interrupt: &Interrupt,
    ) -> Result<DefaultBackendView, OperationError> {
        interrupt.before("set default backend")?;
        self.ensure().await?;
        let mut tries = 0;
        let generation = loop {
            let loaded = self.load_default().await?;
            let present = name_of(loaded.as_ref());
            if present != *expected && present != *backend {
                return Err(OperationError::DefaultBackendExists { backend: present });
            }
            self.tell(backend, true).await?;
            interrupt.before("commit default backend")?;
            if let Some(loaded) = &loaded
                && present == *backend
            {
                break loaded.record.generation;
            }
            if let Some(generation) = self.commit_default(loaded, backend).await? {
                break generation;
            }
            tries += 1;
            if tries == TRIES {
                return Err(changed());
            }
        };
        self.connections.learn_default(Some(backend));
        crate::operations::steps::crash_point("clear default backend");
        if expected != backend {
            self.untell(expected).await?;
        }
        Ok(DefaultBackendView {
            backend: backend.clone(),
            is_chosen: true,
            generation,
            catalog: self.existing().await?.uuid,
        })
    }

    /// Makes the built-in backend the default again, if `expected` is still in
    /// force; leaves another one alone.
    ///
    /// # Errors
    ///
    /// Failures of the catalog.
    pub async fn unset_default_backend(
        &self,
        expected: &Slug,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let platform = Slug::parse(PLATFORM_BACKEND).expect("\"platform\" is a slug");
        match self
            .set_default_backend(&platform, expected, interrupt)
            .await
        {
            Ok(_) | Err(OperationError::DefaultBackendExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the default backend for a new secret, asked for once a process: the
    /// record of one of the practitioner's own, which a creation reads anyway, tells
    /// when it has ceased to be the default; to the built-in one, a new secret goes as
    /// if it had been created at the process's first look.
    pub(in crate::operations) async fn default_backend(&self) -> Result<Slug, OperationError> {
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
    pub(in crate::operations) async fn reload_default(&self) -> Result<Slug, OperationError> {
        self.connections.learn_default(None);
        let loaded = self.load_default().await?;
        let name = name_of(loaded.as_ref());
        self.connections.learn_default(Some(&name));
        Ok(name)
    }

    /// Writes the default's record again as it is, so that whoever is about to
    /// change it reads what has happened meanwhile. Returns the default.
    pub(super) async fn fence_default(&self) -> Result<Slug, OperationError> {
        for _ in 0..TRIES {
            let loaded = self.load_default().await?;
            let present = name_of(loaded.as_ref());
            if self.commit_default(loaded, &present).await?.is_some() {
                return Ok(present);
            }
        }
        Err(changed())
    }

    /// Loads the default's record as it is, its MAC unverified.
    async fn look_at_default(
        &self,
    ) -> Result<Option<Loaded<DefaultBackendRecord>>, OperationError> {
        let key = default_key();
        let loaded: Option<Loaded<DefaultBackendRecord>> = self.catalog.load(&key).await?;
        let overruled = |loaded: Option<&Loaded<DefaultBackendRecord>>| {
            let sightings = &self.connections.seen;
            sightings.overrules_default(&name_of(loaded), generation_of(loaded))
        };
        if overruled(loaded.as_ref()).is_none() {
            return Ok(loaded);
        }
        // A node that lags answers so, too.
        let loaded = self.catalog.load_fenced(&key).await?;
        match overruled(loaded.as_ref()) {
            None => Ok(loaded),
            Some(seen) => Err(OperationError::DefaultBackendRolledBack {
                seen,
                found: generation_of(loaded.as_ref()),
            }),
        }
    }

    async fn load_default(&self) -> Result<Option<Loaded<DefaultBackendRecord>>, OperationError> {
        let loaded = self.look_at_default().await?;
        if let Some(loaded) = &loaded {
            loaded.verify(self.mac_key().await?)?;
        }
        Ok(loaded)
    }

    /// Writes the default's record, and returns its generation; `None` when another
    /// writer came first.
    async fn commit_default(
        &self,
        loaded: Option<Loaded<DefaultBackendRecord>>,
        backend: &Slug,
    ) -> Result<Option<u64>, OperationError> {
        let generation = generation_of(loaded.as_ref()) + 1;
        let record = DefaultBackendRecord {
            generation,
            write_id: Uuid::new_v4(),
            backend: backend.clone(),
        };
        let expected = loaded.map_or(Revision::ABSENT, |loaded| loaded.revision);
        let key = default_key();
        let written = self.compare_and_set(&key, &record, expected).await?;
        if !matches!(written, Compared::Written(_)) {
            return Ok(None);
        }
        self.connections.remember_default(backend, generation);
        Ok(Some(generation))
    }

    /// Tells a backend's record whether it is the default. One that is being
    /// deleted becomes none; one that is gone need not be told that it is none.
    async fn tell(&self, name: &Slug, is_default: bool) -> Result<(), OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return Ok(());
        }
        for _ in 0..TRIES {
            let mut held = self.hold_backend(name).await?;
            let generation = held.document.generation;
            let record = held
                .document
                .backend
                .as_mut()
                .filter(|record| record.state != BackendState::Creating)
                .ok_or_else(|| super::connect::unknown(name))?;
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
                Err(OperationError::ChangedConcurrently { .. }) => {}
                outcome => return outcome,
            }
        }
        Err(changed())
    }

    async fn untell(&self, name: &Slug) -> Result<(), OperationError> {
        match self.tell(name, false).await {
            Err(OperationError::UnknownBackend { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Says whether a new secret may go to the backend: asked after the secret's
    /// intent is written, so that a deletion either sees the intent or is seen.
    pub(in crate::operations) async fn recheck_backend(
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
            .load::<BackendDocument>(&record_key(name))
            .await?;
        let Some(loaded) = loaded else {
            return Ok(Rechecked::Gone);
        };
        loaded.verify(self.mac_key().await?)?;
        let record = loaded.record.backend.filter(|record| record.uuid == uuid);
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
pub(in crate::operations) enum ByDefault {
    Yes,
    No,
}

/// What a creation learns of the backend that it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operations) enum Rechecked {
    Usable,
    NotDefault,
    Deleting,
    Gone,
}

fn name_of(loaded: Option<&Loaded<DefaultBackendRecord>>) -> Slug {
    loaded.map_or_else(
        || Slug::parse(PLATFORM_BACKEND).expect("\"platform\" is a slug"),
        |loaded| loaded.record.backend.clone(),
    )
}

fn generation_of(loaded: Option<&Loaded<DefaultBackendRecord>>) -> u64 {
    loaded.map_or(0, |loaded| loaded.record.generation)
}

fn changed() -> OperationError {
    OperationError::ChangedConcurrently {
        subject: "the default backend".to_owned(),
    }
}
