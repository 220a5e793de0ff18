//! A provider configuration with a connection, and the record of this process's plans and creations
//! under it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::PartlyKnown;
use super::planned_names::PlannedNames;
use crate::setting::Setting;
use planton_core::names::Slug;
use planton_core::operations::{
    ExistingRecord, Housekeeping, OperationError, Organization, OrganizationStatus, RunId,
};
use planton_plugin::Diagnostic;
use planton_vendors::bucket::Bucket;

/// A configuration whose connection is known.
#[derive(Debug)]
pub(crate) struct Configured {
    /// The organization on its platform.
    pub(crate) organization: Organization,
    /// Defaults of its secrets.
    pub(crate) defaults: PartlyKnown,
    /// Backends that a plan of this process declares, with their types.
    announced: Mutex<BTreeMap<Slug, Setting<String>>>,
    /// Names that the plans of this process keep, give up and need.
    pub(crate) planned_names: PlannedNames,
    /// Secrets of this process that use the default backend.
    by_default: Mutex<ByDefault>,
    /// Runs whose records a creation met, by resource type, and whether the error printed
    /// how to resume them.
    told: Mutex<BTreeSet<(&'static str, RunId, bool)>>,
    /// The bucket that is the platform.
    bucket: Option<Bucket>,
    /// The key of an organization in a bucket.
    bucket_key: Option<BucketKey>,
    /// Whether the advice about the bucket was given.
    is_advised: AtomicBool,
}

/// Returns warnings about properties of a bucket, once, if this process has prepared it for an
/// organization.
pub(crate) fn warnings_about(bucket: &Bucket) -> Vec<Diagnostic> {
    let advice = bucket.advice_of_probe().into_iter();
    advice
        .map(|one| Diagnostic::warning(one.summary, one.detail))
        .collect()
}

/// The key of an organization in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BucketKey {
    /// In this file.
    File(PathBuf),
    /// In a service: a second key wraps the MAC key, or the fingerprint is pinned.
    Guarded,
    /// In a service, where whoever may encrypt can replace the MAC key.
    Unguarded,
}

/// What opens an organization's secrets beside its key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherKeys {
    /// Nothing.
    None,
    /// Its escrow keys.
    Escrow,
    /// Its escrow keys, if it has any.
    Unknown,
}

impl OtherKeys {
    /// Returns what the loss of the key file means.
    fn without_the_file(self) -> &'static str {
        match self {
            Self::None => {
                "Nothing else opens its secrets: without the file they are lost, although the \
                 bucket still has them."
            }
            Self::Escrow => "Without the file, only the escrow keys open its secrets.",
            Self::Unknown => {
                "Without the file, only the escrow keys of the organization open its secrets. If \
                 it has none, they are lost, although the bucket still has them."
            }
        }
    }
}

/// Secrets that name no backend, in the order of their calls.
#[derive(Debug, Default)]
struct ByDefault {
    planned: Vec<String>,
    created: Vec<(String, Slug)>,
}

impl Configured {
    /// Creates the session of an organization, with the defaults of its secrets.
    pub(crate) fn new(organization: Organization, defaults: PartlyKnown) -> Self {
        Self {
            organization,
            defaults,
            announced: Mutex::default(),
            planned_names: PlannedNames::default(),
            by_default: Mutex::default(),
            told: Mutex::default(),
            bucket: None,
            bucket_key: None,
            is_advised: AtomicBool::new(false),
        }
    }

    /// Notes that the platform is `bucket`, and the organization's key.
    #[must_use]
    pub(crate) fn on_bucket(self, bucket: Bucket, key: BucketKey) -> Self {
        Self {
            bucket: Some(bucket),
            bucket_key: Some(key),
            ..self
        }
    }

    /// Returns the bucket that is the platform.
    pub(crate) fn bucket(&self) -> Option<Bucket> {
        self.bucket.clone()
    }

    /// Returns warnings about properties of the bucket and about a new key file, once, if this
    /// process has created the organization in it: a later run would only repeat them.
    pub(crate) fn advice_at_first_use(&self, others: OtherKeys) -> Vec<Diagnostic> {
        let Some(bucket) = self.bucket.as_ref().filter(|_| self.organization.is_new()) else {
            return Vec::new();
        };
        if self.is_advised.swap(true, Ordering::Relaxed) {
            return Vec::new();
        }
        let warnings = warnings_about(bucket);
        let of_file = self.key_file_to_back_up(others);
        of_file.into_iter().chain(warnings).collect()
    }

    /// Returns the warning that the key file of an organization in a bucket has to be backed up;
    /// `None` if its key is elsewhere.
    pub(crate) fn key_file_to_back_up(&self, others: OtherKeys) -> Option<Diagnostic> {
        match &self.bucket_key {
            Some(BucketKey::File(path)) => Some(back_up(path, others)),
            Some(BucketKey::Guarded | BucketKey::Unguarded) | None => None,
        }
    }

