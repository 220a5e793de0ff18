//! What the provider's configuration opens for everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::Setting;
use planton_core::names::Slug;
use planton_core::operations::{MetRecord, OperationError, Organization, RunId};
use planton_plugin::{Diagnostic, Value};

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
    /// The backends that this process plans, by name: their types, where known.
    announced: Mutex<BTreeMap<Slug, Setting<String>>>,
    /// The secrets of this process that go to the default backend.
    by_default: Mutex<ByDefault>,
    /// The runs whose records have stood in a creation's way, by type of resource, and
    /// whether the error showed how to resume them.
    told: Mutex<BTreeSet<(&'static str, RunId, bool)>>,
}

/// Secrets that name no backend, in the order in which this process met them.
#[derive(Debug, Default)]
struct ByDefault {
    planned: Vec<String>,
    created: Vec<(String, Slug)>,
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
            by_default: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Says whether an error has to show how to go on after a creation met this
    /// record: once for each run, or 200 secrets of one run print 200 pages.
    pub fn must_show(&self, resource: &'static str, met: &MetRecord) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let run = (resource, met.owner.stamp.run, met.is_untouched);
        met.differs.is_some() || told.insert(run)
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

    /// Records that a plan of this process declares the backend, so that what
    /// refers to it in the same plan is not refused. Its type may be unknown yet.
    pub fn announce(&self, backend: &Slug, kind: Setting<String>) {
        let mut announced = self
            .announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        announced.insert(backend.clone(), kind);
    }

    /// Checks that a backend exists, or that a plan of this process declares it.
    /// Returns a warning where neither is so: another process, as another alias
    /// of the provider has one, may declare it in the same plan.
    ///
    /// # Errors
    ///
    /// Failures of the catalog.
    pub async fn expect_backend(
        &self,
        backend: &Slug,
    ) -> Result<Option<Diagnostic>, OperationError> {
        if !self.announced(backend).is_absent() {
            return Ok(None);
        }
        match self.organization.expect_backend(backend).await {
            Ok(()) => Ok(None),
            Err(OperationError::UnknownBackend { .. }) => Ok(Some(not_declared(backend))),
            Err(error) => Err(error),
        }
    }

    /// Returns the type of a backend that a plan of this process declares;
    /// absent where none does.
    #[must_use]
    pub fn announced(&self, backend: &Slug) -> Setting<String> {
        let announced = self
            .announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        announced.get(backend).cloned().unwrap_or(Setting::Absent)
    }
}

impl Configured {
    /// Records that this process plans to create a secret on the default backend.
    pub fn plan_by_default(&self, secret: &str) {
        let mut by_default = self.by_default();
        if by_default.planned.iter().all(|known| known != secret) {
            by_default.planned.push(secret.to_owned());
        }
    }

    /// Records that this process created a secret on the default backend.
    pub fn create_by_default(&self, secret: String, backend: Slug) {
        self.by_default().created.push((secret, backend));
    }

    /// Returns the secrets that were planned for the default backend so far, and so
    /// do not wait for a change of it. None once the apply has begun: then those
    /// that were created say more.
    #[must_use]
    pub fn planned_by_default(&self) -> Vec<String> {
        let by_default = self.by_default();
        if by_default.created.is_empty() {
            by_default.planned.clone()
        } else {
            Vec::new()
        }
    }

    /// Returns the secrets that this process created on another default than
    /// `backend`, once each.
    #[must_use]
    pub fn take_created_elsewhere(&self, backend: &Slug) -> Vec<String> {
        let mut by_default = self.by_default();
        let created = std::mem::take(&mut by_default.created);
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            created.into_iter().partition(|(_, on)| on == backend);
        by_default.created = here;
        elsewhere.into_iter().map(|(secret, _)| secret).collect()
    }

    fn by_default(&self) -> MutexGuard<'_, ByDefault> {
        self.by_default
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Warns of a backend that neither exists nor is declared by this process.
fn not_declared(backend: &Slug) -> Diagnostic {
    Diagnostic::warning(
        "Secret Backend Not Declared Yet",
        format!(
            "Secret backend {:?} does not exist, and no planton_secret_backend that this provider \
             configuration has planned so far declares it. The apply fails unless the backend \
             exists by then.\n\nCheck the name. Where the same configuration declares the backend, \
             refer to it (backend = planton_secret_backend.<name>.name), so that Terraform creates \
             it first. This warning remains where another alias of the provider declares it.",
            backend.as_str()
        ),
    )
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
