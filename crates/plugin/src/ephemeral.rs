//! Ephemeral resources, which are open during a run and never stored.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::{Context, Diagnostics, PrivateData, Schema, Value};

/// Input of [`EphemeralResource::open`].
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// Configuration, all of it known.
    pub config: Value,
    /// Whether parts of the result may be unknown during a plan. Terraform accepts that;
    /// OpenTofu reports it as a bug of the provider.
    pub may_be_unknown: bool,
}

/// Result of [`EphemeralResource::open`].
#[derive(Clone, Debug)]
pub struct OpenResponse {
    /// Configuration with its computed attributes. Parts may be unknown only if
    /// [`OpenRequest::may_be_unknown`] is true.
    pub result: Value,
    /// Input of `renew` and `close`, which the host keeps in memory only.
    pub private: PrivateData,
    /// Time of the first renewal; `None` for none.
    pub renew_at: Option<SystemTime>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// Input of [`EphemeralResource::renew`].
#[derive(Clone, Debug)]
pub struct RenewRequest {
    /// Private data of `open` or of the last renewal.
    pub private: PrivateData,
}

/// Result of [`EphemeralResource::renew`].
#[derive(Clone, Debug, Default)]
pub struct RenewResponse {
    /// Input of the next renewal and of `close`; `None` keeps the former data.
    pub private: Option<PrivateData>,
    /// Time of the next renewal; `None` for none.
    pub renew_at: Option<SystemTime>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

impl OpenResponse {
    /// Returns the response with this result and without a renewal.
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

/// Ephemeral resource, which exists during a run only.
#[async_trait]
pub trait EphemeralResource: Send + Sync + Debug + 'static {
    /// Returns the full name: `planton_secret`.
    fn type_name(&self) -> &str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Returns the noun for one instance, in messages: `the secret`.
    fn noun(&self) -> &str {
        "the ephemeral resource"
    }

    /// Returns the time limit of an open; `None` for no limit.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Checks a configuration without any I/O. Parts of it may be unknown.
    async fn validate_config(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Opens the instance. The runtime drops the future after its deadline, and when the host
    /// requests a stop.
    ///
    /// # Errors
    ///
    /// At least one diagnostic of severity error.
    async fn open(&self, cx: &Context, request: OpenRequest) -> Result<OpenResponse, Diagnostics>;

    /// Renews the instance, if `open` or the last renewal returned a time.
    ///
    /// # Errors
    ///
    /// At least one diagnostic of severity error.
    async fn renew(
        &self,
        _cx: &Context,
        _request: RenewRequest,
    ) -> Result<RenewResponse, Diagnostics> {
        Ok(RenewResponse::default())
    }

    /// Closes the instance.
    async fn close(&self, _cx: &Context, _private: PrivateData) -> Diagnostics {
        Diagnostics::new()
    }
}
