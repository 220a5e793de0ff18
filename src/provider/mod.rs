//! Configuration and wiring.

use std::sync::Arc;

use async_trait::async_trait;

use crate::plugin::{ConfigureRequest, Context, Diagnostics, Provider, Schema};

/// Returns the provider, not yet configured.
#[must_use]
pub fn provider() -> Arc<dyn Provider> {
    Arc::new(PlantonProvider)
}

#[derive(Debug)]
struct PlantonProvider;

#[async_trait]
impl Provider for PlantonProvider {
    fn schema(&self) -> Schema {
        Schema::default()
    }

    async fn configure(&self, _: &Context, _: ConfigureRequest) -> Diagnostics {
        Diagnostics::new()
    }
}
