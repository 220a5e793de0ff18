//! A value that many callers need and one of them opens.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::OperationError;
use crate::deadline::OperationContext;

/// For how long after an outage each request of another attempt is tried once.
const FAILED_RECENTLY: Duration = Duration::from_secs(10);

/// How long an attempt lasts that shows an outage. One that ends earlier had little time.
const LONG: Duration = Duration::from_secs(10);

/// A value that is opened on first use, as [`OnceCell`].
///
/// Callers wait for the one that opens it. If that fails, the next one tries. After an outage,
/// it tries each request only once: where a server is unreachable, a hundred callers would
/// otherwise go through all retries one after the other.
#[derive(Debug)]
pub(crate) struct OpenOnce<T> {
    value: OnceCell<T>,
    failed: Mutex<Option<Instant>>,
}

impl<T> Default for OpenOnce<T> {
    fn default() -> Self {
        Self {
            value: OnceCell::new(),
            failed: Mutex::default(),
        }
    }
}

impl<T> OpenOnce<T> {
    /// Returns the value if it is open.
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Returns whether the value is open.
    pub(crate) fn is_open(&self) -> bool {
        self.value.initialized()
    }

    /// Sets the value, unless it is open. Returns whether it was set.
    pub(crate) fn set(&self, value: T) -> bool {
        self.value.set(value).is_ok()
    }

    /// Returns the value, and opens it if it is not.
    ///
    /// # Errors
    ///
    /// Those of `open`.
    pub(crate) async fn get_or_try_init<F, Fut>(&self, open: F) -> Result<&T, OperationError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, OperationError>>,
    {
        let attempt = || async {
            // Boxed, since the future of an opening is large.
            let opening = Box::pin(open());
            let begun = Instant::now();
            // A commit insists on its tries.
            let insists = OperationContext::current().insisted_tries > 0;
            let is_repeated = self.has_failed_recently() && !insists;
            let opened = match is_repeated {
                true => OperationContext::trying_once().scope(opening).await,
                false => opening.await,
            };
            let shows_outage = is_repeated || begun.elapsed() >= LONG;
            if shows_outage && opened.as_ref().is_err_and(OperationError::is_outage) {
                *self.failed() = Some(Instant::now());
            }
            opened
        };
        self.value.get_or_try_init(attempt).await
    }

    fn has_failed_recently(&self) -> bool {
        self.failed()
            .is_some_and(|failed| failed.elapsed() < FAILED_RECENTLY)
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CatalogError, CatalogErrorKind};

    fn failure(kind: CatalogErrorKind) -> OperationError {
        CatalogError::new(kind, "read record", "organization").into()
    }

    /// A request that the client's policy tries for 27 s.
    async fn unreachable() -> Result<u8, OperationError> {
        let tries = OperationContext::current().max_tries;
        if tries != Some(1) {
            tokio::time::sleep(Duration::from_secs(27)).await;
        }
        Err(failure(CatalogErrorKind::Unavailable))
    }

    #[tokio::test(start_paused = true)]
    async fn callers_of_a_server_that_is_unreachable_wait_for_one_of_them() {
        let value = OpenOnce::<u8>::default();
        let begun = Instant::now();
        let callers = (0..10).map(|_| value.get_or_try_init(unreachable));
        let failed = futures_util::future::join_all(callers).await;
        assert!(failed.iter().all(Result::is_err));
        assert_eq!(begun.elapsed(), Duration::from_secs(27));

        // The next ten of a plan begin when these have failed.
        let callers = (0..10).map(|_| value.get_or_try_init(unreachable));
        futures_util::future::join_all(callers).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(27));

        // A long-lived process goes through all retries again later.
        tokio::time::advance(FAILED_RECENTLY).await;
        let failed = value.get_or_try_init(unreachable).await;
        assert!(failed.is_err());
        assert_eq!(begun.elapsed(), Duration::from_secs(64));
        let opened = value.get_or_try_init(async || Ok(7)).await;
        assert_eq!(opened.ok(), Some(&7));
        assert_eq!(value.get(), Some(&7));
    }

    #[tokio::test(start_paused = true)]
    async fn another_failure_and_one_for_want_of_time_take_no_retry_away() {
        let value = OpenOnce::<u8>::default();
        let denied = async || Err(failure(CatalogErrorKind::PermissionDenied));
        assert!(value.get_or_try_init(denied).await.is_err());
        let hurried = async || Err(failure(CatalogErrorKind::Unavailable));
        assert!(value.get_or_try_init(hurried).await.is_err());
        let tries = async || {
            assert_eq!(OperationContext::current().max_tries, None);
            Ok(1)
        };
        assert!(value.get_or_try_init(tries).await.is_ok());
    }
}
