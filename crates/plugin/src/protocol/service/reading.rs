//! Handlers of the provider itself and of data sources.

use std::sync::Arc;

use super::Inner;
use crate::protocol::deadline::bound_read;
use crate::protocol::{convert, wire};
use crate::{ConfigureRequest, Diagnostics, ReadDataRequest};

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
    let cx = cx.within(inner.provider.configure_timeout());
    let configure = async { Ok(inner.provider.configure(&cx, configure).await) };
    let diagnostics = bound_read(&cx, ("configuring", "the provider"), configure).await?;
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
    let cx = cx.within(entry.it.timeout());
    let read = entry.it.read(&cx, ReadDataRequest { config });
    let step = ("reading", entry.it.noun());
    let response = bound_read(&cx, step, read).await?;
    Ok(wire::ReadDataSourceResponse {
        state: Some(entry.typed.outgoing(response.state)?),
        diagnostics: convert::diagnostics(response.diagnostics),
    })
}
