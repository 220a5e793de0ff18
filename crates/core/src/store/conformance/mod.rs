//! Checks the guarantees of a [`SecretStore`] with functions that every backend's tests
//! call.
//!
//! Their names are `<verb>_<condition>_<outcome>`. The functions are in the library so
//! that integration tests can call them. The program does not call them, so the linker
//! removes them.
//!
//! Each function uses its own names below the given prefix, so the functions can run
//! concurrently against one server. The prefix must be of `[a-z0-9-]`, at most 24
//! bytes, and new for each run. A missing feature of a backend is reported as a
//! [`Gap`], and the tests of each backend list the expected gaps.

pub mod delete;
pub mod drift;
mod gaps;
pub mod list;
pub mod marks;
pub mod names;
pub mod payload;
pub mod put;
pub mod read;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

pub use gaps::{Gap, Gaps, Halt};

use super::{
    Absence, DescribeOptions, NativeVersionId, PutOptions, RemoteName, SecretStore, StoreError,
    StoreErrorKind, VersionStatus,
};

/// The outcome of one function.
pub type Outcome = Result<(), Halt>;

/// A violated guarantee.
pub struct Failure(String);

/// The functions that failed.
pub struct Failures(Vec<(&'static str, Failure)>);

/// Whether a backend supports the change that a test requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotaged {
    /// The change was made.
    Done,
    /// The backend does not support the change.
    Impossible,
}

impl Sabotaged {
    /// Returns `gap` if the change is impossible.
    fn or(self, gap: Gap) -> Outcome {
        match self {
            Self::Done => Ok(()),
            Self::Impossible => Err(gap.into()),
        }
    }
}

/// Changes a backend without the store, as with the vendor's console.
#[async_trait]
pub trait Sabotage: Send + Sync {
    /// Removes one version and keeps the others.
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged;

    /// Removes the whole object, which contains `versions`.
    async fn remove_object(&self, name: &RemoteName, versions: &[NativeVersionId]);

    /// Replaces the content of a version with `payload`.
    async fn replace_version(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
        payload: &[u8],
    ) -> Sabotaged;
}

macro_rules! run {
    ($found:ident, $($module:ident::$test:ident($($argument:expr),+),)+) => {
        $(match $module::$test($($argument),+).await {
            Ok(()) => {}
            Err(Halt::Failed(failure)) => $found.failures.push((stringify!($test), failure)),
            Err(Halt::Lacking(gap)) => $found.gaps.push((stringify!($test), gap)),
        })+
    };
}

/// The failures and gaps of a run.
#[derive(Default)]
struct Found {
    failures: Vec<(&'static str, Failure)>,
    gaps: Vec<(&'static str, Gap)>,
}

/// Runs every function that needs no sabotage, and returns the gaps.
///
/// # Errors
///
/// The name and the reason of each function that failed.
pub async fn run_all(store: &dyn SecretStore, prefix: &str) -> Result<Gaps, Failures> {
    let mut found = Found::default();
    run! { found,
        put::put_first_version_can_be_read_back(store, prefix),
        put::put_same_attempt_twice_gives_one_version(store, prefix),
        put::put_same_attempt_with_another_payload_is_refused(store, prefix),
        put::put_of_two_versions_keeps_both(store, prefix),
        put::put_of_many_versions_keeps_those_named_in_keep(store, prefix),
        put::put_after_delete_gives_a_new_native_id(store, prefix),
        put::put_of_a_further_version_makes_no_object(store, prefix),
        put::put_with_labels_of_any_form_succeeds(store, prefix),
        put::put_under_different_names_at_once_keeps_them_apart(store, prefix),
        put::put_under_one_name_at_once_gives_each_its_own_version(store, prefix),
        payload::put_of_every_symbol_is_kept(store, prefix),
        payload::put_payload_at_the_limit_is_kept(store, prefix),
        payload::put_payload_above_the_limit_is_too_large_and_writes_nothing(store, prefix),
        payload::put_under_a_name_of_the_greatest_length_is_kept(store, prefix),
        payload::put_under_two_names_of_the_greatest_length_keeps_them_apart(store, prefix),
        payload::put_under_a_longer_name_is_invalid_name(store, prefix),
        payload::put_under_an_empty_name_is_invalid_name(store),
        read::get_unknown_object_is_not_found(store, prefix),
        read::get_unknown_version_is_not_found(store, prefix),
        read::get_deleted_version_is_not_found_never_empty(store, prefix),
        read::get_version_of_a_deleted_object_is_not_found_never_empty(store, prefix),
        read::describe_each_version_is_present(store, prefix),
        read::describe_unknown_version_is_missing(store, prefix),
        read::describe_deleted_version_is_missing(store, prefix),
        read::describe_unknown_object_is_not_found(store, prefix),
        read::describe_deleted_object_is_not_found(store, prefix),
        delete::delete_missing_object_succeeds(store, prefix),
        delete::delete_twice_succeeds(store, prefix),
        delete::delete_one_version_leaves_the_others(store, prefix),
        delete::delete_unknown_version_leaves_the_others(store, prefix),
        delete::delete_object_removes_every_version(store, prefix),
        delete::delete_object_leaves_objects_with_longer_names(store, prefix),
        list::list_contains_each_object_until_it_is_deleted(store, prefix),
        list::list_returns_the_versions_that_are_not_known(store, prefix),
        marks::list_marks_has_each_version_until_it_is_deleted(store, prefix),
    }
    found.finish()
}

/// Runs every function that needs sabotage, and returns the gaps.
///
/// # Errors
///
/// As [`run_all`].
pub async fn run_drift(
    store: &dyn SecretStore,
    sabotage: &dyn Sabotage,
    prefix: &str,
) -> Result<Gaps, Failures> {
    let mut found = Found::default();
    run! { found,
        drift::get_removed_version_is_not_found(store, sabotage, prefix),
        drift::get_removed_object_is_not_found(store, sabotage, prefix),
        drift::get_replaced_version_is_corrupt_or_not_found(store, sabotage, prefix),
        drift::describe_removed_version_is_missing(store, sabotage, prefix),
        drift::describe_removed_object_is_not_found(store, sabotage, prefix),
        drift::describe_replaced_version_is_not_present(store, sabotage, prefix),
        drift::delete_of_what_was_removed_succeeds(store, sabotage, prefix),
        marks::list_marks_lacks_what_was_removed_or_replaced(store, sabotage, prefix),
    }
    found.finish()
}

impl Found {
    fn finish(self) -> Result<Gaps, Failures> {
        if self.failures.is_empty() {
            Ok(Gaps::new(self.gaps))
        } else {
            Err(Failures(self.failures))
        }
    }
}

impl Failure {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(beneath) = source {
            text = format!("{text}: {beneath}");
            source = beneath.source();
        }
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// Equal to `Display`, since `unwrap` in a test prints `Debug`.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Failure {}

impl Failures {
    /// Returns the names of the functions that failed.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed:", self.0.len())?;
        for (name, failure) in &self.0 {
            write!(f, "\n  {name}: {failure}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Failures {}

/// Joins `prefix` and `last` with the store's separator.
fn name(store: &dyn SecretStore, prefix: &str, last: &str) -> RemoteName {
    RemoteName::new(format!(
        "{prefix}{}{last}",
        store.capability().name.separator
    ))
}

fn options(version: u64) -> PutOptions {
    PutOptions {
        version,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// Puts versions 1 to `count`, with the version number as the seed of each payload.
async fn put_versions(
    store: &dyn SecretStore,
    name: &RemoteName,
    count: u64,
) -> Result<Vec<NativeVersionId>, Failure> {
    let mut ids: Vec<NativeVersionId> = Vec::new();
    for version in 1..=count {
        let options = PutOptions {
            keep: ids.clone(),
            ..options(version)
        };
        let payload = payload::sample(store, version);
        ids.push(store.put(name, &payload, options).await?);
    }
    Ok(ids)
}

async fn expect_payload(
    store: &dyn SecretStore,
    name: &RemoteName,
    version: &NativeVersionId,
    payload: &[u8],
) -> Outcome {
    let stored = store.get(name, version).await?;
    ensure(stored == payload, || {
        let (bytes, expected) = (stored.len(), payload.len());
        format!("get of {version} gave another payload ({bytes} bytes, {expected} were put)")
    })
}

async fn expect_no_payload(
    store: &dyn SecretStore,
    name: &RemoteName,
    version: &NativeVersionId,
) -> Outcome {
    expect_error(
        store.get(name, version).await.map(|payload| payload.len()),
        &[StoreErrorKind::NotFound],
    )
}

async fn status(
    store: &dyn SecretStore,
    name: &RemoteName,
    version: &NativeVersionId,
    record: &[NativeVersionId],
) -> Result<VersionStatus, StoreError> {
    let others = record.iter().filter(|other| *other != version);
    let options = DescribeOptions {
        version: version.clone(),
        others: others.cloned().collect(),
        absence: Absence::Quick,
    };
    store.describe(name, options).await
}

fn expect_error<T: fmt::Debug>(
    outcome: Result<T, StoreError>,
    kinds: &[StoreErrorKind],
) -> Outcome {
    match outcome {
        Ok(value) => Err(Failure::new(format!("expected {kinds:?}, got {value:?}")).into()),
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        Err(error) => {
            let Failure(text) = Failure::from(error);
            Err(Failure::new(format!("expected {kinds:?}, got: {text}")).into())
        }
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(Failure::new(otherwise()).into())
    }
}

/// Returns an identifier of the same form that the store never returned.
fn never_given_out(id: &NativeVersionId) -> NativeVersionId {
    // Each digit and each hexadecimal letter is replaced by its successor.
    let turned = id.as_str().chars().map(|c| match c {
        '9' => '0',
        'f' => 'a',
        '0'..='8' | 'a'..='e' => char::from_u32(u32::from(c) + 1).unwrap_or(c),
        other => other,
    });
    NativeVersionId::new(turned.collect())
}
