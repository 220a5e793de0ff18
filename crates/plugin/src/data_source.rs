//! Data sources.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::{Context, Diagnostics, Schema, Value};

/// Input of [`DataSource::read`].
#[derive(Clone, Debug)]
pub struct ReadDataRequest {
    /// The configuration, wholly known.
    pub config: Value,
}

/// Result of [`DataSource::read`].
#[derive(Clone, Debug)]
pub struct ReadDataResponse {
    /// The configuration with its computed attributes.
    pub state: Value,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

impl ReadDataResponse {
    /// Returns the response with this state and no warning.
    #[must_use]
    pub fn found(state: Value) -> Self {
        Self {
            state,
            diagnostics: Diagnostics::new(),
        }
    }
}

/// A data source: read, never changed.
#[async_trait]
pub trait DataSource: Send + Sync + Debug + 'static {
    /// Returns the full name: `planton_secret`.
    fn type_name(&self) -> &str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Returns the noun that messages use for what it reads: `the secret`.
    fn noun(&self) -> &str {
        "the data source"
    }

    /// Returns the time limit of a read; `None` for no limit.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Checks a configuration without any I/O; parts may be unknown.
    async fn validate_config(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Reads the data. The runtime drops the future at the deadline, and when the host
    /// asks to stop.
    ///
    /// # Errors
    ///
    /// At least one error.
    async fn read(
        &self,
        cx: &Context,
        request: ReadDataRequest,
    ) -> Result<ReadDataResponse, Diagnostics>;
}
