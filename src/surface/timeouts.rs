//! Bounds a call by its deadline and by an interrupt. Every call of a resource, a
//! data source or an ephemeral resource that may send anything runs within
//! [`Bounds`].

use std::time::{Duration, Instant};

use super::{explain, parse_duration};
use planton_core::deadline::RequestLimits;
use planton_core::operations::{Interrupt, OperationError};
use planton_plugin::{Attribute, AttributePath, Context, Diagnostic, Diagnostics, Value};

const TIMEOUTS: &str = "timeouts";

/// What a limit of the `timeouts` block is for. Refresh, plan and import read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Bounds a creation.
    Create,
    /// Bounds whatever writes nothing.
    Read,
    /// Bounds a change in place.
    Update,
    /// Bounds a deletion.
    Delete,
}

impl Timeout {
    const ALL: [Self; 4] = [Self::Create, Self::Read, Self::Update, Self::Delete];

    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn default_minutes(self) -> u64 {
        match self {
            Self::Read => 5,
            Self::Create | Self::Update | Self::Delete => 10,
        }
    }

    /// Returns the limit that a configuration, a planned state or a state has.
    #[must_use]
    pub fn of(self, configured: &Value) -> Duration {
        let text = configured.attribute(TIMEOUTS).attribute(self.name());
        let limit = text.as_str().and_then(|text| parse_duration(text).ok());
        limit.unwrap_or(Duration::from_mins(self.default_minutes()))
    }
}

/// Returns the attribute `timeouts` of a resource.
#[must_use]
pub fn timeouts_attribute() -> Attribute {
    let limits = Timeout::ALL.map(|limit| {
        let what = match limit {
            Timeout::Read => "a refresh, a plan or an import may take".to_owned(),
            Timeout::Update => "an update may take".to_owned(),
            other => format!("a {} may take", other.name()),
        };
        Attribute::string(limit.name()).optional().describe(format!(
            "Time that {what}, retries included, as `30s`, `5m` or `1h30m`. Default: `{}m`.",
            limit.default_minutes()
        ))
    });
    Attribute::object(TIMEOUTS, limits)
        .optional()
        .describe("Time limits of the operations on this resource.")
}

/// Checks the `timeouts` of a configuration.
pub fn validate_timeouts(config: &Value, diagnostics: &mut Diagnostics) {
    for limit in Timeout::ALL {
        let text = config.attribute(TIMEOUTS).attribute(limit.name());
        let Some(Err(error)) = text.as_str().map(parse_duration) else {
            continue;
        };
        diagnostics.push(
            Diagnostic::error(
                "Invalid Timeout",
                format!("timeouts.{} {error}.", limit.name()),
            )
            .at(AttributePath::attribute(TIMEOUTS).then(limit.name())),
        );
    }
}

/// How long a request that is under way at the deadline may take to say what held the
/// call up, such as a quota: that is more than the time that ran out.
const LAST_WORD: Duration = Duration::from_secs(1);

/// When a call must have ended: at its deadline, or when Terraform asks to stop.
#[derive(Clone, Debug)]
pub struct Bounds {
    context: Context,
    deadline: Instant,
}

impl Bounds {
    /// Starts the clock of a call. `configured` has the `timeouts` in force: a
    /// planned state rather than a configuration, which is without what
    /// `ignore_changes` keeps.
    #[must_use]
    pub fn new(cx: &Context, configured: &Value, timeout: Timeout) -> Self {
        Self {
            context: cx.clone(),
            deadline: Instant::now() + timeout.of(configured),
        }
    }

    /// Returns the bounds in the form that use cases look at between their steps.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        Interrupt::new(self.context.cancellation.clone(), Some(self.deadline))
    }

    /// Runs a call that commits nothing, and drops it where it stands when it is to
    /// stop; `what` names it.
    ///
    /// # Errors
    ///
    /// As the call; `Operation Timed Out`; `Operation Cancelled`.
    pub async fn reading<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, Diagnostic>>,
    ) -> Result<T, Diagnostic> {
        let stopped = |timed_out| {
            explain(&OperationError::Interrupted {
                step: what,
                timed_out,
            })
        };
        // No request is begun after the deadline, and none is waited for any longer.
        let last = self.deadline + LAST_WORD;
        let call = tokio::time::timeout_at(last.into(), self.writing(call));
        tokio::select! {
            biased;
            done = call => done.unwrap_or_else(|_| Err(stopped(true))),
            () = self.context.cancellation.cancelled() => Err(stopped(false)),
        }
    }

    /// Runs a call that may commit. A request under way is finished, since it may be
    /// the commit; no other request and no retry is begun when the call is to stop.
    ///
    /// # Errors
    ///
    /// As the call.
    pub async fn writing<T>(
        &self,
        call: impl Future<Output = Result<T, Diagnostic>>,
    ) -> Result<T, Diagnostic> {
        let limits = RequestLimits {
            deadline: Some(self.deadline),
            cancellation: Some(self.context.cancellation.clone()),
            ..RequestLimits::default()
        };
        // On the heap: a call is larger than what awaits it should carry along.
        limits.scope(Box::pin(call)).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn never() -> impl Future<Output = Result<(), Diagnostic>> {
        pending()
    }

    #[tokio::test]
    async fn a_reading_call_ends_at_its_deadline_and_at_an_interrupt() {
        let limits = Value::object([("read", Value::from("1s"))]);
        let configured = Value::object([(TIMEOUTS, limits)]);
        let cx = Context::new();
        let bounds = Bounds::new(&cx, &configured, Timeout::Read);
        let late = bounds.reading("the test", never()).await;
        assert_eq!(late.expect_err("late").summary, "Operation Timed Out");

        let bounds = Bounds::new(&cx, &Value::Null, Timeout::Read);
        cx.cancellation.cancel();
        let stopped = bounds.reading("the test", never()).await;
        assert_eq!(stopped.expect_err("stopped").summary, "Operation Cancelled");
        let done = bounds.reading("the test", async { Ok(7) }).await;
        assert_eq!(done, Ok(7), "what is done counts");
    }

    #[tokio::test]
    async fn a_writing_call_is_told_to_stop_and_not_dropped() {
        let cx = Context::new();
        cx.cancellation.cancel();
        let bounds = Bounds::new(&cx, &Value::Null, Timeout::Update);
        let call = async { Ok(RequestLimits::current().stop()) };
        let stop = bounds.writing(call).await;
        assert_eq!(stop, Ok(Some(planton_core::deadline::Stop::Cancelled)));
        assert!(bounds.interrupt().before("step").is_err());
    }

    #[test]
    fn limits_have_defaults_and_are_checked() {
        let limits = [("create", "1h30m"), ("read", "soon"), ("delete", "2m")];
        let limits = Value::object(limits.map(|(name, text)| (name, Value::from(text))));
        let configured = Value::object([(TIMEOUTS, limits)]);
        let minutes = |timeout: Timeout| timeout.of(&configured).as_secs() / 60;
        assert_eq!(Timeout::ALL.map(minutes), [90, 5, 10, 2]);
        let mut diagnostics = Diagnostics::new();
        validate_timeouts(&configured, &mut diagnostics);
        let paths: Vec<_> = diagnostics.iter().map(|told| told.path.clone()).collect();
        assert_eq!(paths, [AttributePath::attribute(TIMEOUTS).then("read")]);
    }
}
