//! `planton_secret_backend`.

mod apply;
mod blocks;
mod credentials;
mod drift;
mod import;
mod keys;
mod lost_credentials;
mod moved_keys;
mod ownership;
mod plan;
mod replacement;
mod schema;
mod settings;
mod state;
mod successor;
mod validate;

use std::sync::Arc;

use crate::session::SessionResource;
use planton_core::operations::{ConnectKek, ConnectStore};
use planton_plugin::{Diagnostics, IdentitySchema, Schema, Value};

/// The resource `planton_secret_backend`.
#[derive(Clone, Debug)]
pub(crate) struct SecretBackendResource {
    connector: Arc<dyn ConnectStore>,
    kek_connector: Arc<dyn ConnectKek>,
}

impl SecretBackendResource {
    /// Creates the resource. The connectors check settings before the provider is configured.
    pub(crate) fn new(
        connector: Arc<dyn ConnectStore>,
        kek_connector: Arc<dyn ConnectKek>,
    ) -> Self {
        Self {
            connector,
            kek_connector,
        }
    }
}

impl SessionResource for SecretBackendResource {
    const TYPE_NAME: &'static str = "planton_secret_backend";
    const NOUN: &'static str = "the backend";

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> IdentitySchema {
        schema::identity_schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate::validate(config, self.connector.as_ref(), self.kek_connector.as_ref())
    }
}
