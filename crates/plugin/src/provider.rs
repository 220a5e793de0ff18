//! Trait of a provider.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Context, DataSource, Diagnostics, EphemeralResource, Function, Resource, Schema, Value,
};

/// Input of [`Provider::configure`].
#[derive(Clone, Debug)]
pub struct ConfigureRequest {
    /// Configuration, whose parts may be unknown.
    pub config: Value,
    /// Version of the host, such as "1.11.4".
    pub terraform_version: String,
}

/// Provider, which a plugin process serves.
///
/// The runtime calls `resources`, `data_sources`, `ephemeral_resources` and `functions` once,
/// perhaps before [`configure`](Self::configure). The provider shares its configured state with
/// what it returns there.
#[async_trait]
pub trait Provider: Send + Sync + Debug + 'static {
    /// Returns the schema of the provider's configuration.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any I/O. Parts of it may be unknown.
    async fn validate_config(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Returns the time limit of [`configure`](Self::configure); `None` for no limit.
    fn configure_timeout(&self) -> Option<Duration> {
        None
    }

    /// Applies the configuration. The host may call it again with another one. The runtime
    /// drops the future after its deadline, and when the host requests a stop.
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

    /// Finishes work that continues after the responses. Runs when the host has requested the
    /// end and no call is running. The runtime drops the future when the time of the process
    /// is over.
    async fn finish(&self) {}

    /// Runs after the host has requested a stop and the token of all contexts was cancelled.
    fn stop(&self) {}
}
