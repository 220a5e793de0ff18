//! Verifies a connection, and knows a backend's place again.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::catalog::MarkerRecord;
use crate::deadline::{RequestLimits, patience};
use crate::names::Slug;
use crate::operations::remote_name::object_name;
use crate::operations::sealing::seal;
use crate::operations::{Backend, OperationError, Organization};
use crate::store::{
    Absence, Deletion, DescribeOptions, NativeVersionId, PutOptions, RemoteName, SecretStore,
    StoreError, StoreErrorKind, StoreSettings, VersionStatus,
};
use planton_envelope::{Context, Purpose, SecretValue};

/// What a marker says to whoever opens it.
const MARKER_TEXT: &str = "This object marks a secret backend.";

/// How often a read is tried of what was just written: some vendors promise it
/// to every reader only after a moment.
const READ_TRIES: u32 = 5;
const READ_DELAY: Duration = Duration::from_millis(200);

/// Between two tries of what is denied, at first and at most.
const FIRST_GRANT_DELAY: Duration = Duration::from_secs(1);
const LONGEST_GRANT_DELAY: Duration = Duration::from_secs(5);

/// A backend that is about to be saved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) uuid: Uuid,
    pub(super) name: &'a Slug,
    pub(super) settings: &'a StoreSettings,
    pub(super) store: &'a dyn SecretStore,
}

impl Organization {
    /// Writes, looks at, reads and deletes an object with a throw-away name.
    ///
    /// # Errors
    ///
    /// `ProbeFailed` with the step, and the store's error, which names the grant.
    pub(super) async fn probe(&self, candidate: Candidate<'_>) -> Result<(), OperationError> {
        let store = candidate.store;
        let random = getrandom::u32().map_err(|_| OperationError::Randomness)?;
        let name = self.name_of(candidate, "probe", &format!("{random:08x}"));
        let payload = self.marker_payload(candidate).await?;
        let failed = |step| move |error| OperationError::ProbeFailed { step, error };
        // The same attempt each time: a put whose answer was lost is one version.
        let options = self.options_of(candidate);
        let granted = Settling::new(store);
        let put = || store.put(&name, &payload, options.clone());
        let version = granted.wait(put).await.map_err(failed("write"))?;
        let read = read_back(&granted, &name, &version, &payload).await;
        let versions = vec![version];
        let delete = || {
            let versions = versions.clone();
            store.delete(&name, Deletion::Purge { versions })
        };
        let deleted = granted.wait(delete).await;
        let (step, error) = match (read, deleted) {
            (Err(failure), _) => failure,
            (Ok(()), Err(error)) => ("delete", error),
            (Ok(()), Ok(())) => return Ok(()),
        };
        Err(failed(step)(error))
    }

    /// Puts the object by which the backend's place is known again.
    pub(super) async fn put_marker(
        &self,
        candidate: Candidate<'_>,
    ) -> Result<MarkerRecord, OperationError> {
        // A name of its own each time: whoever loses a commit deletes its marker,
        // and a vendor may keep a deleted one for weeks.
        let random = getrandom::u64().map_err(|_| OperationError::Randomness)?;
        let remote_name = self.name_of(candidate, "backend", &format!("{random:016x}"));
        let payload = self.marker_payload(candidate).await?;
        let options = self.options_of(candidate);
        let native_id = candidate.store.put(&remote_name, &payload, options).await;
        Ok(MarkerRecord {
            remote_name,
            native_id: native_id.map_err(|error| OperationError::ProbeFailed {
                step: "write",
                error,
            })?,
            sha256: hex::encode(Sha256::digest(&payload)),
        })
    }

    fn name_of(&self, candidate: Candidate<'_>, kind: &'static str, digits: &str) -> RemoteName {
        let leaf = format!("{}-{digits}", candidate.name);
        let parts = [
            candidate.settings.name_prefix.as_str(),
            self.slug().as_str(),
            kind,
            &leaf,
        ];
        object_name(&parts, candidate.store.capability().name)
    }

    fn options_of(&self, candidate: Candidate<'_>) -> PutOptions {
        PutOptions {
            version: 1,
            attempt: Uuid::new_v4(),
            keep: Vec::new(),
            labels: [
                ("planton-organization", self.slug().to_string()),
                ("planton-backend", candidate.name.to_string()),
            ]
            .map(|(key, text)| (key.to_owned(), text))
            .into(),
        }
    }

    /// An envelope like any other, so that a store needs no second form: its
    /// context names the backend, and its value is no secret.
    async fn marker_payload(&self, candidate: Candidate<'_>) -> Result<Vec<u8>, OperationError> {
        let context = Context {
            purpose: Purpose::Secret,
            organization: self.existing().await?.uuid,
            object: candidate.uuid,
            backend: candidate.uuid,
            version: 1,
            configuration_digest: None,
        };
        let plaintext = SecretValue::Text(MARKER_TEXT.into()).to_plaintext();
        let sealed = seal(context, &[&*self.platform.kek], &plaintext).await?;
        Ok(sealed.payload(candidate.store.capability().encoding))
    }
}

/// Where a backend has stored so far, looked at once a process.
///
/// Credentials of another account, or another region, lead to a place that knows
/// nothing of our objects. That must not be taken for their end.
#[derive(Debug)]
pub(in crate::operations) struct Place {
    name: Slug,
    marker: MarkerRecord,
    seen: OnceCell<()>,
}

