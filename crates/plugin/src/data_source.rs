//! Data sources.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Context, Diagnostic, Diagnostics, Schema, Value};

/// What [`DataSource::read`] is told.
#[derive(Clone, Debug)]
pub struct ReadDataRequest {
    /// The configuration, wholly known.
    pub config: Value,
}

/// What [`DataSource::read`] found.
#[derive(Clone, Debug, Default)]
pub struct ReadDataResponse {
    /// The configuration with its computed attributes; `None` on failure.
    pub state: Option<Value>,
    /// Messages; at least one error where `state` is `None`.
    pub diagnostics: Diagnostics,
}

impl ReadDataResponse {
    /// It was found.
    #[must_use]
    pub fn found(state: Value) -> Self {
        Self {
            state: Some(state),
            diagnostics: Diagnostics::new(),
        }
    }
}

impl From<Diagnostics> for ReadDataResponse {
    fn from(diagnostics: Diagnostics) -> Self {
        Self {
            state: None,
            diagnostics,
        }
    }
}

impl From<Diagnostic> for ReadDataResponse {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics::from(diagnostic).into()
    }
}

/// Something that is read and never changed.
#[async_trait]
pub trait DataSource: Send + Sync + Debug + 'static {
    /// Returns the full name: `planton_secret`.
    fn type_name(&self) -> &str;

    /// Returns the schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any I/O; parts may be unknown.
    async fn validate_config(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Reads it.
    async fn read(&self, cx: &Context, request: ReadDataRequest) -> ReadDataResponse;
}
