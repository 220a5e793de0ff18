//! What the provider's configuration opens for everything else.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::names::Slug;
use crate::operations::Organization;
use crate::plugin::Diagnostic;

/// The provider's configuration in effect.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum SessionState {
    /// Nothing was configured yet.
    #[default]
    Unconfigured,
    /// Part of the configuration is unknown: never taken for empty.
    Unknown,
    /// Ready for use.
    Ready(Arc<Configured>),
}

/// A configuration that is known.
#[derive(Debug)]
pub struct Configured {
    /// The organization on its platform.
    pub organization: Organization,
    /// The environment of secrets that name none.
    pub default_environment: Option<Slug>,
    /// Labels that every secret gets.
    pub default_labels: BTreeMap<String, String>,
}

/// Shares the configuration between the provider and its resources.
#[derive(Clone, Debug, Default)]
pub struct Session(Arc<RwLock<SessionState>>);

impl Session {
    /// Puts a configuration into effect.
    pub fn set(&self, state: SessionState) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Returns the configuration in effect.
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the configuration for what cannot do without.
    ///
    /// # Errors
    ///
    /// A diagnostic that says why there is none.
    pub fn ready(&self) -> Result<Arc<Configured>, Diagnostic> {
        match self.state() {
            SessionState::Ready(configured) => Ok(configured),
            SessionState::Unknown => Err(unconfigured()),
            SessionState::Unconfigured => Err(Diagnostic::bug(
                "A secret was asked for before the provider was configured.",
            )),
        }
    }
}

/// Says that part of the provider's configuration is unknown.
#[must_use]
pub fn unconfigured() -> Diagnostic {
    Diagnostic::error(
        "Provider Configuration Not Known",
        "Part of this provider's configuration is known only after an apply, so the platform \
         cannot be reached yet.\n\nApply what the provider's configuration depends on first \
         (terraform apply -target=…), or give the provider values that are known while planning.",
    )
}
