//! `planton_secret`.

mod apply;
mod copied;
mod deletion_protection;
mod drift;
mod import;
mod plan;
mod replacement;
mod schema;
mod settings;
mod source;
mod state;
mod successor;
mod validate;

use crate::session::SessionResource;
use planton_plugin::{Diagnostics, IdentitySchema, Schema, Value};

/// The resource `planton_secret`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretResource;

impl SessionResource for SecretResource {
    const TYPE_NAME: &'static str = "planton_secret";
    const NOUN: &'static str = "the secret";

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> IdentitySchema {
        schema::identity_schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate::validate(config)
    }
}
