//! The provider itself.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Context, DataSource, Diagnostics, EphemeralResource, Function, Resource, Schema, Value,
};

/// What [`Provider::configure`] is told.
#[derive(Clone, Debug)]
pub struct ConfigureRequest {
    /// The configuration; parts may be unknown.
    pub config: Value,
    /// The host's version, as "1.11.4".
    pub terraform_version: String,
}

/// A provider: what a plugin process serves.
///
/// What it offers is asked for once, on demand, and may be asked for before
/// [`configure`](Self::configure). State that configuration leads to lives
/// inside, behind what its resources share with it.
#[async_trait]
pub trait Provider: Send + Sync + Debug + 'static {
    /// Returns the schema of the provider's configuration.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any I/O; parts may be unknown.
    async fn validate_config(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Returns the time limit of [`configure`](Self::configure); `None` for no limit.
    fn configure_timeout(&self) -> Option<Duration> {
        None
    }

    /// Takes the configuration into use. Called again when it changes. The runtime drops
    /// the future at the deadline, and when the host asks to stop.
    async fn configure(&self, cx: &Context, request: ConfigureRequest) -> Diagnostics;

    /// Returns the managed resources.
    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        Vec::new()
    }

    /// Returns the data sources.
    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        Vec::new()
    }

    /// Returns the ephemeral resources.
    fn ephemeral_resources(&self) -> Vec<Arc<dyn EphemeralResource>> {
        Vec::new()
    }

    /// Returns the functions.
    fn functions(&self) -> Vec<Arc<dyn Function>> {
        Vec::new()
    }

    /// Is told that the host asked the provider to stop, after the contexts'
    /// token was cancelled.
    fn stop(&self) {}
}
