//! Runs resources, data sources and ephemeral resources with a session that is ready,
//! and with every request inside bounded by the call's deadline.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Configured, PartlyKnown, Session, SessionState};
use crate::diagnostics::{not_opened, not_refreshed};
use planton_core::deadline::RequestLimits;
use planton_core::operations::Interrupt;
use planton_plugin::{
    ApplyResponse, Context, CreateRequest, DataSource, DeleteRequest, DeleteResponse, Diagnostic,
    Diagnostics, EphemeralResource, IdentitySchema, ImportRequest, ImportResponse, ImportTarget,
    OpenRequest, OpenResponse, PlanDestroyRequest, PlanDestroyResponse, PlanRequest, PlanResponse,
    ReadDataRequest, ReadDataResponse, ReadRequest, ReadResponse, Resource, Schema, Timeouts,
    UpdateRequest, Value,
};

/// Default time limits of every resource.
pub const TIMEOUTS: Timeouts = Timeouts {
    attribute: "timeouts",
    create: Duration::from_mins(10),
    read: READ_TIMEOUT,
    update: Duration::from_mins(10),
    delete: Duration::from_mins(10),
};

/// Time limit of a call that writes nothing.
pub const READ_TIMEOUT: Duration = Duration::from_mins(5);

/// What a call of a resource runs with.
#[derive(Clone, Debug)]
pub struct Call {
    /// The configuration in effect.
    pub session: Arc<Configured>,
    /// When to stop between two steps.
    pub interrupt: Interrupt,
}

/// What a plan runs with: part of the provider's configuration may be unknown.
#[derive(Clone, Debug)]
pub struct Planning {
    /// What is known of the provider's defaults.
    pub defaults: PartlyKnown,
    /// `None` while part of the provider's configuration is unknown.
    pub session: Option<Arc<Configured>>,
    /// When to stop between two steps.
    pub interrupt: Interrupt,
}

/// A resource whose calls run with a session that is ready.
#[async_trait]
pub trait SessionResource: Send + Sync + Debug + 'static {
    /// The full name: `planton_secret`.
    const TYPE_NAME: &'static str;
    /// The noun that messages use for one instance: `the secret`.
    const NOUN: &'static str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Returns the schema of the identity.
    fn identity_schema(&self) -> IdentitySchema;

    /// Checks a configuration without any I/O; parts may be unknown.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// Reads the current state.
    async fn read(&self, call: Call, request: ReadRequest) -> Result<ReadResponse, Diagnostic>;

    /// Plans a creation or an update.
    async fn plan(
        &self,
        planning: Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic>;

    /// Plans a destruction. An error rejects it.
    async fn plan_destroy(
        &self,
        _planning: Planning,
        _request: PlanDestroyRequest,
    ) -> Result<PlanDestroyResponse, Diagnostic> {
        Ok(PlanDestroyResponse::default())
    }

    /// Creates the instance.
    async fn create(&self, call: Call, request: CreateRequest)
    -> Result<ApplyResponse, Diagnostic>;

    /// Changes the instance in place.
    async fn update(&self, call: Call, request: UpdateRequest)
    -> Result<ApplyResponse, Diagnostic>;

    /// Destroys the instance.
    async fn delete(
        &self,
        call: Call,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostic>;

    /// Imports an existing instance.
    async fn import(
        &self,
        session: &Configured,
        target: ImportTarget,
    ) -> Result<ImportResponse, Diagnostic>;
}

/// A data source whose reads run with a session that is ready.
#[async_trait]
pub trait SessionDataSource: Send + Sync + Debug + 'static {
    /// The full name: `planton_secret`.
    const TYPE_NAME: &'static str;
    /// The noun that messages use for what it reads: `the secret`.
    const NOUN: &'static str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any I/O; parts may be unknown.
    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Returns the configuration with its computed attributes.
    async fn read(&self, session: &Configured, config: Value) -> Result<Value, Diagnostic>;
}

/// An ephemeral resource that opens with a session that is ready.
#[async_trait]
pub trait SessionEphemeralResource: Send + Sync + Debug + 'static {
    /// The full name: `planton_secret`.
    const TYPE_NAME: &'static str;
    /// The noun that messages use for one instance: `the secret`.
    const NOUN: &'static str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any I/O; parts may be unknown.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// Returns the configuration with its computed attributes.
    async fn open(&self, session: &Configured, config: Value) -> Result<Value, Diagnostic>;

    /// Returns the result while part of the provider's configuration is unknown.
    fn unknown(&self, config: Value) -> Value;
}

/// Serves one of these three with the session of its provider.
#[derive(Clone, Debug)]
pub struct WithSession<T> {
    served: T,
    session: Session,
}

impl<T> WithSession<T> {
    /// Serves `served` with `session`.
    #[must_use]
    pub fn new(served: T, session: Session) -> Self {
        Self { served, session }
    }
}

/// Runs `call` with the deadline and the cancellation of `cx` on every request inside it.
/// No request and no retry begins after either of them; a request in flight ends by
/// itself, since it may be a commit.
pub async fn limited<T>(cx: &Context, call: impl Future<Output = T>) -> T {
    let limits = RequestLimits {
        deadline: cx.deadline,
        cancellation: Some(cx.cancellation.clone()),
        ..RequestLimits::default()
    };
    // On the heap: a call is larger than its caller should carry along.
    limits.scope(Box::pin(call)).await
}

