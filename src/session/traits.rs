//! Traits of resources, data sources and ephemeral resources that run with a session.
//!
//! A resource implements one trait in each of its files: [`Refresh`] in `drift.rs`, [`Plan`]
//! in `plan.rs`, [`Apply`] in `apply.rs`, [`Import`] in `import.rs`, and [`SessionResource`]
//! in `mod.rs`.
//!
//! # Errors
//!
//! Every method that returns a `Result` fails with the diagnostic to print.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Configured, PartlyKnown};
use crate::diagnostics::explain;
use planton_core::operations::Interrupt;
use planton_plugin::{
    ApplyResponse, AttributePath, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic,
    Diagnostics, IdentitySchema, ImportResponse, ImportTarget, PlanDestroyRequest,
    PlanDestroyResponse, PlanRequest, PlanResponse, ReadRequest, ReadResponse, Schema,
    UpdateRequest, Value,
};

/// Session and interrupt of a call that applies a change.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The configuration in effect.
    pub(crate) session: Arc<Configured>,
    /// Checked between two steps.
    pub(crate) interrupt: Interrupt,
}

/// Session of a plan. Part of the provider's configuration may be unknown.
#[derive(Clone, Debug)]
pub(crate) struct Planning {
    /// The known part of the provider's defaults.
    pub(crate) defaults: PartlyKnown,
    /// `None` while part of the provider's configuration is unknown.
    pub(crate) session: Option<Arc<Configured>>,
}

/// Refresh of a resource.
#[async_trait]
pub(crate) trait Refresh {
    /// Reads the current state.
    async fn read(
        &self,
        session: &Configured,
        request: ReadRequest,
    ) -> Result<ReadResponse, Diagnostic>;
}

/// Plan of a resource.
#[async_trait]
pub(crate) trait Plan {
    /// Checks the known part of the configuration against the platform, before anything is
    /// planned. Returns warnings.
    async fn check(
        &self,
        session: &Configured,
        request: &PlanRequest,
    ) -> Result<Diagnostics, Diagnostic>;

    /// Plans a creation, or the second half of a replacement.
    async fn plan_creation(
        &self,
        planning: &Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic>;

    /// Plans an update in place, or the first half of a replacement.
    async fn plan_update(
        &self,
        planning: &Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic>;

    /// Plans a destruction. An error rejects it.
    async fn plan_destroy(
        &self,
        _planning: &Planning,
        _request: PlanDestroyRequest,
    ) -> Result<PlanDestroyResponse, Diagnostic> {
        Ok(PlanDestroyResponse::default())
    }

    /// Plans a creation or an update, after the check.
    async fn plan(
        &self,
        planning: &Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        let warnings = match &planning.session {
            Some(session) => {
                if request.prior_state.is_null() {
                    let pinned = session.organization.expect_pinned_one().await;
                    pinned.map_err(|error| explain(&error))?;
                }
                self.check(session, &request).await?
            }
            None => Diagnostics::new(),
        };
        let mut response = if request.prior_state.is_null() {
            self.plan_creation(planning, request).await?
        } else {
            self.plan_update(planning, request).await?
        };
        response.diagnostics.extend(warnings);
        Ok(response)
    }
}

/// Apply of a resource.
#[async_trait]
pub(crate) trait Apply {
    /// Creates the instance.
    async fn create(
        &self,
        call: &Call,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostic>;

    /// Changes the instance in place.
    async fn update(
        &self,
        call: &Call,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostic>;

    /// Destroys the instance.
    async fn delete(
        &self,
        call: &Call,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostic>;
}

/// Import of a resource.
#[async_trait]
pub(crate) trait Import {
    /// Imports an existing instance.
    async fn import(
        &self,
        session: &Configured,
        target: ImportTarget,
    ) -> Result<ImportResponse, Diagnostic>;
}

/// Resource whose calls run with a session.
pub(crate) trait SessionResource:
    Refresh + Plan + Apply + Import + Send + Sync + Debug + 'static
{
    /// Full name: `planton_secret`.
    const TYPE_NAME: &'static str;
    /// Noun for one instance in messages: `the secret`.
    const NOUN: &'static str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Returns the schema of the identity.
    fn identity_schema(&self) -> IdentitySchema;

    /// Checks a configuration without any I/O. Parts of it may be unknown.
    fn validate(&self, config: &Value) -> Diagnostics;
}

/// Data source whose reads run with a session.
#[async_trait]
pub(crate) trait SessionDataSource: Send + Sync + Debug + 'static {
    /// Full name: `planton_secret`.
    const TYPE_NAME: &'static str;
    /// Noun for the object that it reads, in messages: `the secret`.
    const NOUN: &'static str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any I/O. Parts of it may be unknown.
    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Returns the configuration with its computed attributes.
    async fn read(&self, session: &Configured, config: Value) -> Result<Value, Diagnostic>;
}

/// Ephemeral resource that opens with a session.
#[async_trait]
pub(crate) trait SessionEphemeralResource: Send + Sync + Debug + 'static {
    /// Full name: `planton_secret`.
    const TYPE_NAME: &'static str;
    /// Noun for one instance in messages: `the secret`.
    const NOUN: &'static str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any I/O. Parts of it may be unknown.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// Returns the configuration with its computed attributes.
    async fn open(&self, session: &Configured, config: Value) -> Result<Value, Diagnostic>;

    /// Returns the unknown defaults of the provider that the result depends on.
    fn unknown_defaults(&self, defaults: &PartlyKnown, config: &Value) -> Vec<AttributePath>;

    /// Returns the result while part of the provider's configuration is unknown.
    fn unknown(&self, config: Value) -> Value;
}
