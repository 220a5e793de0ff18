//! Handlers of data sources.

use std::sync::Arc;

use super::Inner;
use crate::protocol::deadline::bound_read;
use crate::protocol::{convert, wire};
use crate::{Diagnostics, ReadDataRequest};

pub(super) async fn validate(
    inner: Arc<Inner>,
    request: wire::ValidateDataResourceConfigRequest,
) -> Result<wire::ValidateDataResourceConfigResponse, Diagnostics> {
    let entry = inner.registry().data_source(&request.type_name)?;
    let config = entry.typed.config(request.config)?;
    let diagnostics = entry
        .it
        .validate_config(&inner.context(None), &config)
        .await;
    Ok(wire::ValidateDataResourceConfigResponse {
        diagnostics: convert::diagnostics(diagnostics),
    })
}

pub(super) async fn read(
    inner: Arc<Inner>,
    request: wire::ReadDataSourceRequest,
) -> Result<wire::ReadDataSourceResponse, Diagnostics> {
    let entry = inner.registry().data_source(&request.type_name)?;
    let config = entry.typed.incoming(request.config)?;
    let cx = inner.context(request.client_capabilities);
    let cx = cx.within(entry.it.timeout());
    let read = entry.it.read(&cx, ReadDataRequest { config });
    let step = ("read", entry.it.noun());
    let response = bound_read(&cx, step, read).await?;
    Ok(wire::ReadDataSourceResponse {
        state: Some(entry.typed.outgoing(response.state)?),
        diagnostics: convert::diagnostics(response.diagnostics),
    })
}
