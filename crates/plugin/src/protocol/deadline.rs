//! Bounds a call by its deadline and by the host's request to stop.

use std::time::Duration;

use crate::{Context, Diagnostic, Diagnostics};

/// How long a request that is in flight at the deadline may take to return the reason
/// for the delay, such as a quota. That is more useful than the passed deadline alone.
const GRACE: Duration = Duration::from_secs(1);

/// Runs a call that commits nothing. Drops it shortly after its deadline, and as soon as
/// the host asks to stop. Messages name the call by `verb` and `noun`: `reading`, `the secret`.
pub(super) async fn bound_read<T>(
    cx: &Context,
    (verb, noun): (&str, &str),
    call: impl Future<Output = Result<T, Diagnostics>>,
) -> Result<T, Diagnostics> {
    let late = async {
        match cx.deadline {
            Some(deadline) => tokio::time::sleep_until((deadline + GRACE).into()).await,
            None => std::future::pending().await,
        }
    };
    let step = || format!("{verb} {noun}");
    // A call that is done counts, however late.
    tokio::select! {
        biased;
        done = call => done,
        () = late => Err(Diagnostic::timed_out(step()).into()),
        () = cx.cancellation.cancelled() => Err(Diagnostic::cancelled(step()).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn summary(done: Result<(), Diagnostics>) -> Option<String> {
        let failed = done.err()?;
        failed.iter().next().map(|told| told.summary.clone())
    }

    #[tokio::test]
    async fn a_read_ends_at_its_deadline_and_at_a_stop() {
        let cx = Context::new().within(Some(Duration::ZERO));
        let late = bound_read(&cx, ("reading", "the test"), pending()).await;
        assert_eq!(summary(late).as_deref(), Some("Operation Timed Out"));

        let cx = Context::new().within(Some(Duration::from_mins(5)));
        cx.cancellation.cancel();
        let stopped = bound_read(&cx, ("reading", "the test"), pending()).await;
        assert_eq!(summary(stopped).as_deref(), Some("Operation Cancelled"));
        let done = bound_read(&cx, ("reading", "the test"), ready(Ok(7))).await;
        assert_eq!(done, Ok(7), "a call that is done counts");
    }

    #[tokio::test]
    async fn a_read_without_a_limit_ends_at_a_stop() {
        let cx = Context::new();
        assert_eq!(cx.deadline, None);
        cx.cancellation.cancel();
        let stopped = bound_read(&cx, ("reading", "the test"), pending()).await;
        assert_eq!(summary(stopped).as_deref(), Some("Operation Cancelled"));
    }
}