    /// Returns a warning if nothing shows that the organization is the operator's own: this
    /// process has not created it, and whoever may encrypt with its key and write the bucket may
    /// have.
    pub(crate) fn not_vouched(&self, status: &OrganizationStatus) -> Option<Diagnostic> {
        match &self.bucket_key {
            Some(BucketKey::Unguarded) if !self.organization.is_new() => {}
            Some(_) | None => return None,
        }
        Some(Diagnostic::warning(
            "Organization Not Verified",
            format!(
                "The organization existed before this command, and its record says that it was \
                 created at {}. No fingerprint is pinned, so this command cannot tell it from one \
                 that somebody else has put into the bucket: a role that may encrypt with the \
                 key and write to the bucket can.\n\nPin the fingerprint below only if you know \
                 that one of you created the organization at that time. Otherwise find out who \
                 can write to the bucket.",
                status.created_at
            ),
        ))
    }

    /// Shares the removals that follow responses with the other configurations of this
    /// process.
    #[must_use]
    pub(crate) fn with_housekeeping(self, housekeeping: Housekeeping) -> Self {
        Self {
            organization: self.organization.with_housekeeping(housekeeping),
            ..self
        }
    }

    /// Returns whether the error of a creation that met this record must print the full
    /// remedy: once per run, since 200 secrets of one run would print it 200 times.
    pub(crate) fn must_show(&self, resource: &'static str, existing: &ExistingRecord) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let run = (resource, existing.owner.stamp.run, existing.is_untouched);
        existing.differs.is_some() || told.insert(run)
    }

    /// Records that a plan of this process declares the backend. Resources of the same plan
    /// may then refer to it. Its type may be unknown.
    pub(crate) fn announce(&self, backend: &Slug, kind: Setting<String>) {
        let mut announced = self
            .announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        announced.insert(backend.clone(), kind);
    }

    /// Checks that a backend exists, or that a plan of this process declares it. If
    /// neither is so, returns a warning: the process of another alias of the provider may
    /// declare it in the same plan.
    ///
    /// # Errors
    ///
    /// Failures of the catalog.
    pub(crate) async fn expect_backend(
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

    /// Returns the type of a backend that a plan of this process declares; absent if none
    /// does.
    pub(crate) fn announced(&self, backend: &Slug) -> Setting<String> {
        let announced = self
            .announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        announced.get(backend).cloned().unwrap_or(Setting::Absent)
    }
}

impl Configured {
    /// Records that this process plans to create a secret on the default backend.
    pub(crate) fn plan_by_default(&self, secret: &str) {
        let mut by_default = self.by_default();
        if by_default.planned.iter().all(|known| known != secret) {
            by_default.planned.push(secret.to_owned());
        }
    }

    /// Records that this process created a secret on the default backend.
    pub(crate) fn create_by_default(&self, secret: String, backend: Slug) {
        self.by_default().created.push((secret, backend));
    }

    /// Returns the secrets planned for the default backend so far, which do not wait for a
    /// change of it. Returns none once the apply has started, since the list of created
    /// secrets is then more accurate.
    pub(crate) fn planned_by_default(&self) -> Vec<String> {
        let by_default = self.by_default();
        if by_default.created.is_empty() {
            by_default.planned.clone()
        } else {
            Vec::new()
        }
    }

    /// Returns the secrets that this process created on another default than
    /// `backend`, once each.
    pub(crate) fn take_created_elsewhere(&self, backend: &Slug) -> Vec<String> {
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

/// Warns about a backend that neither exists nor is declared by this process.
fn not_declared(backend: &Slug) -> Diagnostic {
    Diagnostic::warning(
        "Secret Backend Not Declared Yet",
        format!(
            "Secret backend {:?} does not exist, and no planton_secret_backend that Terraform has \
             planned so far with this provider configuration declares it. The apply fails unless \
             the backend exists by then.\n\nCheck the name. If the same configuration declares the \
             backend, refer to that resource (backend = planton_secret_backend.<name>.name), so \
             that Terraform creates it first. If another alias of the provider declares it, this \
             warning remains.",
            backend.as_str()
        ),
    )
}

fn back_up(key_file: &Path, others: OtherKeys) -> Diagnostic {
    Diagnostic::warning(
        "Key File Not Backed Up",
        format!(
            "The organization's key is in the file {}. {}\n\nBack up the file now, in a place that \
             is not this machine. Every other machine needs a copy, with mode 0600.",
            key_file.display(),
            others.without_the_file()
        ),
    )
}
