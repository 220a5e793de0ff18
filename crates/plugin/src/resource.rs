//! Managed resources.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{
    AttributePath, AttributeType, Context, Diagnostic, Diagnostics, IdentitySchema, PrivateData,
    Schema, Value,
};
use planton_secret::SecretBytes;

/// A managed resource.
///
/// The runtime checks write-only support before anything else, decodes and
/// encodes by the schema, and nulls write-only attributes in every answer:
/// authors may return what they were given.
#[async_trait]
pub trait Resource: Send + Sync + Debug + 'static {
    /// Returns the full name: `planton_secret`.
    fn type_name(&self) -> &str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Returns what identifies an instance; `None` where nothing does.
    fn identity_schema(&self) -> Option<IdentitySchema> {
        None
    }

    /// Checks a configuration without any I/O; parts may be unknown.
    async fn validate_config(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Returns the type that states of an earlier schema version had; `None`
    /// for a version that never was.
    fn prior_type(&self, _version: i64) -> Option<AttributeType> {
        None
    }

    /// Turns a state of an earlier schema version into one of today. Never
    /// called for the current version.
    ///
    /// # Errors
    ///
    /// Why it can't be done.
    async fn upgrade_state(
        &self,
        _cx: &Context,
        request: UpgradeRequest,
    ) -> Result<Value, Diagnostics> {
        let version = request.version;
        Err(Diagnostic::bug(format!("No upgrade from state version {version}.")).into())
    }

    /// Turns an identity of an earlier version into one of today.
    ///
    /// # Errors
    ///
    /// Why it can't be done.
    async fn upgrade_identity(
        &self,
        _cx: &Context,
        request: UpgradeRequest,
    ) -> Result<Value, Diagnostics> {
        let version = request.version;
        Err(Diagnostic::bug(format!("No upgrade from identity version {version}.")).into())
    }

    /// Returns the type that identities of an earlier version had.
    fn prior_identity_type(&self, _version: i64) -> Option<AttributeType> {
        None
    }

    /// Reads what is there now.
    async fn read(&self, cx: &Context, request: ReadRequest) -> ReadResponse;

    /// Plans a creation (prior state null) or an update.
    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse;

    /// Plans a destruction, and may refuse it.
    async fn plan_destroy(
        &self,
        _cx: &Context,
        _request: PlanDestroyRequest,
    ) -> PlanDestroyResponse {
        PlanDestroyResponse::default()
    }

    /// Creates it.
    async fn create(&self, cx: &Context, request: CreateRequest) -> ApplyResponse;

    /// Changes it in place.
    async fn update(&self, cx: &Context, request: UpdateRequest) -> ApplyResponse;

    /// Destroys it.
    async fn delete(&self, cx: &Context, request: DeleteRequest) -> DeleteResponse;

    /// Brings one that exists into Terraform's hands. The host reads right
    /// after, so the state needs only what [`read`](Self::read) goes by.
    async fn import(&self, _cx: &Context, _request: ImportRequest) -> ImportResponse {
        Diagnostic::error(
            "Resource Import Not Supported",
            "This resource type can't be imported.",
        )
        .into()
    }

    /// Takes over the state of another resource type (a `moved` block).
    async fn move_state(&self, _cx: &Context, request: MoveRequest) -> ImportResponse {
        Diagnostic::error(
            "Resource Move Not Supported",
            format!(
                "A {} can't become this resource type.",
                request.source_type_name
            ),
        )
        .into()
    }
}

/// What an upgrade is told.
#[derive(Clone, Debug)]
pub struct UpgradeRequest {
    /// The version that the value was stored under.
    pub version: i64,
    /// The value, of the type that the resource names for that version.
    pub value: Value,
}

/// What [`Resource::read`] is told.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The state as it was stored.
    pub state: Value,
    /// The private data as it was stored.
    pub private: PrivateData,
    /// The identity as it was stored; null where there is none.
    pub identity: Value,
}

/// What [`Resource::read`] found.
#[derive(Clone, Debug)]
pub struct ReadResponse {
    /// What is there.
    pub outcome: ReadOutcome,
    /// New private data; `None` leaves it as it was.
    pub private: Option<PrivateData>,
    /// The identity; `None` leaves it as it was.
    pub identity: Option<Value>,
    /// Messages; at least one error with [`ReadOutcome::Failed`].
    pub diagnostics: Diagnostics,
}

