//! `planton_default_backend`: at most one for an organization.

mod apply;
mod drift;
mod former_default;
mod import;
mod plan;
mod schema;
mod state;

use crate::diagnostics::invalid_slug;
use crate::session::SessionResource;
use planton_core::names::Slug;
use planton_plugin::{Diagnostics, IdentitySchema, Schema, Value};

/// The resource `planton_default_backend`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DefaultBackendResource;

impl SessionResource for DefaultBackendResource {
    const TYPE_NAME: &'static str = "planton_default_backend";
    const NOUN: &'static str = "the default backend";

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> IdentitySchema {
        schema::identity_schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let text = config.attribute("backend").as_str();
        let invalid = text.filter(|text| Slug::parse(text).is_err());
        let invalid = invalid.map(|text| invalid_slug("The backend", text, "backend"));
        invalid.into_iter().collect()
    }
}
