//! Ephemeral resources: opened while a run needs them, and kept nowhere.

use std::fmt::Debug;
use std::time::SystemTime;

use async_trait::async_trait;

use super::{Context, Diagnostic, Diagnostics, PrivateData, Schema, Value};

/// What [`EphemeralResource::open`] is told.
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// The configuration, wholly known.
    pub config: Value,
    /// Whether the result may be unknown in part while the host plans.
    /// Terraform accepts that; OpenTofu reports it as a bug of the provider.
    pub may_be_unknown: bool,
}

/// What [`EphemeralResource::open`] gave.
#[derive(Clone, Debug, Default)]
pub struct OpenResponse {
    /// The configuration with its computed attributes; `None` on failure.
    /// Unknown parts only where [`OpenRequest::may_be_unknown`].
    pub result: Option<Value>,
    /// What renew and close are told; held by the host in memory only.
    pub private: PrivateData,
    /// When to renew; `None` for never.
    pub renew_at: Option<SystemTime>,
    /// Messages; at least one error where `result` is `None`.
    pub diagnostics: Diagnostics,
}

/// What [`EphemeralResource::renew`] is told.
#[derive(Clone, Debug)]
pub struct RenewRequest {
    /// What open, or the last renewal, gave.
    pub private: PrivateData,
}

/// What [`EphemeralResource::renew`] gave.
#[derive(Clone, Debug, Default)]
pub struct RenewResponse {
    /// What the next renewal and close are told; `None` leaves it as it was.
    pub private: Option<PrivateData>,
    /// When to renew again; `None` for never.
    pub renew_at: Option<SystemTime>,
    /// Messages.
    pub diagnostics: Diagnostics,
}

impl OpenResponse {
    /// It is open, and needs no renewal.
    #[must_use]
    pub fn opened(result: Value) -> Self {
        Self {
            result: Some(result),
            ..Self::default()
        }
    }
}

impl From<Diagnostics> for OpenResponse {
    fn from(diagnostics: Diagnostics) -> Self {
        Self {
            diagnostics,
            ..Self::default()
        }
    }
}

impl From<Diagnostic> for OpenResponse {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics::from(diagnostic).into()
    }
}

/// Something that exists for the time of a run.
#[async_trait]
pub trait EphemeralResource: Send + Sync + Debug + 'static {
    /// Returns the full name: `planton_secret`.
    fn type_name(&self) -> &str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any I/O; parts may be unknown.
    async fn validate_config(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Opens it.
    async fn open(&self, cx: &Context, request: OpenRequest) -> OpenResponse;

    /// Renews it; called where open gave a time.
    async fn renew(&self, _cx: &Context, _request: RenewRequest) -> RenewResponse {
        RenewResponse::default()
    }

    /// Closes it.
    async fn close(&self, _cx: &Context, _private: PrivateData) -> Diagnostics {
        Diagnostics::new()
    }
}