/// What a read found.
#[derive(Clone, Debug)]
pub enum ReadOutcome {
    /// It is there, in this state.
    Current(Value),
    /// It is gone for certain: Terraform drops it and plans a new one.
    Gone,
    /// It could not be read; Terraform keeps the state that it has.
    Failed,
}

/// What [`Resource::plan`] is told.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// The configuration, write-only values included; parts may be unknown.
    pub config: Value,
    /// The state; null when it is to be created.
    pub prior_state: Value,
    /// The configuration, with prior values where computed attributes are not
    /// configured.
    pub proposed_state: Value,
    /// The private data as it was stored. A replacement is planned a second
    /// time with a null prior state: then this is what the first of the two
    /// plans gave.
    pub prior_private: PrivateData,
    /// What an earlier plan of this same change gave, where the host
    /// [keeps it](Context::keeps_planned_private) and plans again before it
    /// applies; `None` in every other plan. Under `create_before_destroy` the
    /// plan before the apply has neither a prior state nor prior private data,
    /// so nothing else says what is being replaced.
    pub planned_private: Option<PrivateData>,
    /// The identity as it was stored; null where there is none.
    pub prior_identity: Value,
}

/// What [`Resource::plan`] decided.
#[derive(Clone, Debug, Default)]
pub struct PlanResponse {
    /// The state to come, unknown where apply decides; `None` on failure.
    pub planned_state: Option<Value>,
    /// What can't be changed in place.
    pub requires_replace: Vec<AttributePath>,
    /// What apply is told; `None` leaves what an earlier plan of this change
    /// gave, or without one the prior data.
    pub private: Option<PrivateData>,
    /// The identity to come; `None` leaves it as it was.
    pub identity: Option<Value>,
    /// Messages; at least one error where `planned_state` is `None`.
    pub diagnostics: Diagnostics,
}

/// What [`Resource::plan_destroy`] is told.
#[derive(Clone, Debug)]
pub struct PlanDestroyRequest {
    /// The state.
    pub prior_state: Value,
    /// The private data as it was stored.
    pub prior_private: PrivateData,
    /// The identity as it was stored; null where there is none.
    pub prior_identity: Value,
}

/// What [`Resource::plan_destroy`] decided.
#[derive(Clone, Debug, Default)]
pub struct PlanDestroyResponse {
    /// What delete is told; `None` leaves the prior data.
    pub private: Option<PrivateData>,
    /// Messages; an error refuses the destruction.
    pub diagnostics: Diagnostics,
}

/// What [`Resource::create`] is told.
#[derive(Clone, Debug)]
pub struct CreateRequest {
    /// The configuration, write-only values included, wholly known.
    pub config: Value,
    /// What plan decided.
    pub planned_state: Value,
    /// What the last plan before this call gave. Hosts without protocol 6.11
    /// plan a creation under `create_before_destroy` from nothing, so what an
    /// earlier plan gave is lost there.
    pub planned_private: PrivateData,
    /// What plan gave; null where there is none.
    pub planned_identity: Value,
}

/// What [`Resource::update`] is told.
#[derive(Clone, Debug)]
pub struct UpdateRequest {
    /// The configuration, write-only values included, wholly known.
    pub config: Value,
    /// The state.
    pub prior_state: Value,
    /// What plan decided.
    pub planned_state: Value,
    /// What plan gave.
    pub planned_private: PrivateData,
    /// What plan gave; null where there is none.
    pub planned_identity: Value,
}

/// What [`Resource::create`] or [`Resource::update`] did.
#[derive(Clone, Debug, Default)]
pub struct ApplyResponse {
    /// The state to store. Next to errors it is stored as well: a failed
    /// creation becomes tainted, and what is still unknown becomes null.
    /// `None` leaves what was there before: nothing, or the prior state.
    pub new_state: Option<Value>,
    /// The private data to store; `None` leaves what was planned.
    pub private: Option<PrivateData>,
    /// The identity; `None` leaves what was planned.
    pub identity: Option<Value>,
    /// Messages; at least one error where `new_state` is `None`.
    pub diagnostics: Diagnostics,
}

