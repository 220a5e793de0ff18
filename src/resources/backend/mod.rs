//! `planton_secret_backend`.

mod apply;
mod blocks;
mod credentials;
mod drift;
mod import;
mod ownership;
mod plan;
mod replacement;
mod schema;
mod settings;
mod state;
mod validate;

use std::sync::Arc;

use async_trait::async_trait;

use crate::session::{Call, Configured, Planning, SessionResource};
use planton_core::operations::ConnectStore;
use planton_plugin::{
    ApplyResponse, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic, Diagnostics,
    IdentitySchema, ImportResponse, ImportTarget, PlanRequest, PlanResponse, ReadRequest,
    ReadResponse, Schema, UpdateRequest, Value,
};

/// The resource `planton_secret_backend`.
#[derive(Clone, Debug)]
pub struct SecretBackendResource {
    connector: Arc<dyn ConnectStore>,
}

impl SecretBackendResource {
    /// Makes the resource; `connector` checks settings before anything is configured.
    #[must_use]
    pub fn new(connector: Arc<dyn ConnectStore>) -> Self {
        Self { connector }
    }
}

#[async_trait]
impl SessionResource for SecretBackendResource {
    const TYPE_NAME: &'static str = "planton_secret_backend";
    const NOUN: &'static str = "the backend";

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> IdentitySchema {
        schema::identity_schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate::validate(config, self.connector.as_ref())
    }

    async fn read(&self, call: Call, request: ReadRequest) -> Result<ReadResponse, Diagnostic> {
        drift::read(&call.session, request).await
    }

    async fn plan(
        &self,
        planning: Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        plan::plan(&schema::schema(), request, planning.session.as_deref()).await
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
