//! Confirms by a listing that secrets are unchanged since a state saw them.
//!
//! A listing returns the marks of a thousand records or versions at once. If it contains those
//! that a state keeps, the record is the one that the state was written from, and its current
//! version exists. Only this answer is taken from a listing. For any other, a refresh reads the
//! record and asks the backend: docs/adr/0026.

mod gathering;
mod pages;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{NAME_PREFIX, Organization};
use crate::marks::Mark;
use crate::names::SecretName;
use gathering::Gathering;
use pages::{Budget, Listing, Question};

/// Folder of the records of secrets.
const RECORDS: &str = "secrets";

/// The marks of a secret on the built-in backend, as a state keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretMarks {
    /// Mark of the record that the state was written from.
    pub record: Mark,
    /// Mark of the current version.
    pub version: Mark,
}

impl SecretMarks {
    /// Number of bytes of [`to_bytes`](Self::to_bytes).
    pub const BYTES: usize = 2 * Mark::BYTES;

    /// Restores marks from their bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let mark = |at: usize| Mark::from_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        Self {
            record: mark(0),
            version: mark(Mark::BYTES),
        }
    }

    /// Returns the bytes of both marks.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (record, version) = bytes.split_at_mut(Mark::BYTES);
        record.copy_from_slice(&self.record.to_bytes());
        version.copy_from_slice(&self.version.to_bytes());
        bytes
    }
}

/// The listings of a process and an organization.
#[derive(Debug, Default)]
pub(crate) struct RefreshListings {
    gathering: Gathering,
    records: Listing,
    pages_of_records: Budget,
    /// The versions in each folder of the built-in backend.
    versions: Mutex<HashMap<String, Arc<Listing>>>,
    pages_of_versions: Budget,
    is_told: AtomicBool,
    numbers: Mutex<Numbers>,
}

/// The numbers of the current versions of refreshed secrets.
#[derive(Debug, Default)]
struct Numbers {
    sum: u64,
    count: u64,
}

/// Default of `keep_versions`: as many versions of a secret are stored as were written, and no
/// more than these.
const KEPT_VERSIONS: u64 = 10;

impl RefreshListings {
    fn versions(&self, folder: &str) -> Arc<Listing> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(versions.entry(folder.to_owned()).or_default())
    }

    /// Notes the number of a secret's current version. Returns the mean number of versions that
    /// such secrets have in their backend.
    fn per_object(&self, number: u64) -> usize {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.sum += number.clamp(1, KEPT_VERSIONS);
        numbers.count += 1;
        usize::try_from(numbers.sum.div_ceil(numbers.count)).unwrap_or(usize::MAX)
    }

    /// Writes one line to the log about a listing that does not exist, or is not granted.
    fn tell(&self) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::debug!(
                "the platform has no listing for a refresh, or the role may not list, so secrets \
                 are refreshed singly"
            );
        }
    }
}

impl Organization {
    /// Returns whether listings show that the secret is as it was when its marks were taken:
    /// the record is unchanged, and the current version exists.
    ///
    /// Waits a moment for other refreshes. False never means that something changed.
    pub(crate) async fn is_listed_unchanged(
        &self,
        name: &SecretName,
        (marks, number): (SecretMarks, u64),
    ) -> bool {
        let listings = &self.refresh_listings;
        let folder = folder_of(self, name);
        let versions = listings.versions(&folder);
        let is_unavailable =
            |listing: &Listing| listing.is_unavailable().then(|| listings.tell()).is_some();
        if is_unavailable(&listings.records) || is_unavailable(&versions) {
            return false;
        }
        let per_object = listings.per_object(number);
        if !listings.gathering.join().await {
            return false;
        }
        let epoch = self.catalog.epoch();
        let question = |mark, folder, budget| Question {
            mark,
            folder,
            epoch,
            budget,
            gathering: &listings.gathering,
            per_object,
        };
        let of_record = question(marks.record, RECORDS, &listings.pages_of_records);
        let of_version = question(marks.version, &folder, &listings.pages_of_versions);
        let (catalog, store) = (&self.catalog, &self.platform.store);
        // A page of versions is in vain if the record is not listed. It is paid for like any
        // other, and both are needed in the ordinary case.
        let (record, version) = tokio::join!(
            listings.records.confirms(of_record, async |page| catalog
                .list_marks(page.query())
                .await),
            versions.confirms(of_version, async |page| store
                .list_marks(page.query())
                .await),
        );
        let is_unchanged = record
            && version
            // One page may have expired while the other was requested.
            && listings.records.confirm(marks.record, epoch)
            && versions.confirm(marks.version, epoch);
        if !is_unchanged {
            let _ = is_unavailable(&listings.records) || is_unavailable(&versions);
        }
        is_unchanged
    }
}

/// Returns the folder of the secret's object in the built-in backend.
fn folder_of(organization: &Organization, name: &SecretName) -> String {
    let root = format!("{NAME_PREFIX}/{}", organization.slug());
    match &name.environment {
        Some(environment) => format!("{root}/env/{environment}"),
        None => format!("{root}/org"),
    }
}
