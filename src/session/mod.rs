//! The provider's configuration in effect, and the calls that run with it.

mod configured;
mod with_session;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::diagnostics::unconfigured;
use crate::setting::Setting;
use planton_plugin::{Diagnostic, Value};

pub use configured::Configured;
pub use with_session::{
    Call, Planning, READ_TIMEOUT, SessionDataSource, SessionEphemeralResource, SessionResource,
    TIMEOUTS, WithSession, limited,
};

/// The provider's configuration in effect.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum SessionState {
    /// Nothing was configured yet.
    #[default]
    Unconfigured,
    /// Part of the configuration is unknown: never taken for empty. What is
    /// known of it still counts.
    Unknown(Arc<PartlyKnown>),
    /// Ready for use.
    Ready(Arc<Configured>),
}

impl SessionState {
    /// Returns what is known of the defaults.
    #[must_use]
    pub fn defaults(&self) -> PartlyKnown {
        match self {
            Self::Unconfigured => PartlyKnown {
                default_environment: Setting::Unknown,
                default_labels: Setting::Unknown,
            },
            Self::Unknown(known) => PartlyKnown::clone(known),
            Self::Ready(configured) => configured.defaults(),
        }
    }
}

/// What a plan needs to know of a configuration that is not wholly known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartlyKnown {
    /// The environment of secrets that name none.
    pub default_environment: Setting<String>,
    /// Labels added to every secret; unknown as soon as one of them is.
    pub default_labels: Setting<BTreeMap<String, String>>,
}

impl PartlyKnown {
    /// Reads a provider block.
    #[must_use]
    pub fn read(config: &Value) -> Self {
        Self {
            default_environment: Setting::string(config.attribute("default_environment")),
            default_labels: Setting::strings(config.attribute("default_labels")),
        }
    }
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
            SessionState::Unknown(_) => Err(unconfigured()),
            SessionState::Unconfigured => Err(Diagnostic::bug(
                "Something was asked for before the provider was configured.",
            )),
        }
    }
}
