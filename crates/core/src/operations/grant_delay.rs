//! Waits until a new grant takes effect.

use std::time::{Duration, Instant};

use crate::deadline::{OperationContext, duration_in_tests};
use crate::store::{SecretStore, StoreError};

/// The first and the longest delay between two attempts of a denied request.
const FIRST_GRANT_DELAY: Duration = Duration::from_secs(1);
const LONGEST_GRANT_DELAY: Duration = Duration::from_secs(5);

/// Retries denied requests until a new grant takes effect.
///
/// One apply may create a role and a backend, and the grants of all vendors take effect
/// later, [minutes later](https://cloud.google.com/iam/docs/access-change-propagation) in
/// one documented case.
pub(crate) struct GrantDelay<'a> {
    pub(crate) store: &'a dyn SecretStore,
    since: Instant,
}

impl<'a> GrantDelay<'a> {
    pub(crate) fn new(store: &'a dyn SecretStore) -> Self {
        Self {
            store,
            since: Instant::now(),
        }
    }

    /// Sends a request. Retries it while it is denied and a new grant may still take effect,
    /// until the operation's deadline.
    pub(crate) async fn wait<T, F>(&self, request: impl Fn() -> F) -> Result<T, StoreError>
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
            // The variable has an effect in debug builds only.
            let settles = duration_in_tests("PLANTON_TEST_GRANT_WAIT_MS", settles);
            let late = self.since.elapsed() + wait > settles;
            if late || OperationContext::current().pause(wait).await.is_err() {
                return Err(error);
            }
            wait = (wait * 2).min(LONGEST_GRANT_DELAY);
        }
    }
}
