//! `data "planton_default_backend"`: the name of the default backend.

use async_trait::async_trait;

use crate::diagnostics::explain;
use crate::session::{Configured, SessionDataSource};
use planton_core::operations::{OperationError, PLATFORM_BACKEND};
use planton_plugin::{Attribute, Diagnostic, Schema, Value};

/// The data source `planton_default_backend`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DefaultBackendDataSource;

#[async_trait]
impl SessionDataSource for DefaultBackendDataSource {
    const TYPE_NAME: &'static str = "planton_default_backend";
    const NOUN: &'static str = "the default backend";

    fn schema(&self) -> Schema {
        Schema::new([
            Attribute::string("id")
                .computed()
                .describe("Name of the organization."),
            Attribute::string("backend")
                .computed()
                .describe("Name of the default backend; `platform` is the built-in one."),
        ])
        .describe("Reads the default backend, which stores new secrets that set no `backend`.")
    }

    async fn read(&self, session: &Configured, _config: Value) -> Result<Value, Diagnostic> {
        let organization = &session.organization;
        let backend = match organization.default_backend().view().await {
            Ok(view) => view.backend.to_string(),
            // An organization without a record has set no default.
            Err(OperationError::OrganizationMissing { .. }) => {
                let expected = organization.expect_pinned_one().await;
                expected.map_err(|error| explain(&error))?;
                PLATFORM_BACKEND.to_owned()
            }
            Err(error) => return Err(explain(&error)),
        };
        Ok(Value::object([
            ("id", Value::from(organization.slug().as_str())),
            ("backend", backend.into()),
        ]))
    }
}
