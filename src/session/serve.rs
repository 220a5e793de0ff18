//! Serves resources, data sources and ephemeral resources with the provider's session, and
//! bounds their requests by the call's deadline.

use std::time::Duration;

use async_trait::async_trait;

use super::deadline::{READ_TIMEOUT, TIMEOUTS, interrupt, limited};
use super::traits::{Call, Planning, SessionDataSource, SessionEphemeralResource, SessionResource};
use super::{OtherKeys, Session, SessionState};
use crate::diagnostics::{not_opened, not_refreshed};
use planton_plugin::{
    ApplyResponse, Context, CreateRequest, DataSource, DeleteRequest, DeleteResponse, Diagnostic,
    Diagnostics, EphemeralResource, IdentitySchema, ImportRequest, ImportResponse, OpenRequest,
    OpenResponse, PlanDestroyRequest, PlanDestroyResponse, PlanRequest, PlanResponse,
    ReadDataRequest, ReadDataResponse, ReadRequest, ReadResponse, Resource, Schema, Timeouts,
    UpdateRequest, Value,
};

/// Serves a resource, a data source or an ephemeral resource with the session of its provider.
#[derive(Clone, Debug)]
pub(crate) struct WithSession<T> {
    served: T,
    session: Session,
}

impl<T> WithSession<T> {
    /// Serves `served` with `session`.
    pub(crate) fn new(served: T, session: Session) -> Self {
        Self { served, session }
    }
}

impl<T> WithSession<T> {
    /// Starts a call that requires a session.
    fn call(&self, cx: &Context) -> Result<Call, Diagnostic> {
        let session = self.session.ready()?;
        session.planned_names.end();
        Ok(Call {
            session,
            interrupt: interrupt(cx),
        })
    }

    fn planning(&self) -> Planning {
        let state = self.session.state();
        Planning {
            defaults: state.defaults(),
            session: match state {
                SessionState::Ready(session) => Some(session),
                SessionState::Unknown(_) | SessionState::Unconfigured => None,
            },
        }
    }
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
        if let SessionState::Unknown(unconnected) = self.session.state() {
            return Ok(ReadResponse {
                diagnostics: not_refreshed(&unconnected.unknown).into(),
                ..ReadResponse::current(request.state)
            });
        }
        let session = self.session.ready()?;
        Ok(limited(cx, self.served.read(&session, request)).await?)
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Result<PlanResponse, Diagnostics> {
        let planning = self.planning();
        Ok(limited(cx, self.served.plan(&planning, request)).await?)
    }

    async fn plan_destroy(
        &self,
        cx: &Context,
        request: PlanDestroyRequest,
    ) -> Result<PlanDestroyResponse, Diagnostics> {
        let planning = self.planning();
        Ok(limited(cx, self.served.plan_destroy(&planning, request)).await?)
    }

    async fn create(
        &self,
        cx: &Context,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        let call = self.call(cx)?;
        let mut created = limited(cx, self.served.create(&call, request)).await?;
        // An organization that an apply creates has no escrow keys yet.
        let advice = call.session.advice_at_first_use(OtherKeys::None);
        created.diagnostics.extend(advice);
        Ok(created)
    }

    async fn update(
        &self,
        cx: &Context,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        let call = self.call(cx)?;
        Ok(limited(cx, self.served.update(&call, request)).await?)
    }

    async fn delete(
        &self,
        cx: &Context,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostics> {
        let call = self.call(cx)?;
        Ok(limited(cx, self.served.delete(&call, request)).await?)
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
        let unknown = match self.session.state() {
            SessionState::Unknown(unconnected) => unconnected.unknown.clone(),
            SessionState::Ready(session) => self
                .served
                .unknown_defaults(&session.defaults, &request.config),
            SessionState::Unconfigured => Vec::new(),
        };
        if !unknown.is_empty() {
            return match request.may_be_unknown {
                true => Ok(OpenResponse::opened(self.served.unknown(request.config))),
                false => Err(not_opened(E::NOUN, &unknown).into()),
            };
        }
        let session = self.session.ready()?;
        let open = self.served.open(&session, request.config);
        Ok(OpenResponse::opened(limited(cx, open).await?))
    }
}
