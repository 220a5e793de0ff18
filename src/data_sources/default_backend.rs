//! `data "planton_default_backend"`: which backend is the default.

use async_trait::async_trait;

use crate::surface::{Bounds, Session, Timeout, explain};
use planton_core::operations::{OperationError, PLATFORM_BACKEND};
use planton_plugin::{
    Attribute, Context, DataSource, ReadDataRequest, ReadDataResponse, Schema, Value,
};

/// The data source `planton_default_backend`.
#[derive(Clone, Debug)]
pub struct DefaultBackendDataSource {
    session: Session,
}

impl DefaultBackendDataSource {
    /// Reads the default backend of what `session` is configured for.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self { session }
    }
}

#[async_trait]
impl DataSource for DefaultBackendDataSource {
    fn type_name(&self) -> &'static str {
        "planton_default_backend"
    }

    fn schema(&self) -> Schema {
        Schema::new([
            Attribute::string("id")
                .computed()
                .describe("The organization."),
            Attribute::string("backend")
                .computed()
                .describe("The default backend's name; `platform` is the built-in one."),
        ])
        .describe("Reads which backend new secrets go to when they name none.")
    }

    async fn read(&self, cx: &Context, _request: ReadDataRequest) -> ReadDataResponse {
        let read = async {
            let session = self.session.ready()?;
            let organization = &session.organization;
            let backend = match organization.default_backend_view().await {
                Ok(view) => view.backend.to_string(),
                // Before first use nobody can have chosen another.
                Err(OperationError::OrganizationMissing { .. }) => PLATFORM_BACKEND.to_owned(),
                Err(error) => return Err(explain(&error)),
            };
            Ok(Value::object([
                ("id", Value::from(organization.slug().as_str())),
                ("backend", backend.into()),
            ]))
        };
        let bounds = Bounds::new(cx, &Value::Null, Timeout::Read);
        match bounds.reading("the default backend was read", read).await {
            Ok(state) => ReadDataResponse::found(state),
            Err(diagnostic) => diagnostic.into(),
        }
    }
}
