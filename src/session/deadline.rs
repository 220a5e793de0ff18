//! Deadlines: the default time limits, and the one place that bounds every request of a call.

use std::time::Duration;

use planton_core::deadline::OperationContext;
use planton_core::operations::Interrupt;
use planton_plugin::{Context, Timeouts};

/// Default time limits of every resource.
pub(crate) const TIMEOUTS: Timeouts = Timeouts {
    attribute: "timeouts",
    create: Duration::from_mins(10),
    read: READ_TIMEOUT,
    update: Duration::from_mins(10),
    delete: Duration::from_mins(10),
};

/// Time limit of a call that only reads.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_mins(5);

/// Runs `call`, and bounds each of its requests by the deadline and the cancellation of `cx`.
/// No request or retry starts after either of them. A request in flight is not dropped,
/// since it may be a commit.
pub(crate) async fn limited<T>(cx: &Context, call: impl Future<Output = T>) -> T {
    let context = OperationContext {
        deadline: cx.deadline,
        cancellation: Some(cx.cancellation.clone()),
        ..OperationContext::default()
    };
    // Boxed, since the future of a call is large.
    context.scope(Box::pin(call)).await
}

/// Returns the interrupt of a use case that runs within this call.
pub(super) fn interrupt(cx: &Context) -> Interrupt {
    Interrupt::new(cx.cancellation.clone(), cx.deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_core::deadline::Stop;

    #[test]
    fn calls_have_ten_minutes_by_default_and_reads_have_five() {
        let limits = [
            TIMEOUTS.create,
            TIMEOUTS.read,
            TIMEOUTS.update,
            TIMEOUTS.delete,
        ];
        assert_eq!(limits.map(|limit| limit.as_secs() / 60), [10, 5, 10, 10]);
        assert_eq!(READ_TIMEOUT, Duration::from_mins(5));
    }

    #[tokio::test]
    async fn a_cancelled_call_starts_no_request_and_is_not_dropped() {
        let cx = Context::new();
        cx.cancellation.cancel();
        let stop = limited(&cx, async { OperationContext::current().stop() }).await;
        assert_eq!(stop, Some(Stop::Cancelled));
        assert!(interrupt(&cx).before("step").is_err());
    }

    #[tokio::test]
    async fn a_call_past_its_deadline_starts_no_request() {
        let cx = Context {
            deadline: Some(std::time::Instant::now()),
            ..Context::new()
        };
        let stop = limited(&cx, async { OperationContext::current().stop() }).await;
        assert_eq!(stop, Some(Stop::DeadlinePassed));
        assert!(interrupt(&cx).before("step").is_err());
    }
}
