//! Handlers of the provider itself and of data sources.

use std::sync::Arc;

use super::Inner;
use crate::protocol::{convert, wire};
use crate::{ConfigureRequest, Diagnostic, Diagnostics, ReadDataRequest};

pub(super) async fn validate_provider(
    inner: Arc<Inner>,
    request: wire::ValidateProviderConfigRequest,
) -> Result<wire::ValidateProviderConfigResponse, Diagnostics> {
    let config = inner.registry().provider.incoming(request.config)?;
    let diagnostics = inner
        .provider
        .validate_config(&inner.context(None), &config)
        .await;
    Ok(wire::ValidateProviderConfigResponse {
        diagnostics: convert::diagnostics(diagnostics),
    })
}

pub(super) async fn configure(
    inner: Arc<Inner>,
    request: wire::ConfigureProviderRequest,
) -> Result<wire::ConfigureProviderResponse, Diagnostics> {
    let cx = inner.context(request.client_capabilities);
    let configure = ConfigureRequest {
        config: inner.registry().provider.incoming(request.config)?,
        terraform_version: request.terraform_version,
    };
    let diagnostics = inner.provider.configure(&cx, configure).await;
    Ok(wire::ConfigureProviderResponse {
        diagnostics: convert::diagnostics(diagnostics),
    })
}

/// Cancels the calls under way; [`StopToken`](super::StopToken) says what
/// becomes of later ones.
pub(super) async fn stop(
    inner: Arc<Inner>,
    _: wire::StopProviderRequest,
) -> Result<wire::StopProviderResponse, Diagnostics> {
    inner.stop.stop();
    inner.provider.stop();
    tracing::info!("stopped, as the host asks");
    Ok(wire::StopProviderResponse::default())
}

pub(super) async fn validate_data_source(
    inner: Arc<Inner>,
    request: wire::ValidateDataResourceConfigRequest,
) -> Result<wire::ValidateDataResourceConfigResponse, Diagnostics> {
    let entry = inner.registry().data_source(&request.type_name)?;
    let config = entry.typed.incoming(request.config)?;
    let diagnostics = entry
        .it
        .validate_config(&inner.context(None), &config)
        .await;
    Ok(wire::ValidateDataResourceConfigResponse {
        diagnostics: convert::diagnostics(diagnostics),
    })
}

pub(super) async fn read_data_source(
    inner: Arc<Inner>,
    request: wire::ReadDataSourceRequest,
) -> Result<wire::ReadDataSourceResponse, Diagnostics> {
    let entry = inner.registry().data_source(&request.type_name)?;
    let config = entry.typed.incoming(request.config)?;
    let cx = inner.context(request.client_capabilities);
    let mut response = entry.it.read(&cx, ReadDataRequest { config }).await;
    if response.state.is_none() && !response.diagnostics.has_errors() {
        response.diagnostics.push(Diagnostic::bug(
            "A read gave neither a result nor an error.",
        ));
    }
    let state = response
        .state
        .map(|state| entry.typed.outgoing(state))
        .transpose()?;
    Ok(wire::ReadDataSourceResponse {
        state,
        diagnostics: convert::diagnostics(response.diagnostics),
    })
}
