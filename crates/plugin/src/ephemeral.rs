//! Ephemeral resources: opened while a run needs them, and stored nowhere.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::{Context, Diagnostics, PrivateData, Schema, Value};

/// Input of [`EphemeralResource::open`].
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// The configuration, wholly known.
    pub config: Value,
    /// Whether the result may be unknown in part while the host plans.
    /// Terraform accepts that; OpenTofu reports it as a bug of the provider.
    pub may_be_unknown: bool,
}

/// Result of [`EphemeralResource::open`].
#[derive(Clone, Debug)]
pub struct OpenResponse {
    /// The configuration with its computed attributes. Unknown in part only if
    /// [`OpenRequest::may_be_unknown`].
    pub result: Value,
    /// Input of renew and close; the host keeps it in memory only.
    pub private: PrivateData,
    /// When to renew; `None` for never.
    pub renew_at: Option<SystemTime>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// Input of [`EphemeralResource::renew`].
#[derive(Clone, Debug)]
pub struct RenewRequest {
    /// The private data of open, or of the last renewal.
    pub private: PrivateData,
}

/// Result of [`EphemeralResource::renew`].
#[derive(Clone, Debug, Default)]
pub struct RenewResponse {
    /// Input of the next renewal and of close; `None` leaves it as it was.
    pub private: Option<PrivateData>,
    /// When to renew again; `None` for never.
    pub renew_at: Option<SystemTime>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

impl OpenResponse {
    /// Returns the response with this result, which needs no renewal.
    #[must_use]
    pub fn opened(result: Value) -> Self {
        Self {
            result,
            private: PrivateData::new(),
            renew_at: None,
            diagnostics: Diagnostics::new(),
        }
    }
}

/// A resource that exists during a run only.
#[async_trait]
pub trait EphemeralResource: Send + Sync + Debug + 'static {
    /// Returns the full name: `planton_secret`.
    fn type_name(&self) -> &str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Returns the noun that messages use for one instance: `the secret`.
    fn noun(&self) -> &str {
        "the ephemeral resource"
    }

    /// Returns the time limit of an open; `None` for no limit.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Checks a configuration without any I/O; parts may be unknown.
    async fn validate_config(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Opens it. The runtime drops the future at the deadline, and when the host asks
    /// to stop.
    ///
    /// # Errors
    ///
    /// At least one error.
    async fn open(&self, cx: &Context, request: OpenRequest) -> Result<OpenResponse, Diagnostics>;

    /// Renews it; called if open returned a time.
    ///
    /// # Errors
    ///
    /// At least one error.
    async fn renew(
        &self,
        _cx: &Context,
        _request: RenewRequest,
    ) -> Result<RenewResponse, Diagnostics> {
        Ok(RenewResponse::default())
    }

    /// Closes it.
    async fn close(&self, _cx: &Context, _private: PrivateData) -> Diagnostics {
        Diagnostics::new()
    }
}