impl<T> WithSession<T> {
    /// Begins a call that needs a session.
    fn call(&self, cx: &Context) -> Result<Call, Diagnostic> {
        Ok(Call {
            session: self.session.ready()?,
            interrupt: interrupt(cx),
        })
    }

    fn planning(&self, cx: &Context) -> Planning {
        let state = self.session.state();
        Planning {
            defaults: state.defaults(),
            session: match state {
                SessionState::Ready(session) => Some(session),
                SessionState::Unknown(_) | SessionState::Unconfigured => None,
            },
            interrupt: interrupt(cx),
        }
    }
}

fn interrupt(cx: &Context) -> Interrupt {
    Interrupt::new(cx.cancellation.clone(), cx.deadline)
}

#[async_trait]
impl<R: SessionResource> Resource for WithSession<R> {
    fn type_name(&self) -> &'static str {
        R::TYPE_NAME
    }

    fn schema(&self) -> Schema {
        self.served.schema()
    }

    fn noun(&self) -> &'static str {
        R::NOUN
    }

    fn timeouts(&self) -> Option<Timeouts> {
        Some(TIMEOUTS)
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        Some(self.served.identity_schema())
    }

    async fn validate_config(&self, _cx: &Context, config: &Value) -> Diagnostics {
        self.served.validate(config)
    }

    async fn read(&self, cx: &Context, request: ReadRequest) -> Result<ReadResponse, Diagnostics> {
        if let SessionState::Unknown(_) = self.session.state() {
            return Ok(ReadResponse {
                diagnostics: not_refreshed().into(),
                ..ReadResponse::current(request.state)
            });
        }
        let call = self.call(cx)?;
        Ok(limited(cx, self.served.read(call, request)).await?)
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Result<PlanResponse, Diagnostics> {
        let planning = self.planning(cx);
        Ok(limited(cx, self.served.plan(planning, request)).await?)
    }

    async fn plan_destroy(
        &self,
        cx: &Context,
        request: PlanDestroyRequest,
    ) -> Result<PlanDestroyResponse, Diagnostics> {
        let planning = self.planning(cx);
        Ok(limited(cx, self.served.plan_destroy(planning, request)).await?)
    }

    async fn create(
        &self,
        cx: &Context,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        let call = self.call(cx)?;
        Ok(limited(cx, self.served.create(call, request)).await?)
    }

    async fn update(
        &self,
        cx: &Context,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        let call = self.call(cx)?;
        Ok(limited(cx, self.served.update(call, request)).await?)
    }

    async fn delete(
        &self,
        cx: &Context,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostics> {
        let call = self.call(cx)?;
        Ok(limited(cx, self.served.delete(call, request)).await?)
    }

    async fn import(
        &self,
        cx: &Context,
        request: ImportRequest,
    ) -> Result<ImportResponse, Diagnostics> {
        let session = self.session.ready()?;
        Ok(limited(cx, self.served.import(&session, request.target)).await?)
    }
}

#[async_trait]
impl<D: SessionDataSource> DataSource for WithSession<D> {
    fn type_name(&self) -> &'static str {
        D::TYPE_NAME
    }

    fn schema(&self) -> Schema {
        self.served.schema()
    }

    fn noun(&self) -> &'static str {
        D::NOUN
    }

    fn timeout(&self) -> Option<Duration> {
        Some(READ_TIMEOUT)
    }

    async fn validate_config(&self, _cx: &Context, config: &Value) -> Diagnostics {
        self.served.validate(config)
    }

    async fn read(
        &self,
        cx: &Context,
        request: ReadDataRequest,
    ) -> Result<ReadDataResponse, Diagnostics> {
        let session = self.session.ready()?;
        let read = self.served.read(&session, request.config);
        Ok(ReadDataResponse::found(limited(cx, read).await?))
    }
}

#[async_trait]
impl<E: SessionEphemeralResource> EphemeralResource for WithSession<E> {
    fn type_name(&self) -> &'static str {
        E::TYPE_NAME
    }

    fn schema(&self) -> Schema {
        self.served.schema()
    }

    fn noun(&self) -> &'static str {
        E::NOUN
    }

    fn timeout(&self) -> Option<Duration> {
        Some(READ_TIMEOUT)
    }

    async fn validate_config(&self, _cx: &Context, config: &Value) -> Diagnostics {
        self.served.validate(config)
    }

    async fn open(&self, cx: &Context, request: OpenRequest) -> Result<OpenResponse, Diagnostics> {
        if let SessionState::Unknown(_) = self.session.state() {
            return match request.may_be_unknown {
                true => Ok(OpenResponse::opened(self.served.unknown(request.config))),
                false => Err(not_opened(E::NOUN).into()),
            };
        }
        let session = self.session.ready()?;
        let open = self.served.open(&session, request.config);
        Ok(OpenResponse::opened(limited(cx, open).await?))
    }
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
    async fn a_call_under_a_stop_begins_no_request_and_is_not_dropped() {
        let cx = Context::new();
        cx.cancellation.cancel();
        let stop = limited(&cx, async { RequestLimits::current().stop() }).await;
        assert_eq!(stop, Some(Stop::Cancelled));
        assert!(interrupt(&cx).before("step").is_err());
    }

    #[tokio::test]
    async fn a_call_past_its_deadline_begins_no_request() {
        let cx = Context {
            deadline: Some(std::time::Instant::now()),
            ..Context::new()
        };
        let stop = limited(&cx, async { RequestLimits::current().stop() }).await;
        assert_eq!(stop, Some(Stop::DeadlinePassed));
        assert!(interrupt(&cx).before("step").is_err());
    }
}
