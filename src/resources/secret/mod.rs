//! `planton_secret`.

mod apply;
mod destruction;
mod drift;
mod import;
mod plan;
mod replacement;
mod schema;
mod settings;
mod source;
mod state;
mod validate;

use async_trait::async_trait;

use crate::session::{Call, Configured, Planning, SessionResource};
use planton_plugin::{
    ApplyResponse, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic, Diagnostics,
    IdentitySchema, ImportResponse, ImportTarget, PlanDestroyRequest, PlanDestroyResponse,
    PlanRequest, PlanResponse, ReadRequest, ReadResponse, Schema, UpdateRequest, Value,
};

/// The resource `planton_secret`.
#[derive(Clone, Copy, Debug)]
pub struct SecretResource;

#[async_trait]
impl SessionResource for SecretResource {
    const TYPE_NAME: &'static str = "planton_secret";
    const NOUN: &'static str = "the secret";

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> IdentitySchema {
        schema::identity_schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate::validate(config)
    }

    async fn read(&self, call: Call, request: ReadRequest) -> Result<ReadResponse, Diagnostic> {
        drift::read(&call.session, request).await
    }

    async fn plan(
        &self,
        planning: Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        plan::plan(&schema::schema(), request, &planning).await
    }

    async fn plan_destroy(
        &self,
        planning: Planning,
        request: PlanDestroyRequest,
    ) -> Result<PlanDestroyResponse, Diagnostic> {
        destruction::plan_destroy(request, planning.session.as_deref()).await
    }

    async fn create(
        &self,
        call: Call,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostic> {
        apply::create(&call, request).await
    }

    async fn update(
        &self,
        call: Call,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostic> {
        apply::update(&call, request).await
    }

    async fn delete(
        &self,
        call: Call,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostic> {
        apply::delete(&call, request).await
    }

    async fn import(
        &self,
        session: &Configured,
        target: ImportTarget,
    ) -> Result<ImportResponse, Diagnostic> {
        import::import(session, target).await
    }
}