/// What [`Resource::delete`] is told.
#[derive(Clone, Debug)]
pub struct DeleteRequest {
    /// The state.
    pub prior_state: Value,
    /// What the plan of the destruction gave.
    pub planned_private: PrivateData,
    /// The identity; null where there is none.
    pub prior_identity: Value,
}

/// What [`Resource::delete`] did. Without an error it is gone.
#[derive(Clone, Debug, Default)]
pub struct DeleteResponse {
    /// The state to keep next to an error; `None` keeps the prior one.
    pub remaining_state: Option<Value>,
    /// The private data to keep next to an error; `None` keeps what it was.
    pub private: Option<PrivateData>,
    /// Messages.
    pub diagnostics: Diagnostics,
}

/// What [`Resource::import`] is told.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// What to import.
    pub target: ImportTarget,
}

/// What an import names.
#[derive(Clone, Debug)]
pub enum ImportTarget {
    /// Text, in a form of the resource's own.
    Id(String),
    /// An identity, of the resource's identity schema.
    Identity(Value),
}

/// What [`Resource::import`] or [`Resource::move_state`] gave.
#[derive(Clone, Debug, Default)]
pub struct ImportResponse {
    /// The instance; `None` on failure.
    pub imported: Option<Imported>,
    /// Messages; at least one error where `imported` is `None`.
    pub diagnostics: Diagnostics,
}

/// An instance that Terraform did not know before.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The state; attributes that are not named are null.
    pub state: Value,
    /// The private data.
    pub private: PrivateData,
    /// The identity, where the resource has one.
    pub identity: Option<Value>,
}

/// What [`Resource::move_state`] is told.
#[derive(Clone, Debug)]
pub struct MoveRequest {
    /// The full address of the provider that the state comes from.
    pub source_provider_address: String,
    /// The type that it was.
    pub source_type_name: String,
    /// The schema version that it was stored under.
    pub source_schema_version: i64,
    /// The state, as JSON.
    pub source_state: SecretBytes,
    /// The private data, in that provider's own form.
    pub source_private: Vec<u8>,
}

impl ReadResponse {
    /// It is there, in this state.
    #[must_use]
    pub fn current(state: Value) -> Self {
        Self::new(ReadOutcome::Current(state))
    }

    /// It is gone for certain.
    #[must_use]
    pub fn gone() -> Self {
        Self::new(ReadOutcome::Gone)
    }

    fn new(outcome: ReadOutcome) -> Self {
        Self {
            outcome,
            private: None,
            identity: None,
            diagnostics: Diagnostics::new(),
        }
    }
}

impl From<Diagnostics> for ReadResponse {
    fn from(diagnostics: Diagnostics) -> Self {
        Self {
            diagnostics,
            ..Self::new(ReadOutcome::Failed)
        }
    }
}

impl From<Diagnostic> for ReadResponse {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics::from(diagnostic).into()
    }
}

impl PlanResponse {
    /// This is the state to come.
    #[must_use]
    pub fn planned(state: Value) -> Self {
        Self {
            planned_state: Some(state),
            ..Self::default()
        }
    }
}

impl ApplyResponse {
    /// It was done, and this is the state.
    #[must_use]
    pub fn applied(state: Value) -> Self {
        Self {
            new_state: Some(state),
            ..Self::default()
        }
    }
}

impl ImportResponse {
    /// It was found.
    #[must_use]
    pub fn imported(state: Value) -> Self {
        Self {
            imported: Some(Imported {
                state,
                private: PrivateData::new(),
                identity: None,
            }),
            diagnostics: Diagnostics::new(),
        }
    }
}

/// Failures: nothing but messages.
macro_rules! from_diagnostics {
    ($($response:ty),+) => {$(
        impl From<Diagnostics> for $response {
            fn from(diagnostics: Diagnostics) -> Self {
                Self { diagnostics, ..Self::default() }
            }
        }

        impl From<Diagnostic> for $response {
            fn from(diagnostic: Diagnostic) -> Self {
                Diagnostics::from(diagnostic).into()
            }
        }
    )+};
}

from_diagnostics!(
    PlanResponse,
    PlanDestroyResponse,
    ApplyResponse,
    DeleteResponse,
    ImportResponse
);
