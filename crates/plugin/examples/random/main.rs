//! A small provider: `example_id`, a random identifier with the attributes of `random_id`, and
//! `example_wide`, a resource with as many attributes as a secret.
//!
//! It does no I/O. The benchmarks use it to measure what any provider costs Terraform.

mod id;
mod wide;

use std::sync::Arc;

use async_trait::async_trait;
use planton_plugin::protocol::{ServeError, ServeOptions, serve};
use planton_plugin::{ConfigureRequest, Context, Diagnostics, Provider, Resource, Schema};

use id::Id;
use wide::Wide;

fn main() -> Result<(), ServeError> {
    let addresses = [
        "registry.terraform.io/plantonhq/example",
        "registry.opentofu.org/plantonhq/example",
    ];
    serve(Arc::new(Example), ServeOptions::new(addresses))
}

#[derive(Debug)]
struct Example;

#[async_trait]
impl Provider for Example {
    fn schema(&self) -> Schema {
        Schema::default()
    }

    async fn configure(&self, _: &Context, _: ConfigureRequest) -> Diagnostics {
        Diagnostics::new()
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        vec![Arc::new(Id), Arc::new(Wide)]
    }
}
