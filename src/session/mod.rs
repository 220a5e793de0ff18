//! The provider's configuration in effect, and the calls that use it.

mod configured;
mod deadline;
mod serve;
mod traits;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::diagnostics::unconfigured;
use crate::setting::Setting;
use planton_plugin::{Diagnostic, Value};

pub(crate) use configured::{BucketKey, Configured, OtherKeys, warnings_about};
pub(crate) use deadline::{READ_TIMEOUT, TIMEOUTS, limited};
pub(crate) use serve::WithSession;
pub(crate) use traits::{
    Apply, Call, Import, Plan, Planning, Refresh, SessionDataSource, SessionEphemeralResource,
    SessionResource,
};

/// The provider's configuration in effect.
#[derive(Clone, Debug, Default)]
pub(crate) enum SessionState {
    /// Not configured yet.
    #[default]
    Unconfigured,
    /// Part of the configuration is unknown, which never counts as empty. The known part
    /// takes effect.
    Unknown(Arc<PartlyKnown>),
    /// Ready for use.
    Ready(Arc<Configured>),
}

impl SessionState {
    /// Returns the known part of the defaults.
    pub(crate) fn defaults(&self) -> PartlyKnown {
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

/// The part that a plan needs of a provider configuration that may be unknown in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartlyKnown {
    /// Environment of secrets that name none.
    pub(crate) default_environment: Setting<String>,
    /// Labels added to every secret; unknown if one of them is.
    pub(crate) default_labels: Setting<BTreeMap<String, String>>,
}

impl PartlyKnown {
    /// Reads a provider block.
    pub(crate) fn read(config: &Value) -> Self {
        Self {
            default_environment: Setting::string(config.attribute("default_environment")),
            default_labels: Setting::strings(config.attribute("default_labels")),
        }
    }
}

/// Shares the configuration between the provider and its resources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session(Arc<RwLock<SessionState>>);

impl Session {
    /// Puts a configuration into effect.
    pub(crate) fn set(&self, state: SessionState) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Returns the configuration in effect.
    pub(crate) fn state(&self) -> SessionState {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the configuration for a call that requires it.
    ///
    /// # Errors
    ///
    /// A diagnostic with the reason why there is none.
    pub(crate) fn ready(&self) -> Result<Arc<Configured>, Diagnostic> {
        match self.state() {
            SessionState::Ready(configured) => Ok(configured),
            SessionState::Unknown(_) => Err(unconfigured()),
            SessionState::Unconfigured => Err(Diagnostic::bug(
                "Terraform called the provider before it configured it.",
            )),
        }
    }
}
