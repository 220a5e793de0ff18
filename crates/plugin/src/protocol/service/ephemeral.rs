//! Handlers of ephemeral resources.

use std::sync::Arc;

use super::{Inner, private_data};
use crate::protocol::deadline::bound_read;
use crate::protocol::{convert, wire};
use crate::{Context, Diagnostics, OpenRequest, PrivateData, RenewRequest};

pub(super) async fn validate(
    inner: Arc<Inner>,
    request: wire::ValidateEphemeralResourceConfigRequest,
) -> Result<wire::ValidateEphemeralResourceConfigResponse, Diagnostics> {
    let entry = inner.registry().ephemeral_resource(&request.type_name)?;
    let config = entry.typed.config(request.config)?;
    let diagnostics = entry
        .it
        .validate_config(&inner.context(None), &config)
        .await;
    Ok(wire::ValidateEphemeralResourceConfigResponse {
        diagnostics: convert::diagnostics(diagnostics),
    })
}

pub(super) async fn open(
    inner: Arc<Inner>,
    request: wire::OpenEphemeralResourceRequest,
) -> Result<wire::OpenEphemeralResourceResponse, Diagnostics> {
    let entry = inner.registry().ephemeral_resource(&request.type_name)?;
    let config = entry.typed.incoming(request.config)?;
    let cx = inner.context(request.client_capabilities);
    let open = OpenRequest {
        config,
        may_be_unknown: accepts_unknown(&cx),
    };
    let cx = cx.within(entry.it.timeout());
    let step = ("open", entry.it.noun());
    let response = bound_read(&cx, step, entry.it.open(&cx, open)).await?;
    Ok(wire::OpenEphemeralResourceResponse {
        result: Some(entry.typed.outgoing(response.result)?),
        renew_at: response.renew_at.map(convert::timestamp),
        private: blob(&response.private),
        diagnostics: convert::diagnostics(response.diagnostics),
    })
}

pub(super) async fn renew(
    inner: Arc<Inner>,
    request: wire::RenewEphemeralResourceRequest,
) -> Result<wire::RenewEphemeralResourceResponse, Diagnostics> {
    let entry = inner.registry().ephemeral_resource(&request.type_name)?;
    let private = private_data(&request.private.unwrap_or_default())?;
    let renew = RenewRequest {
        private: private.clone(),
    };
    let response = entry.it.renew(&inner.context(None), renew).await?;
    Ok(wire::RenewEphemeralResourceResponse {
        renew_at: response.renew_at.map(convert::timestamp),
        private: blob(&response.private.unwrap_or(private)),
        diagnostics: convert::diagnostics(response.diagnostics),
    })
}

pub(super) async fn close(
    inner: Arc<Inner>,
    request: wire::CloseEphemeralResourceRequest,
) -> Result<wire::CloseEphemeralResourceResponse, Diagnostics> {
    let entry = inner.registry().ephemeral_resource(&request.type_name)?;
    let private = private_data(&request.private.unwrap_or_default())?;
    let diagnostics = entry.it.close(&inner.context(None), private).await;
    Ok(wire::CloseEphemeralResourceResponse {
        diagnostics: convert::diagnostics(diagnostics),
    })
}

/// Distinguishes Terraform from OpenTofu by the capabilities in the request, since no field
/// names the host. Terraform before 1.16.4 announces none, and later releases announce all of
/// theirs (<https://github.com/hashicorp/terraform/pull/39237>). OpenTofu announces write-only
/// attributes alone, and rejects a result with an unknown part
/// (`internal/shared/ephemeral_resource.go` of 1.12).
fn accepts_unknown(cx: &Context) -> bool {
    !cx.write_only_allowed || cx.keeps_planned_private
}

fn blob(private: &PrivateData) -> Option<Vec<u8>> {
    (!private.is_empty()).then(|| private.encode())
}
