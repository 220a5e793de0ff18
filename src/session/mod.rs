//! The provider's configuration in effect, and the calls that use it.

mod configured;
mod deadline;
mod planned_names;
mod serve;
mod traits;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::diagnostics::{default_environment_unknown, invalid_slug, unconfigured};
use crate::setting::Setting;
use planton_core::names::Slug;
use planton_plugin::{AttributePath, Diagnostic, Value};

pub(crate) use configured::{BucketKey, Configured, OtherKeys, warnings_about};
pub(crate) use deadline::{READ_TIMEOUT, TIMEOUTS, limited};
pub(crate) use planned_names::Fate;
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
    /// Part of what the connection needs is unknown, which never counts as empty. The known
    /// defaults take effect.
    Unknown(Arc<Unconnected>),
    /// Ready for use. The defaults may be unknown.
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
            Self::Unknown(unconnected) => unconnected.defaults.clone(),
            Self::Ready(configured) => configured.defaults.clone(),
        }
    }
}

/// A configuration without a connection, since part of it is unknown.
#[derive(Debug)]
pub(crate) struct Unconnected {
    /// The known part of the defaults.
    pub(crate) defaults: PartlyKnown,
    /// Arguments of the connection that are unknown.
    pub(crate) unknown: Vec<AttributePath>,
}

impl Unconnected {
    /// Reads a provider block; `None` if everything that the connection needs is known.
    pub(crate) fn read(config: &Value) -> Option<Self> {
        let mut unknown = Vec::new();
        for (name, value) in config.entries().into_iter().flatten() {
            if !DEFAULTS.contains(&name.as_str()) {
                find_unknown(value, AttributePath::attribute(name), &mut unknown);
            }
        }
        if config.is_unknown() {
            unknown.push(AttributePath::root());
        }
        (!unknown.is_empty()).then(|| Self {
            defaults: PartlyKnown::read(config),
            unknown,
        })
    }
}

fn find_unknown(value: &Value, path: AttributePath, found: &mut Vec<AttributePath>) {
    if value.is_wholly_known() {
        return;
    }
    match value.entries() {
        Some(entries) => {
            for (name, value) in entries {
                find_unknown(value, path.clone().then(name), found);
            }
        }
        None => found.push(path),
    }
}

const DEFAULT_ENVIRONMENT: &str = "default_environment";
const DEFAULT_LABELS: &str = "default_labels";

/// Arguments of the provider that have no part in the connection.
const DEFAULTS: [&str; 2] = [DEFAULT_ENVIRONMENT, DEFAULT_LABELS];

/// The defaults of secrets in the provider block. Each may be unknown.
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
            default_environment: Setting::string(config.attribute(DEFAULT_ENVIRONMENT)),
            default_labels: Setting::strings(config.attribute(DEFAULT_LABELS)),
        }
    }

    /// Returns the environment of a secret that names none.
    ///
    /// # Errors
    ///
    /// A diagnostic without a location, if `default_environment` is unknown.
    pub(crate) fn environment(&self) -> Result<Option<Slug>, Diagnostic> {
        match &self.default_environment {
            Setting::Absent => Ok(None),
            Setting::Unknown => Err(default_environment_unknown()),
            Setting::Set(text) => Slug::parse(text)
                .map(Some)
                .map_err(|_| invalid_slug("The default environment", text, DEFAULT_ENVIRONMENT)),
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
            SessionState::Unknown(unconnected) => Err(unconfigured(&unconnected.unknown)),
            SessionState::Unconfigured => Err(Diagnostic::bug(
                "Terraform called the provider before it configured it.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_connection_needs_must_be_known() {
        let block = |address: Value| {
            Value::object([
                ("organization", Value::from("acme")),
                ("openbao", Value::object([("address", address)])),
                (DEFAULT_ENVIRONMENT, Value::Unknown),
                (DEFAULT_LABELS, Value::map([("team", Value::Unknown)])),
            ])
        };
        assert!(Unconnected::read(&block("https://bao".into())).is_none());
        let unconnected = Unconnected::read(&block(Value::Unknown)).expect("no address");
        let unknown = unconnected.unknown.iter().map(ToString::to_string);
        assert_eq!(unknown.collect::<Vec<_>>(), ["openbao.address"]);
        assert_eq!(unconnected.defaults.default_labels, Setting::Unknown);
    }
}
