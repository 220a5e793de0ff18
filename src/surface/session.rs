//! What the provider's configuration opens for everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::Setting;
use crate::names::{SecretName, Slug};
use crate::operations::{OperationError, Organization};
use crate::plugin::{Diagnostic, Value};

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

/// A configuration that is known.
#[derive(Debug)]
pub struct Configured {
    /// The organization on its platform.
    pub organization: Organization,
    /// The environment of secrets that name none.
    pub default_environment: Option<Slug>,
    /// Labels that every secret gets.
    pub default_labels: BTreeMap<String, String>,
    /// The types of backends that this process plans, by name.
    announced: Mutex<BTreeMap<Slug, String>>,
    /// The secrets that a plan of this process creates.
    declared: Mutex<BTreeSet<SecretName>>,
}

impl Configured {
    /// Takes the organization and what its secrets get where they say nothing.
    #[must_use]
    pub fn new(
        organization: Organization,
        default_environment: Option<Slug>,
        default_labels: BTreeMap<String, String>,
    ) -> Self {
        Self {
            organization,
            default_environment,
            default_labels,
            announced: Mutex::default(),
            declared: Mutex::default(),
        }
    }

    /// Returns the defaults of secrets, all of them known.
    #[must_use]
    pub fn defaults(&self) -> PartlyKnown {
        let environment = self.default_environment.as_ref();
        PartlyKnown {
            default_environment: environment
                .map_or(Setting::Absent, |slug| Setting::Set(slug.to_string())),
            default_labels: Setting::Set(self.default_labels.clone()),
        }
    }

    /// Records that a plan creates this secret; returns false where another
    /// resource of the same plan does so already. Terraform configures a provider
    /// anew for every plan and apply, and plans each creation once in them.
    #[must_use]
    pub fn declare_secret(&self, name: &SecretName) -> bool {
        let declared = self.declared.lock();
        let mut declared = declared.unwrap_or_else(PoisonError::into_inner);
        declared.insert(name.clone())
    }

    /// Says that a plan is about to bring a backend of this type into being, or
    /// has it already, so that what refers to it in the same plan is not refused.
    pub fn announce(&self, backend: &Slug, kind: &str) {
        let mut announced = self
            .announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        announced.insert(backend.clone(), kind.to_owned());
    }

    /// Makes sure that a backend exists, or is about to.
    ///
    /// # Errors
    ///
    /// `UnknownBackend`; failures of the catalog.
    pub async fn expect_backend(&self, backend: &Slug) -> Result<(), OperationError> {
        if self.announced(backend).is_some() {
            return Ok(());
        }
        self.organization.expect_backend(backend).await
    }

    /// Returns the type of a backend that a plan of this process declares.
    #[must_use]
    pub fn announced(&self, backend: &Slug) -> Option<String> {
        let announced = self
            .announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        announced.get(backend).cloned()
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

/// Says that a refresh went by the state, because part of the provider's
/// configuration is unknown.
#[must_use]
pub fn not_refreshed() -> Diagnostic {
    Diagnostic::warning(
        "Resource Not Refreshed",
        "Part of the provider's configuration is known only after an apply, so the platform \
         cannot be reached yet. The plan goes by the state as it was stored.",
    )
}

/// Refuses an identity that names another organization than the provider's.
#[must_use]
pub fn different_organization(identity: &Value, own: &Slug) -> Option<Diagnostic> {
    let other = identity.attribute("organization").as_str()?;
    (other != own.as_str()).then(|| {
        Diagnostic::error(
            "Different Organization",
            format!(
                "The identity names organization {other:?}, but the provider is configured for \
                 {:?}.\n\nImport with a provider of that organization.",
                own.as_str()
            ),
        )
        .at("organization")
    })
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
