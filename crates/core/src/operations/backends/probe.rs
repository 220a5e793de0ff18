//! Verifies a connection: writes, describes, reads and deletes a temporary object.

use std::time::Duration;

use super::Backends;
use super::candidate::Candidate;
use crate::operations::OperationError;
use crate::operations::grant_delay::GrantDelay;
use crate::store::{
    Absence, Deletion, DescribeOptions, NativeVersionId, RemoteName, StoreError, StoreErrorKind,
    VersionStatus,
};

/// Number of attempts to read a new object, since some vendors are eventually consistent.
const READ_TRIES: u32 = 5;
const READ_DELAY: Duration = Duration::from_millis(200);

impl Backends<'_> {
    /// Writes, describes, reads and deletes an object under a temporary name.
    ///
    /// # Errors
    ///
    /// `ProbeFailed` with the step and the store's error, which names the missing grant.
    pub(crate) async fn probe(self, candidate: Candidate<'_>) -> Result<(), OperationError> {
        let store = candidate.store;
        let random = getrandom::u32().map_err(|_| OperationError::Randomness)?;
        let name = self.name_of(candidate, "probe", &format!("{random:08x}"));
        let payload = self.marker_payload(candidate).await?;
        let failed = |step| move |error| OperationError::ProbeFailed { step, error };
        // Each retry has the same attempt id, so a put whose response was lost is one version.
        let options = self.options_of(candidate);
        let granted = GrantDelay::new(store);
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
}

async fn read_back(
    granted: &GrantDelay<'_>,
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
        Ok(_) => Err(corrupt("inspect")),
        Err(error) => Err(("inspect", error)),
    }
}

const NOT_AS_WRITTEN: &str = "The test object that was read differs from the one that was written. \
                              Another writer or a proxy may have changed it. Check the address.";
