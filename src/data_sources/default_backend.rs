//! `data "planton_default_backend"`: which backend is the default.

use std::time::Duration;

use async_trait::async_trait;

use crate::operations::{DefaultBackendView, OperationError};
use crate::plugin::{
    Attribute, Context, DataSource, Diagnostic, ReadDataRequest, ReadDataResponse, Schema, Value,
};
use crate::surface::{Session, explain};

const READ_TIMEOUT: Duration = Duration::from_mins(5);

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

    async fn read(&self, _cx: &Context, _request: ReadDataRequest) -> ReadDataResponse {
        let read = async {
            let session = self.session.ready()?;
            let organization = &session.organization;
            let reading = tokio::time::timeout(READ_TIMEOUT, organization.default_backend_view());
            let timed_out = |_| {
                explain(&OperationError::Interrupted {
                    step: "read",
                    timed_out: true,
                })
            };
            let view: DefaultBackendView = reading
                .await
                .map_err(timed_out)?
                .map_err(|error| explain(&error))?;
            Ok::<_, Diagnostic>(Value::object([
                ("id", Value::from(organization.slug().as_str())),
                ("backend", view.backend.as_str().into()),
            ]))
        };
        match read.await {
            Ok(state) => ReadDataResponse::found(state),
            Err(diagnostic) => diagnostic.into(),
        }
    }
}
