//! The backends that a process has opened, and its cached default backend.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::backend::Backend;
use super::open_once::OpenOnce;
use super::rollback_guard::{RollbackGuard, SeenBackend};
use crate::catalog::{BackendDocument, BackendRecord, Loaded};
use crate::names::Slug;
use crate::store::{StoreCredential, StoreSettings};

/// The backends that this process has opened, by name, and its cached default backend.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    opened: Mutex<HashMap<Slug, Arc<OpenOnce<Connection>>>>,
    default: Mutex<Option<Slug>>,
    /// Locked during a read of the default: concurrent creations share one read.
    pub(crate) asking: tokio::sync::Mutex<()>,
    /// Locked during a fence of the default: the concurrent deletions of a process would
    /// conflict with each other.
    pub(crate) fencing: tokio::sync::Mutex<()>,
    kinds: Mutex<HashMap<Slug, String>>,
    planned: Mutex<HashMap<Slug, Arc<PlannedConnection>>>,
    pub(crate) rollback_guard: RollbackGuard,
}

/// An open backend and the record from which it was opened.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) loaded: Loaded<BackendDocument>,
    pub(crate) backend: Backend,
    pub(crate) seen: SeenBackend,
}

/// The connection to a backend that a plan saves.
#[derive(Debug)]
pub struct PlannedConnection {
    /// Identity of the backend.
    pub uuid: Uuid,
    /// Its settings. Some identify a credential, such as the id of an access key.
    pub settings: StoreSettings,
    /// Its credential.
    pub credential: StoreCredential,
}

impl Connections {
    pub(crate) fn slot(&self, name: &Slug) -> Arc<OpenOnce<Connection>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(opened.entry(name.clone()).or_default())
    }

    /// Drops everything cached of a backend, after a change of its record.
    pub(crate) fn forget(&self, name: &Slug) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.remove(name);
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.remove(name);
    }

    /// Sets how a plan connects to the backend, which is opened again.
    pub(crate) fn plan_connection(&self, name: &Slug, planned: Option<PlannedConnection>) {
        let replaced = {
            let mut all = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
            let is_planned = planned.is_some();
            let before = match planned {
                Some(planned) => all.insert(name.clone(), Arc::new(planned)),
                None => all.remove(name),
            };
            is_planned || before.is_some()
        };
        if replaced {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.remove(name);
        }
    }

    /// Returns how a plan connects to the backend of this record.
    pub(crate) fn planned_connection(
        &self,
        record: &BackendRecord,
    ) -> Option<Arc<PlannedConnection>> {
        let all = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        let planned = all.get(&record.name)?;
        (planned.uuid == record.uuid).then(|| Arc::clone(planned))
    }

    pub(crate) fn kind(&self, name: &Slug) -> Option<String> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.get(name).cloned()
    }

    pub(crate) fn learn_kind(&self, name: &Slug, kind: &str) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(name.clone(), kind.to_owned());
    }

    /// Returns the cached default backend.
    pub(crate) fn learned_default(&self) -> Option<Slug> {
        let default = self.default.lock().unwrap_or_else(PoisonError::into_inner);
        default.clone()
    }

    /// Passes the default to the rollback guard. Drops the cached default if this one is
    /// newer.
    pub(crate) fn remember_default(&self, backend: &Slug, generation: u64) {
        if self.rollback_guard.remember_default(backend, generation) {
            self.learn_default(None);
        }
    }

    pub(crate) fn learn_default(&self, name: Option<&Slug>) {
        *self.default.lock().unwrap_or_else(PoisonError::into_inner) = name.cloned();
    }
}
