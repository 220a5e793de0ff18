//! What the methods of a resource return on success. A failure is
//! [`Diagnostics`] with at least one error.

use crate::{AttributePath, Diagnostics, PrivateData, Value};

/// Result of [`Resource::read`](crate::Resource::read).
#[derive(Clone, Debug)]
pub struct ReadResponse {
    /// What the read found.
    pub outcome: ReadOutcome,
    /// New private data; `None` leaves it as it was.
    pub private: Option<PrivateData>,
    /// The identity; `None` leaves it as it was.
    pub identity: Option<Value>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// What a read found.
#[derive(Clone, Debug)]
pub enum ReadOutcome {
    /// The instance exists, in this state.
    Current(Value),
    /// The instance is certainly gone: Terraform drops it and plans a new one.
    Gone,
}

/// Result of [`Resource::plan`](crate::Resource::plan).
#[derive(Clone, Debug)]
pub struct PlanResponse {
    /// The state to come, unknown where apply decides.
    pub planned_state: Value,
    /// The attributes that cannot change in place.
    pub requires_replace: Vec<AttributePath>,
    /// The private data for apply; `None` leaves what an earlier plan of this change
    /// returned, or without one the prior data.
    pub private: Option<PrivateData>,
    /// The identity to come; `None` leaves it as it was.
    pub identity: Option<Value>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// Result of [`Resource::plan_destroy`](crate::Resource::plan_destroy).
#[derive(Clone, Debug, Default)]
pub struct PlanDestroyResponse {
    /// The private data for delete; `None` leaves the prior data.
    pub private: Option<PrivateData>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// Result of [`Resource::create`](crate::Resource::create) or
/// [`Resource::update`](crate::Resource::update).
#[derive(Clone, Debug)]
pub struct ApplyResponse {
    /// The state to store, even if `diagnostics` has errors: a creation that failed
    /// halfway becomes tainted, and parts that are still unknown become null.
    pub new_state: Value,
    /// The private data to store; `None` leaves what was planned.
    pub private: Option<PrivateData>,
    /// The identity; `None` leaves what was planned.
    pub identity: Option<Value>,
    /// Warnings, and the errors of an operation that succeeded in part.
    pub diagnostics: Diagnostics,
}

/// Result of [`Resource::delete`](crate::Resource::delete). The instance is gone
/// unless `diagnostics` has errors.
#[derive(Clone, Debug, Default)]
pub struct DeleteResponse {
    /// The state to keep next to an error; `None` keeps the prior one.
    pub remaining_state: Option<Value>,
    /// The private data to keep next to an error; `None` keeps what was planned.
    pub private: Option<PrivateData>,
    /// Warnings, and the errors of a deletion that succeeded in part.
    pub diagnostics: Diagnostics,
}

/// Result of [`Resource::import`](crate::Resource::import) or
/// [`Resource::move_state`](crate::Resource::move_state).
#[derive(Clone, Debug)]
pub struct ImportResponse {
    /// The state; attributes that are not named are null.
    pub state: Value,
    /// The private data.
    pub private: PrivateData,
    /// The identity, if the resource has one.
    pub identity: Option<Value>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

impl ReadResponse {
    /// Returns the response for an instance that exists, in this state.
    #[must_use]
    pub fn current(state: Value) -> Self {
        Self::new(ReadOutcome::Current(state))
    }

    /// Returns the response for an instance that is certainly gone.
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

impl PlanResponse {
    /// Returns the response that plans this state, in place.
    #[must_use]
    pub fn planned(state: Value) -> Self {
        Self {
            planned_state: state,
            requires_replace: Vec::new(),
            private: None,
            identity: None,
            diagnostics: Diagnostics::new(),
        }
    }
}

impl ApplyResponse {
    /// Returns the response that stores this state.
    #[must_use]
    pub fn applied(state: Value) -> Self {
        Self {
            new_state: state,
            private: None,
            identity: None,
            diagnostics: Diagnostics::new(),
        }
    }
}

impl ImportResponse {
    /// Returns the response for an instance in this state.
    #[must_use]
    pub fn imported(state: Value) -> Self {
        Self {
            state,
            private: PrivateData::new(),
            identity: None,
            diagnostics: Diagnostics::new(),
        }
    }
}
