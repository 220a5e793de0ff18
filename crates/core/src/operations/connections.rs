//! The backends that a process has opened, and what it knows of the default.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::backend::Backend;
use super::rollback_guard::{RollbackGuard, SeenBackend};
use crate::catalog::{BackendDocument, Loaded};
use crate::names::Slug;

/// The backends that this process has opened, by name.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    opened: Mutex<HashMap<Slug, Arc<OnceCell<Connection>>>>,
    default: Mutex<Option<Slug>>,
    /// Held while the default is asked for: once for all creations of a process.
    pub(crate) asking: tokio::sync::Mutex<()>,
    /// Held while the default's record is written as it is: the deletions of a
    /// process would else conflict with each other there.
    pub(crate) fencing: tokio::sync::Mutex<()>,
    kinds: Mutex<HashMap<Slug, String>>,
    pub(crate) rollback_guard: RollbackGuard,
}

/// A backend that is open.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) loaded: Loaded<BackendDocument>,
    pub(crate) backend: Backend,
    pub(crate) seen: SeenBackend,
}

impl Connections {
    pub(crate) fn slot(&self, name: &Slug) -> Arc<OnceCell<Connection>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(opened.entry(name.clone()).or_default())
    }

    /// Forgets what is known of a backend: its record has changed.
    pub(crate) fn forget(&self, name: &Slug) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.remove(name);
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.remove(name);
    }

    pub(crate) fn kind(&self, name: &Slug) -> Option<String> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.get(name).cloned()
    }

    pub(crate) fn learn_kind(&self, name: &Slug, kind: &str) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(name.clone(), kind.to_owned());
    }

    /// Returns the default backend that was learned.
    pub(crate) fn learned_default(&self) -> Option<Slug> {
        let default = self.default.lock().unwrap_or_else(PoisonError::into_inner);
        default.clone()
    }

    /// Remembers which backend was the default, and forgets what was learned before.
    pub(crate) fn remember_default(&self, backend: &Slug, generation: u64) {
        if self.rollback_guard.remember_default(backend, generation) {
            self.learn_default(None);
        }
    }

    pub(crate) fn learn_default(&self, name: Option<&Slug>) {
        *self.default.lock().unwrap_or_else(PoisonError::into_inner) = name.cloned();
    }
}
