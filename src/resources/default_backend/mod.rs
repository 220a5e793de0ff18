//! `planton_default_backend`: at most one for an organization.

mod apply;
mod drift;
mod former_default;
mod import;
mod plan;
mod schema;
mod state;

use async_trait::async_trait;

use crate::diagnostics::invalid_slug;
use crate::session::{Call, Configured, Planning, SessionResource};
use planton_core::names::Slug;
use planton_plugin::{
    ApplyResponse, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic, Diagnostics,
    IdentitySchema, ImportResponse, ImportTarget, PlanRequest, PlanResponse, ReadRequest,
    ReadResponse, Schema, UpdateRequest, Value,
};

/// The resource `planton_default_backend`.
#[derive(Clone, Copy, Debug)]
pub struct DefaultBackendResource;

#[async_trait]
impl SessionResource for DefaultBackendResource {
    const TYPE_NAME: &'static str = "planton_default_backend";
    const NOUN: &'static str = "the default backend";

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> IdentitySchema {
        schema::identity_schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let text = config.attribute("backend").as_str();
        let invalid = text.filter(|text| Slug::parse(text).is_err());
        let invalid = invalid.map(|text| invalid_slug("The backend", text, "backend"));
        invalid.into_iter().collect()
    }

    async fn read(&self, call: Call, request: ReadRequest) -> Result<ReadResponse, Diagnostic> {
        drift::read(&call.session, request).await
    }

    async fn plan(
        &self,
        planning: Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        plan::plan(request, planning.session.as_deref()).await
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
