//! Handlers of the provider itself.

use std::sync::Arc;

use super::Inner;
use crate::protocol::deadline::bound_read;
use crate::protocol::{convert, wire};
use crate::{ConfigureRequest, Diagnostics};

pub(super) async fn validate(
    inner: Arc<Inner>,
    request: wire::ValidateProviderConfigRequest,
) -> Result<wire::ValidateProviderConfigResponse, Diagnostics> {
    let config = inner.registry().provider.config(request.config)?;
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
    let diagnostics = bound_read(&cx, ("configure", "the provider"), configure).await?;
    Ok(wire::ConfigureProviderResponse {
        diagnostics: convert::diagnostics(diagnostics),
    })
}

/// Cancels the running calls. [`StopToken`](super::StopToken) describes later ones.
pub(super) async fn stop(
    inner: Arc<Inner>,
    _: wire::StopProviderRequest,
) -> Result<wire::StopProviderResponse, Diagnostics> {
    inner.stop.stop();
    inner.provider.stop();
    tracing::info!("stopped on request of the host");
    Ok(wire::StopProviderResponse::default())
}
