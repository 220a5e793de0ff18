//! Requests of the methods of a resource.

use planton_secret::SecretBytes;

use crate::{PrivateData, Value};

/// Input of [`Resource::upgrade_state`](crate::Resource::upgrade_state) and
/// [`Resource::upgrade_identity`](crate::Resource::upgrade_identity).
#[derive(Clone, Debug)]
pub struct UpgradeRequest {
    /// Schema version under which the value was stored.
    pub version: i64,
    /// Value, of the type that the resource returns for that version.
    pub value: Value,
}

/// Input of [`Resource::read`](crate::Resource::read).
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// Stored state.
    pub state: Value,
    /// Stored private data.
    pub private: PrivateData,
    /// Stored identity; null if there is none.
    pub identity: Value,
}

/// Input of [`Resource::plan`](crate::Resource::plan).
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// Configuration with its write-only values. Parts may be unknown.
    pub config: Value,
    /// State; null for a creation.
    pub prior_state: Value,
    /// Configuration, with the prior values of computed attributes that are not configured.
    pub proposed_state: Value,
    /// Stored private data. The host plans a replacement a second time, with a null prior
    /// state. This is then the private data that the first plan returned.
    pub prior_private: PrivateData,
    /// Private data that an earlier plan of the same change returned, if the host
    /// [keeps it](crate::Context::keeps_planned_private) and repeats the plan before the apply;
    /// `None` in every other plan. Under `create_before_destroy`, the repeated plan has neither
    /// a prior state nor prior private data, so only this identifies the replaced instance.
    pub planned_private: Option<PrivateData>,
    /// Stored identity; null if there is none.
    pub prior_identity: Value,
}

/// Input of [`Resource::plan_destroy`](crate::Resource::plan_destroy).
#[derive(Clone, Debug)]
pub struct PlanDestroyRequest {
    /// State.
    pub prior_state: Value,
    /// Stored private data.
    pub prior_private: PrivateData,
    /// Stored identity; null if there is none.
    pub prior_identity: Value,
}

/// Input of [`Resource::create`](crate::Resource::create).
#[derive(Clone, Debug)]
pub struct CreateRequest {
    /// Configuration with its write-only values, all of it known.
    pub config: Value,
    /// Planned state.
    pub planned_state: Value,
    /// Private data of the last plan before this call. A host without protocol 6.11 repeats
    /// the plan of a creation under `create_before_destroy` without the private data of the
    /// earlier one, which is then lost.
    pub planned_private: PrivateData,
    /// Planned identity; null if there is none.
    pub planned_identity: Value,
}

/// Input of [`Resource::update`](crate::Resource::update).
#[derive(Clone, Debug)]
pub struct UpdateRequest {
    /// Configuration with its write-only values, all of it known.
    pub config: Value,
    /// State.
    pub prior_state: Value,
    /// Planned state.
    pub planned_state: Value,
    /// Private data of the plan.
    pub planned_private: PrivateData,
    /// Planned identity; null if there is none.
    pub planned_identity: Value,
}

/// Input of [`Resource::delete`](crate::Resource::delete).
#[derive(Clone, Debug)]
pub struct DeleteRequest {
    /// State.
    pub prior_state: Value,
    /// Private data of the destruction's plan.
    pub planned_private: PrivateData,
    /// Identity; null if there is none.
    pub prior_identity: Value,
}

/// Input of [`Resource::import`](crate::Resource::import).
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// Instance to import.
    pub target: ImportTarget,
}

/// Instance that an import names.
#[derive(Clone, Debug)]
pub enum ImportTarget {
    /// Import id, in a form that the resource defines.
    Id(String),
    /// Identity, of the resource's identity schema.
    Identity(Value),
}

/// Input of [`Resource::move_state`](crate::Resource::move_state).
#[derive(Clone, Debug)]
pub struct MoveRequest {
    /// Full address of the provider that wrote the state.
    pub source_provider_address: String,
    /// Former resource type.
    pub source_type_name: String,
    /// Schema version of the state.
    pub source_schema_version: i64,
    /// State, in JSON.
    pub source_state: SecretBytes,
    /// Private data, in the format of that provider.
    pub source_private: Vec<u8>,
}
