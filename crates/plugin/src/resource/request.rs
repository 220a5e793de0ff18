//! What the methods of a resource receive.

use planton_secret::SecretBytes;

use crate::{PrivateData, Value};

/// Input of [`Resource::upgrade_state`](crate::Resource::upgrade_state) and
/// [`Resource::upgrade_identity`](crate::Resource::upgrade_identity).
#[derive(Clone, Debug)]
pub struct UpgradeRequest {
    /// The version that the value was stored under.
    pub version: i64,
    /// The value, of the type that the resource names for that version.
    pub value: Value,
}

/// Input of [`Resource::read`](crate::Resource::read).
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The state as it was stored.
    pub state: Value,
    /// The private data as it was stored.
    pub private: PrivateData,
    /// The identity as it was stored; null where there is none.
    pub identity: Value,
}

/// Input of [`Resource::plan`](crate::Resource::plan).
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
    /// [keeps it](crate::Context::keeps_planned_private) and plans again before it
    /// applies; `None` in every other plan. Under `create_before_destroy` the
    /// plan before the apply has neither a prior state nor prior private data,
    /// so nothing else says what is being replaced.
    pub planned_private: Option<PrivateData>,
    /// The identity as it was stored; null where there is none.
    pub prior_identity: Value,
}

/// Input of [`Resource::plan_destroy`](crate::Resource::plan_destroy).
#[derive(Clone, Debug)]
pub struct PlanDestroyRequest {
    /// The state.
    pub prior_state: Value,
    /// The private data as it was stored.
    pub prior_private: PrivateData,
    /// The identity as it was stored; null where there is none.
    pub prior_identity: Value,
}

/// Input of [`Resource::create`](crate::Resource::create).
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

/// Input of [`Resource::update`](crate::Resource::update).
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

/// Input of [`Resource::delete`](crate::Resource::delete).
#[derive(Clone, Debug)]
pub struct DeleteRequest {
    /// The state.
    pub prior_state: Value,
    /// What the plan of the destruction gave.
    pub planned_private: PrivateData,
    /// The identity; null where there is none.
    pub prior_identity: Value,
}

/// Input of [`Resource::import`](crate::Resource::import).
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// What to import.
    pub target: ImportTarget,
}

/// The instance that an import names.
#[derive(Clone, Debug)]
pub enum ImportTarget {
    /// Text, in a form of the resource's own.
    Id(String),
    /// An identity, of the resource's identity schema.
    Identity(Value),
}

/// Input of [`Resource::move_state`](crate::Resource::move_state).
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
