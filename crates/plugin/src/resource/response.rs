//! Responses of the methods of a resource. A failure is [`Diagnostics`] with at least one
//! error instead.

use crate::{AttributePath, Diagnostic, Diagnostics, PrivateData, Value};

/// Result of [`Resource::read`](crate::Resource::read).
#[derive(Clone, Debug)]
pub struct ReadResponse {
    /// Result of the read.
    pub outcome: ReadOutcome,
    /// New private data; `None` keeps the former data.
    pub private: Option<PrivateData>,
    /// Identity; `None` keeps the former one.
    pub identity: Option<Value>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// Result of a read.
#[derive(Clone, Debug)]
pub enum ReadOutcome {
    /// The instance exists in this state.
    Current(Value),
    /// The instance no longer exists. Terraform drops it and plans a new one.
    Gone,
}

/// Result of [`Resource::plan`](crate::Resource::plan).
#[derive(Clone, Debug)]
pub struct PlanResponse {
    /// Planned state. Attributes that the apply decides are unknown.
    pub planned_state: Value,
    /// Attributes that cannot change in place.
    pub requires_replace: Vec<AttributePath>,
    /// Private data for the apply; `None` keeps the private data of an earlier plan of this
    /// change, or else the prior data.
    pub private: Option<PrivateData>,
    /// Planned identity; `None` keeps the former one.
    pub identity: Option<Value>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// Result of [`Resource::plan_destroy`](crate::Resource::plan_destroy).
#[derive(Clone, Debug, Default)]
pub struct PlanDestroyResponse {
    /// Private data for `delete`; `None` keeps the prior data.
    pub private: Option<PrivateData>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// Result of [`Resource::create`](crate::Resource::create) or
/// [`Resource::update`](crate::Resource::update).
#[derive(Clone, Debug)]
pub struct ApplyResponse {
    /// State to store, even if `diagnostics` has errors. The host then marks a created instance
    /// as tainted. Parts that are still unknown become null.
    pub new_state: Value,
    /// Private data to store; `None` stores the planned data.
    pub private: Option<PrivateData>,
    /// Identity; `None` stores the planned one.
    pub identity: Option<Value>,
    /// Warnings, and errors of an operation that succeeded in part.
    pub diagnostics: Diagnostics,
}

/// Result of [`Resource::delete`](crate::Resource::delete). The instance is gone
/// unless `diagnostics` has errors.
#[derive(Clone, Debug, Default)]
pub struct DeleteResponse {
    /// State to store beside an error; `None` keeps the prior one.
    pub remaining_state: Option<Value>,
    /// Private data to store beside an error; `None` stores the planned data.
    pub private: Option<PrivateData>,
    /// Warnings, and errors of a deletion that succeeded in part.
    pub diagnostics: Diagnostics,
}

/// Result of [`Resource::import`](crate::Resource::import) or
/// [`Resource::move_state`](crate::Resource::move_state).
#[derive(Clone, Debug)]
pub struct ImportResponse {
    /// State. Omitted attributes become null.
    pub state: Value,
    /// Private data.
    pub private: PrivateData,
    /// Identity, if the resource has one.
    pub identity: Option<Value>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

impl ReadResponse {
    /// Returns the response for an existing instance in this state.
    #[must_use]
    pub fn current(state: Value) -> Self {
        Self::new(ReadOutcome::Current(state))
    }

    /// Returns the response for an instance that no longer exists.
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

impl DeleteResponse {
    /// Returns the response of a deletion that changed nothing. Beside an error without a
    /// state, a host keeps the state and the private data that it has. Those of the plan may
    /// lack what the state has: the plan of a tainted instance does not see it.
    #[must_use]
    pub fn refused(diagnostic: Diagnostic) -> Self {
        Self {
            remaining_state: Some(Value::Null),
            private: None,
            diagnostics: diagnostic.into(),
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
