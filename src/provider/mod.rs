//! The provider: reads its block and its environment variables, and opens the organization
//! on its platform.

mod bucket;
mod caller;
mod embedded;
mod first_key;
mod missing_key;
mod openbao;
mod pins;
mod place;
mod platform;
mod run;
mod schema;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::data_sources::{DefaultBackendDataSource, SecretBackendDataSource, SecretDataSource};
use crate::ephemeral::EphemeralSecret;
use crate::functions::{ParseSecretRef, SecretRef};
use crate::resources::{DefaultBackendResource, SecretBackendResource, SecretResource};
use crate::session::{READ_TIMEOUT, Session, SessionState, Unconnected, WithSession, limited};
use planton_core::names::Slug;
use planton_core::operations::{Housekeeping, RunId};
use planton_plugin::{
    ConfigureRequest, Context, DataSource, Diagnostic, Diagnostics, EphemeralResource, Function,
    Provider, Resource, Schema, Value,
};
use planton_vendors::bucket::Bucket;
use planton_vendors::{Connector, KekConnector};

pub(crate) use crate::session::{Configured, OtherKeys, warnings_about};
pub(crate) use caller::Caller;
pub(crate) use place::place_of;
pub(crate) use platform::KeyPlace;
pub use settings::Environment;

/// Returns the provider, which reads the environment variables of this process.
#[must_use]
pub fn provider(started_by: StartedBy) -> Arc<dyn Provider> {
    let provider = PlantonProvider::new(Environment::of_process());
    Arc::new(match started_by {
        StartedBy::Host => provider.started_by_host(),
        StartedBy::Person => provider,
    })
}

/// Opens the organization that the environment variables name, for an operator command.
/// Also returns warnings.
///
/// # Errors
///
/// Those of a configuration with an empty provider block.
pub(crate) async fn operated(
    environment: &Environment,
    caller: Caller,
) -> Result<(Configured, Vec<Diagnostic>), Diagnostic> {
    let mut diagnostics = Diagnostics::new();
    let run = run::run(None, environment)?;
    let configured =
        platform::configure(&Value::Null, environment, run, caller, &mut diagnostics).await?;
    Ok((configured, diagnostics.iter().cloned().collect()))
}

/// Returns the organization that the environment variables name.
pub(crate) fn organization_of(environment: &Environment) -> Result<Slug, Diagnostic> {
    platform::organization(&Value::Null, environment)
}

/// Returns where the platform that the environment variables name has its key.
pub(crate) fn key_place(environment: &Environment) -> Result<KeyPlace, Diagnostic> {
    platform::key_place(environment)
}

/// Opens the bucket that the environment variables name, to look at all its organizations.
pub(crate) fn bucket_of(environment: &Environment) -> Result<Bucket, Diagnostic> {
    bucket::open_alone(environment)
}

/// What started this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedBy {
    /// Terraform or OpenTofu.
    Host,
    /// A user, for debugging.
    Person,
}

/// The provider `planton`.
#[derive(Debug)]
pub struct PlantonProvider {
    environment: Environment,
    run: Option<RunId>,
    session: Session,
    /// The removals that follow responses, under each configuration of this process.
    housekeeping: Housekeeping,
}

impl PlantonProvider {
    /// Creates a provider that reads `environment` for the arguments that its block omits.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            run: None,
            session: Session::default(),
            housekeeping: Housekeeping::default(),
        }
    }

    /// Puts all processes that one Terraform process starts into one run. Not for a process
    /// that a user starts, whose parent is not a run.
    #[must_use]
    pub fn started_by_host(self) -> Self {
        Self {
            run: run::of_parent(),
            ..self
        }
    }
}

impl PlantonProvider {
    fn serve<T>(&self, served: T) -> Arc<WithSession<T>> {
        Arc::new(WithSession::new(served, self.session.clone()))
    }
}

#[async_trait]
impl Provider for PlantonProvider {
    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate_config(&self, _cx: &Context, config: &Value) -> Diagnostics {
        settings::validate(config)
    }

    fn configure_timeout(&self) -> Option<Duration> {
        Some(READ_TIMEOUT)
    }

    async fn configure(&self, cx: &Context, request: ConfigureRequest) -> Diagnostics {
        let config = request.config;
        if let Some(unconnected) = Unconnected::read(&config) {
            self.session
                .set(SessionState::Unknown(Arc::new(unconnected)));
            return Diagnostics::new();
        }
        let mut diagnostics = settings::validate(&config);
        if diagnostics.has_errors() {
            return diagnostics;
        }
        let configure = async {
            let run = run::run(self.run, &self.environment)?;
            let caller = Caller::Run;
            let configured =
                platform::configure(&config, &self.environment, run, caller, &mut diagnostics);
            let configured = configured.await?;
            Ok(configured.with_housekeeping(self.housekeeping.clone()))
        };
        match limited(cx, configure).await {
            Ok(configured) => self.session.set(SessionState::Ready(Arc::new(configured))),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
        diagnostics
    }

    /// Waits for the removals that follow acknowledged destroys and rotations.
    async fn finish(&self) {
        self.housekeeping.finish().await;
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        vec![
            self.serve(SecretResource),
            self.serve(SecretBackendResource::new(
                Arc::new(Connector::default()),
                Arc::new(KekConnector::default()),
            )),
            self.serve(DefaultBackendResource),
        ]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        vec![
            self.serve(SecretDataSource),
            self.serve(SecretBackendDataSource),
            self.serve(DefaultBackendDataSource),
        ]
    }

    fn ephemeral_resources(&self) -> Vec<Arc<dyn EphemeralResource>> {
        vec![self.serve(EphemeralSecret)]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(SecretRef), Arc::new(ParseSecretRef)]
    }
}
