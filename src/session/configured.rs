//! A provider configuration that is wholly known, and what this process has planned
//! and created under it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::PartlyKnown;
use crate::setting::Setting;
use planton_core::names::Slug;
use planton_core::operations::{MetRecord, OperationError, Organization, RunId};
use planton_plugin::Diagnostic;

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
        match self.organization.backends().expect(backend).await {
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
