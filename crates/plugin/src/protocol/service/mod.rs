//! The Provider service: decodes a request, calls the author's code, and encodes the
//! response.

mod data_sources;
mod dispatch;
mod ephemeral;
mod functions;
mod provider;
mod resources;
mod schemas;
mod stop;
mod stored;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tonic::{Request, Response, Status};

pub(super) use stop::StopToken;

use super::registry::Registry;
use super::{convert, panics, wire};
use crate::{Context, Diagnostic, Diagnostics, PrivateData, Provider};

/// Service of one provider.
#[derive(Clone, Debug)]
pub(super) struct ProviderService {
    inner: Arc<Inner>,
}

/// State that all calls share.
#[derive(Debug)]
pub(super) struct Inner {
    provider: Arc<dyn Provider>,
    registry: OnceLock<Registry>,
    stop: StopToken,
}

/// Response that can carry a failure.
trait Answer: Default + Send + 'static {
    /// Returns a response of diagnostics alone.
    fn failed(diagnostics: Diagnostics) -> Self;
}

impl ProviderService {
    pub(super) fn new(provider: Arc<dyn Provider>, stop: StopToken) -> Self {
        Self {
            inner: Arc::new(Inner {
                provider,
                registry: OnceLock::new(),
                stop,
            }),
        }
    }

    /// Runs one call in its own task. A broken connection does not drop the call inside a
    /// commit, and a panic ends that call only.
    async fn call<Q, A, F>(
        &self,
        rpc: &'static str,
        request: Request<Q>,
        handler: impl FnOnce(Arc<Inner>, Q) -> F + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Answer,
        F: Future<Output = Result<A, Diagnostics>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let request = request.into_inner();
        let started = Instant::now();
        let task = tokio::spawn(panics::catch(async move { handler(inner, request).await }));
        let Ok(outcome) = task.await else {
            return Err(Status::cancelled("the provider is shutting down"));
        };
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(rpc, micros, "answered");
        Ok(Response::new(match outcome {
            Ok(Ok(answer)) => answer,
            Ok(Err(diagnostics)) => A::failed(failure(diagnostics)),
            Err(defect) => A::failed(Diagnostic::from(defect).into()),
        }))
    }
}

impl Inner {
    fn registry(&self) -> &Registry {
        self.registry.get_or_init(|| Registry::new(&*self.provider))
    }

    fn context(&self, capabilities: Option<wire::ClientCapabilities>) -> Context {
        let capabilities = capabilities.unwrap_or_default();
        Context {
            cancellation: self.stop.current(),
            deadline: None,
            write_only_allowed: capabilities.write_only_attributes_allowed,
            deferral_allowed: capabilities.deferral_allowed,
            keeps_planned_private: capabilities.store_planned_private,
        }
    }
}

/// Returns the diagnostics of a failed call, with at least one error. Without one, the host
/// would count the call as a success.
fn failure(mut diagnostics: Diagnostics) -> Diagnostics {
    if !diagnostics.has_errors() {
        diagnostics.push(Diagnostic::bug("A call failed without an error."));
    }
    diagnostics
}

fn private_data(blob: &[u8]) -> Result<PrivateData, Diagnostics> {
    PrivateData::decode(blob).map_err(|error| {
        Diagnostic::error(
            "Resource State Not Readable",
            format!(
                "The private data of this resource is damaged, or was written by a later release \
                 or by another provider of the same name.\n\nUpgrade the provider. If that does \
                 not help, restore the state from a backup, or remove the resource from it \
                 (terraform state rm) and import it again.\n\nOriginal error: {error}"
            ),
        )
        .into()
    })
}

macro_rules! answers {
    ($($answer:ident),+ $(,)?) => {$(
        impl Answer for wire::$answer {
            fn failed(diagnostics: Diagnostics) -> Self {
                let diagnostics = convert::diagnostics(diagnostics);
                let mut answer = Self::default();
                answer.diagnostics = diagnostics;
                answer
            }
        }
    )+};
}

answers!(
    GetMetadataResponse,
    GetProviderSchemaResponse,
    GetResourceIdentitySchemasResponse,
    GetFunctionsResponse,
    ValidateProviderConfigResponse,
    ConfigureProviderResponse,
    ValidateResourceConfigResponse,
    UpgradeResourceStateResponse,
    UpgradeResourceIdentityResponse,
    ReadResourceResponse,
    PlanResourceChangeResponse,
    ApplyResourceChangeResponse,
    ImportResourceStateResponse,
    MoveResourceStateResponse,
    ValidateDataResourceConfigResponse,
    ReadDataSourceResponse,
    ValidateEphemeralResourceConfigResponse,
    OpenEphemeralResourceResponse,
    RenewEphemeralResourceResponse,
    CloseEphemeralResourceResponse,
);

impl Answer for wire::StopProviderResponse {
    fn failed(diagnostics: Diagnostics) -> Self {
        let error = diagnostics
            .iter()
            .map(|d| d.summary.as_str())
            .collect::<Vec<_>>()
            .join("; ");
        Self { error }
    }
}

impl Answer for wire::CallFunctionResponse {
    fn failed(diagnostics: Diagnostics) -> Self {
        let text = diagnostics
            .iter()
            .map(|d| d.detail.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        Self {
            result: None,
            error: Some(wire::FunctionError {
                text,
                function_argument: None,
            }),
        }
    }
}
