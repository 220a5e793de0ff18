//! Reads again before it reports a version or an object as gone.

use std::time::Duration;

use super::{Absence, RemoteName, StoreError, StoreErrorKind, VersionStatus};
use crate::deadline::{OperationContext, duration_in_tests};

/// Time between two reads of a vendor whose reads are all eventually consistent.
const APART: Duration = Duration::from_secs(30);

/// Calls `look`, and calls it again after half a minute if the first result must be
/// confirmed.
///
/// It must be confirmed if a version or its object is gone and the caller acts on that.
/// Then the second result counts.
///
/// # Errors
///
/// The errors of `look`; `Unavailable` with a `Stop` as its source if the operation
/// ends before the second call.
pub async fn look_again<F>(
    absence: Absence,
    asked: (&'static str, &RemoteName),
    look: impl Fn() -> F,
) -> Result<VersionStatus, StoreError>
where
    F: Future<Output = Result<VersionStatus, StoreError>>,
{
    // The variable has an effect in debug builds only.
    let apart = duration_in_tests("PLANTON_TEST_ABSENCE_WAIT_MS", APART);
    look_again_after(apart, absence, asked, look).await
}

async fn look_again_after<F>(
    apart: Duration,
    absence: Absence,
    (operation, name): (&'static str, &RemoteName),
    look: impl Fn() -> F,
) -> Result<VersionStatus, StoreError>
where
    F: Future<Output = Result<VersionStatus, StoreError>>,
{
    let first = look().await;
    let is_gone = match &first {
        Ok(status) => *status != VersionStatus::Present,
        Err(error) => error.kind() == StoreErrorKind::NotFound,
    };
    if !is_gone || absence == Absence::Quick {
        return first;
    }
    let context = OperationContext::current();
    tracing::info!(
        object = name.as_str(),
        "reading again before the version is reported as gone"
    );
    if let Err(stop) = context.pause(apart).await {
        let kind = StoreErrorKind::Unavailable;
        return Err(StoreError::new(kind, operation, name.as_str()).with_source(stop));
    }
    look().await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use super::*;
    use crate::deadline::Stop;

    const WAIT: Duration = Duration::from_millis(20);

    /// Returns the result for these responses of `look`, and the number of calls.
    async fn outcome(
        absence: Absence,
        context: OperationContext,
        looks: &[Result<VersionStatus, StoreErrorKind>],
    ) -> (Result<VersionStatus, StoreError>, usize) {
        let name = RemoteName::new("db".to_owned());
        let made = AtomicUsize::new(0);
        let look = || {
            let look = looks[made.fetch_add(1, Ordering::SeqCst)];
            std::future::ready(look.map_err(|kind| StoreError::new(kind, "look", "db")))
        };
        let found = look_again_after(WAIT, absence, ("look", &name), look);
        let found = context.scope(found).await;
        (found, made.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn absence_is_looked_at_twice_where_it_is_acted_on() {
        use VersionStatus::{Missing, Present, Replaced};
        let gone = Err(StoreErrorKind::NotFound);
        for (looks, expected) in [
            ([gone, Ok(Present)], Ok(Present)),
            ([Ok(Missing), Ok(Present)], Ok(Present)),
            ([Ok(Replaced), gone], gone),
            ([gone, gone], gone),
        ] {
            let before = Instant::now();
            let (found, made) =
                outcome(Absence::Confirmed, OperationContext::default(), &looks).await;
            assert_eq!((found.map_err(|error| error.kind()), made), (expected, 2));
            assert!(before.elapsed() >= WAIT);
            let (found, made) = outcome(Absence::Quick, OperationContext::default(), &looks).await;
            assert_eq!((found.map_err(|error| error.kind()), made), (looks[0], 1));
        }
        // A present version and an error other than `NotFound` need no second read.
        for look in [Ok(Present), Err(StoreErrorKind::PermissionDenied)] {
            let (found, made) =
                outcome(Absence::Confirmed, OperationContext::default(), &[look]).await;
            assert_eq!((found.map_err(|error| error.kind()), made), (look, 1));
        }
    }

    #[tokio::test]
    async fn an_operation_without_the_time_for_a_second_look_believes_nothing() {
        let context = OperationContext {
            deadline: Some(Instant::now() + WAIT / 2),
            ..OperationContext::default()
        };
        let gone = Err(StoreErrorKind::NotFound);
        let (found, made) = outcome(Absence::Confirmed, context, &[gone]).await;
        let error = found.unwrap_err();
        assert_eq!((error.kind(), made), (StoreErrorKind::Unavailable, 1));
        assert_eq!(Stop::beneath(&error), Some(Stop::DeadlinePassed));
    }
}
