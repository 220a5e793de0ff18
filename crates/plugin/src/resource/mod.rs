//! Managed resources.

mod request;
mod response;

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    AttributeType, Context, Diagnostic, Diagnostics, IdentitySchema, Schema, Timeouts, Value,
};

pub use request::{
    CreateRequest, DeleteRequest, ImportRequest, ImportTarget, MoveRequest, PlanDestroyRequest,
    PlanRequest, ReadRequest, UpdateRequest, UpgradeRequest,
};
pub use response::{
    ApplyResponse, DeleteResponse, ImportResponse, PlanDestroyResponse, PlanResponse, ReadOutcome,
    ReadResponse,
};

/// A managed resource.
///
/// The runtime decodes and encodes values by the schema, sets all write-only values of
/// a response to null, and bounds every call by [`timeouts`](Self::timeouts) and by the
/// host's request to stop. Authors may return the values that they received.
///
/// # Errors
///
/// Every method that returns a `Result` fails with at least one error.
///
/// # Cancellation
///
/// The runtime drops the future of a call that only reads once its deadline has passed
/// or the host asks to stop. It never drops `create`, `update` or `delete`: those look at
/// [`Context::deadline`] and [`Context::cancellation`] between their steps.
#[async_trait]
pub trait Resource: Send + Sync + Debug + 'static {
    /// Returns the full name: `planton_secret`.
    fn type_name(&self) -> &str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Returns the noun that messages use for one instance: `the secret`.
    fn noun(&self) -> &str {
        "the resource"
    }

    /// Returns the default time limits, and the attribute that overrides them.
    /// Without them, calls have no deadline.
    fn timeouts(&self) -> Option<Timeouts> {
        None
    }

    /// Returns the schema of the identity; `None` for a resource without one.
    fn identity_schema(&self) -> Option<IdentitySchema> {
        None
    }

    /// Checks a configuration without any I/O; parts may be unknown.
    async fn validate_config(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Returns the type of states of an earlier schema version; `None` for a version
    /// that never existed.
    fn prior_type(&self, _version: i64) -> Option<AttributeType> {
        None
    }

    /// Converts a state of an earlier schema version. Never called for the current
    /// version.
    async fn upgrade_state(
        &self,
        _cx: &Context,
        request: UpgradeRequest,
    ) -> Result<Value, Diagnostics> {
        let version = request.version;
        Err(Diagnostic::bug(format!("No upgrade from state version {version}.")).into())
    }

    /// Converts an identity of an earlier version.
    async fn upgrade_identity(
        &self,
        _cx: &Context,
        request: UpgradeRequest,
    ) -> Result<Value, Diagnostics> {
        let version = request.version;
        Err(Diagnostic::bug(format!("No upgrade from identity version {version}.")).into())
    }

    /// Returns the type of identities of an earlier version.
    fn prior_identity_type(&self, _version: i64) -> Option<AttributeType> {
        None
    }

    /// Reads the current state.
    async fn read(&self, cx: &Context, request: ReadRequest) -> Result<ReadResponse, Diagnostics>;

    /// Plans a creation (prior state null) or an update.
    async fn plan(&self, cx: &Context, request: PlanRequest) -> Result<PlanResponse, Diagnostics>;

    /// Plans a destruction. An error rejects it.
    async fn plan_destroy(
        &self,
        _cx: &Context,
        _request: PlanDestroyRequest,
    ) -> Result<PlanDestroyResponse, Diagnostics> {
        Ok(PlanDestroyResponse::default())
    }

    /// Creates the instance.
    async fn create(
        &self,
        cx: &Context,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostics>;

    /// Changes the instance in place.
    async fn update(
        &self,
        cx: &Context,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostics>;

    /// Destroys the instance.
    async fn delete(
        &self,
        cx: &Context,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostics>;

    /// Imports an existing instance. The host reads right after, so the state needs only
    /// the attributes that [`read`](Self::read) uses.
    async fn import(
        &self,
        _cx: &Context,
        _request: ImportRequest,
    ) -> Result<ImportResponse, Diagnostics> {
        Err(Diagnostic::error(
            "Resource Import Not Supported",
            "This resource type can't be imported.",
        )
        .into())
    }

    /// Converts the state of another resource type (a `moved` block).
    async fn move_state(
        &self,
        _cx: &Context,
        request: MoveRequest,
    ) -> Result<ImportResponse, Diagnostics> {
        Err(Diagnostic::error(
            "Resource Move Not Supported",
            format!(
                "A {} can't become this resource type.",
                request.source_type_name
            ),
        )
        .into())
    }
}