impl Place {
    pub(super) fn new(name: &Slug, marker: MarkerRecord) -> Self {
        Self {
            name: name.clone(),
            marker,
            seen: OnceCell::new(),
        }
    }
}

impl Backend {
    /// Makes sure that this is the place where the backend has stored so far:
    /// before anything is written, deleted, or believed to be gone. One request
    /// a process, and none for a backend that was never verified.
    ///
    /// # Errors
    ///
    /// `BackendNotThere`; failures of the store.
    pub(in crate::operations) async fn expect_marker(&self) -> Result<(), OperationError> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        place
            .seen
            .get_or_try_init(|| {
                let (name, marker) = (&place.name, &place.marker);
                find_marker(self.store.as_ref(), name, marker, Absence::Quick)
            })
            .await
            .copied()
    }

    /// As [`expect_marker`](Self::expect_marker), where it is about to be believed that
    /// the marker is gone.
    pub(super) async fn look_for_marker_again(&self) -> Result<(), OperationError> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        let (name, marker) = (&place.name, &place.marker);
        find_marker(self.store.as_ref(), name, marker, Absence::Confirmed).await
    }
}

/// Makes sure that `store` reaches the place where `marker` was put.
///
/// # Errors
///
/// `BackendNotThere` when the marker is not there, or is another's.
pub(super) async fn find_marker(
    store: &dyn SecretStore,
    name: &Slug,
    marker: &MarkerRecord,
    absence: Absence,
) -> Result<(), OperationError> {
    let looked = store.describe(&marker.remote_name, look(marker, absence));
    found_marker(name, marker, looked.await)
}

/// As [`find_marker`], and waits for a grant that is new: the credential is.
pub(super) async fn find_marker_granted(
    store: &dyn SecretStore,
    name: &Slug,
    marker: &MarkerRecord,
    absence: Absence,
) -> Result<(), OperationError> {
    let granted = Settling::new(store);
    let describe = || store.describe(&marker.remote_name, look(marker, absence));
    found_marker(name, marker, granted.wait(describe).await)
}

/// A look, as at a secret: whoever only plans may do no more. The marker's native id
/// was never given to anything else.
fn look(marker: &MarkerRecord, absence: Absence) -> DescribeOptions {
    DescribeOptions {
        version: marker.native_id.clone(),
        others: Vec::new(),
        absence,
    }
}

fn found_marker(
    name: &Slug,
    marker: &MarkerRecord,
    looked: Result<VersionStatus, StoreError>,
) -> Result<(), OperationError> {
    let elsewhere = || OperationError::BackendNotThere {
        backend: name.clone(),
        marker: marker.remote_name.to_string(),
    };
    match looked {
        Ok(VersionStatus::Present) => Ok(()),
        Ok(_) => Err(elsewhere()),
        Err(error) if error.kind() == StoreErrorKind::NotFound => Err(elsewhere()),
        Err(error) => Err(error.into()),
    }
}

/// Waits for grants that are new: a role and a backend may come into being in one
/// apply, and no vendor's grant is there at once.
struct Settling<'a> {
    store: &'a dyn SecretStore,
    since: Instant,
}

impl<'a> Settling<'a> {
    fn new(store: &'a dyn SecretStore) -> Self {
        Self {
            store,
            since: Instant::now(),
        }
    }

    /// Makes a request, again while it is denied and the vendor's time for a new
    /// grant lasts; never past the operation's deadline.
    async fn wait<T, F>(&self, request: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut wait = FIRST_GRANT_DELAY;
        loop {
            let error = match request().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let Some(settles) = self.store.may_settle(&error) else {
                return Err(error);
            };
            // The variable counts in debug builds only.
            let settles = patience("PLANTON_TEST_GRANT_WAIT_MS", settles);
            let late = self.since.elapsed() + wait > settles;
            if late || RequestLimits::current().pause(wait).await.is_err() {
                return Err(error);
            }
            wait = (wait * 2).min(LONGEST_GRANT_DELAY);
        }
    }
}

async fn read_back(
    granted: &Settling<'_>,
    name: &RemoteName,
    version: &NativeVersionId,
    payload: &[u8],
) -> Result<(), (&'static str, StoreError)> {
    let store = granted.store;
    let corrupt = |step| {
        let error = StoreError::new(StoreErrorKind::Corrupt, "read back", name.as_str());
        (step, error.with_remedy(NOT_AS_WRITTEN))
    };
    let mut tries = 1;
    let read = loop {
        match granted.wait(|| store.get(name, version)).await {
            Err(error) if error.kind() == StoreErrorKind::NotFound && tries < READ_TRIES => {
                tokio::time::sleep(READ_DELAY * tries).await;
                tries += 1;
            }
            outcome => break outcome.map_err(|error| ("read", error))?,
        }
    };
    if read != payload {
        return Err(corrupt("read"));
    }
    let options = DescribeOptions {
        version: version.clone(),
        others: Vec::new(),
        absence: Absence::Quick,
    };
    let describe = || store.describe(name, options.clone());
    match granted.wait(describe).await {
        Ok(VersionStatus::Present) => Ok(()),
        Ok(_) => Err(corrupt("look at")),
        Err(error) => Err(("look at", error)),
    }
}

const NOT_AS_WRITTEN: &str = "What was read is not what was just written: another writer, or a \
                              proxy, stands between. Check the address.";
