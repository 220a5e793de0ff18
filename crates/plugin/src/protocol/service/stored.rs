//! Handlers of states that come from elsewhere: an earlier schema, an import,
//! another resource type.

use std::sync::Arc;

use super::Inner;
use crate::protocol::codec::from_json;
use crate::protocol::deadline::bound_read;
use crate::protocol::registry::{ResourceEntry, ill_typed_request};
use crate::protocol::{convert, wire};
use crate::timeouts::Operation;
use crate::{
    AttributeType, Diagnostic, Diagnostics, ImportRequest, ImportResponse, ImportTarget,
    MoveRequest, UpgradeRequest, Value,
};
use planton_secret::SecretBytes;

pub(super) async fn upgrade_state(
    inner: Arc<Inner>,
    request: wire::UpgradeResourceStateRequest,
) -> Result<wire::UpgradeResourceStateResponse, Diagnostics> {
    let entry = inner.registry().resource(&request.type_name)?;
    let current = entry.typed.schema.version;
    let version = request.version;
    let state = if version == current {
        decode(request.raw_state, &entry.typed.ty)?
    } else {
        let prior = entry
            .it
            .prior_type(version)
            .ok_or_else(|| no_such(version, current))?;
        let value = decode(request.raw_state, &prior)?;
        let upgrade = UpgradeRequest { version, value };
        entry
            .it
            .upgrade_state(&inner.context(None), upgrade)
            .await?
    };
    Ok(wire::UpgradeResourceStateResponse {
        upgraded_state: Some(entry.typed.outgoing(state)?),
        diagnostics: Vec::new(),
    })
}

pub(super) async fn upgrade_identity(
    inner: Arc<Inner>,
    request: wire::UpgradeResourceIdentityRequest,
) -> Result<wire::UpgradeResourceIdentityResponse, Diagnostics> {
    let entry = inner.registry().resource(&request.type_name)?;
    let Some(identity) = &entry.identity else {
        return Err(Diagnostic::bug("This resource type has no identity.").into());
    };
    let (version, current) = (request.version, identity.schema.version);
    let value = if version == current {
        decode(request.raw_identity, &identity.ty)?
    } else {
        let prior = entry.it.prior_identity_type(version);
        let prior = prior.ok_or_else(|| no_such(version, current))?;
        let value = decode(request.raw_identity, &prior)?;
        let upgrade = UpgradeRequest { version, value };
        entry
            .it
            .upgrade_identity(&inner.context(None), upgrade)
            .await?
    };
    Ok(wire::UpgradeResourceIdentityResponse {
        upgraded_identity: entry.outgoing_identity(&value)?,
        diagnostics: Vec::new(),
    })
}

pub(super) async fn import(
    inner: Arc<Inner>,
    request: wire::ImportResourceStateRequest,
) -> Result<wire::ImportResourceStateResponse, Diagnostics> {
    let entry = inner.registry().resource(&request.type_name)?;
    let identity = entry.incoming_identity(request.identity)?;
    let target = if identity.is_null() {
        ImportTarget::Id(request.id)
    } else {
        ImportTarget::Identity(identity)
    };
    let cx = inner.context(request.client_capabilities);
    let cx = cx.within(entry.limit(Operation::Read, &Value::Null));
    let step = ("importing", entry.it.noun());
    let import = entry.it.import(&cx, ImportRequest { target });
    let arrived = arrived(entry, bound_read(&cx, step, import).await?)?;
    Ok(wire::ImportResourceStateResponse {
        imported_resources: vec![wire::ImportedResource {
            type_name: request.type_name,
            state: Some(arrived.state),
            private: arrived.private,
            identity: arrived.identity,
        }],
        diagnostics: arrived.diagnostics,
    })
}

pub(super) async fn move_state(
    inner: Arc<Inner>,
    request: wire::MoveResourceStateRequest,
) -> Result<wire::MoveResourceStateResponse, Diagnostics> {
    let entry = inner.registry().resource(&request.target_type_name)?;
    let mut source = request.source_state.unwrap_or_default();
    let moved = MoveRequest {
        source_provider_address: request.source_provider_address,
        source_type_name: request.source_type_name,
        source_schema_version: request.source_schema_version,
        source_state: SecretBytes::new(std::mem::take(&mut source.json)),
        source_private: request.source_private,
    };
    let response = entry.it.move_state(&inner.context(None), moved).await?;
    let arrived = arrived(entry, response)?;
    Ok(wire::MoveResourceStateResponse {
        target_state: Some(arrived.state),
        target_private: arrived.private,
        target_identity: arrived.identity,
        diagnostics: arrived.diagnostics,
    })
}

struct Arrived {
    state: wire::DynamicValue,
    private: Vec<u8>,
    identity: Option<wire::ResourceIdentityData>,
    diagnostics: Vec<wire::Diagnostic>,
}

fn arrived(entry: &ResourceEntry, response: ImportResponse) -> Result<Arrived, Diagnostics> {
    Ok(Arrived {
        state: entry.typed.outgoing(response.state)?,
        private: response.private.encode(),
        identity: entry.outgoing_identity(&response.identity.unwrap_or_default())?,
        diagnostics: convert::diagnostics(response.diagnostics),
    })
}

fn decode(raw: Option<wire::RawState>, ty: &AttributeType) -> Result<Value, Diagnostics> {
    let mut raw = raw.unwrap_or_default();
    if !raw.flatmap.is_empty() {
        return Err(Diagnostic::error(
            "State Too Old",
            "This state is in the form of Terraform 0.11, which this provider never wrote.",
        )
        .into());
    }
    let json = SecretBytes::new(std::mem::take(&mut raw.json));
    from_json(json.expose(), ty).map_err(ill_typed_request)
}

fn no_such(version: i64, current: i64) -> Diagnostics {
    Diagnostic::error(
        "Unknown State Version",
        format!(
            "The state has schema version {version}; this release of the provider knows versions \
             up to {current}. A newer release wrote it: upgrade the provider."
        ),
    )
    .into()
}
