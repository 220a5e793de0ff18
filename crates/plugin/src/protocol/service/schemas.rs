//! Handlers that return schemas and names.

use std::sync::Arc;

use super::Inner;
use crate::Diagnostics;
use crate::protocol::{convert, wire};

const CAPABILITIES: wire::ServerCapabilities = wire::ServerCapabilities {
    plan_destroy: true,
    get_provider_schema_optional: true,
    move_resource_state: true,
};

pub(super) async fn metadata(
    inner: Arc<Inner>,
    _: wire::GetMetadataRequest,
) -> Result<wire::GetMetadataResponse, Diagnostics> {
    let registry = inner.registry();
    let named = |name: &String| wire::Named {
        type_name: name.clone(),
    };
    let function = |name: &String| wire::FunctionMetadata { name: name.clone() };
    Ok(wire::GetMetadataResponse {
        server_capabilities: Some(CAPABILITIES),
        diagnostics: Vec::new(),
        data_sources: registry.data_sources.keys().map(named).collect(),
        resources: registry.resources.keys().map(named).collect(),
        functions: registry.functions.keys().map(function).collect(),
        ephemeral_resources: registry.ephemeral_resources.keys().map(named).collect(),
        list_resources: Vec::new(),
    })
}

pub(super) async fn provider_schema(
    inner: Arc<Inner>,
    _: wire::GetProviderSchemaRequest,
) -> Result<wire::GetProviderSchemaResponse, Diagnostics> {
    let registry = inner.registry();
    let resources = registry.resources.iter();
    let data_sources = registry.data_sources.iter();
    let ephemeral = registry.ephemeral_resources.iter();
    let functions = registry.functions.iter();
    Ok(wire::GetProviderSchemaResponse {
        provider: Some(convert::schema(&registry.provider.schema)),
        resource_schemas: resources
            .map(|(name, entry)| (name.clone(), convert::schema(&entry.typed.schema)))
            .collect(),
        data_source_schemas: data_sources
            .map(|(name, entry)| (name.clone(), convert::schema(&entry.typed.schema)))
            .collect(),
        ephemeral_resource_schemas: ephemeral
            .map(|(name, entry)| (name.clone(), convert::schema(&entry.typed.schema)))
            .collect(),
        functions: functions
            .map(|(name, entry)| (name.clone(), convert::function(&entry.signature)))
            .collect(),
        server_capabilities: Some(CAPABILITIES),
        ..Default::default()
    })
}

pub(super) async fn identity_schemas(
    inner: Arc<Inner>,
    _: wire::GetResourceIdentitySchemasRequest,
) -> Result<wire::GetResourceIdentitySchemasResponse, Diagnostics> {
    let with_identity = inner
        .registry()
        .resources
        .iter()
        .filter_map(|(name, entry)| {
            let identity = entry.identity.as_ref()?;
            Some((name.clone(), convert::identity_schema(&identity.schema)))
        });
    Ok(wire::GetResourceIdentitySchemasResponse {
        identity_schemas: with_identity.collect(),
        diagnostics: Vec::new(),
    })
}

pub(super) async fn functions(
    inner: Arc<Inner>,
    _: wire::GetFunctionsRequest,
) -> Result<wire::GetFunctionsResponse, Diagnostics> {
    let functions = inner.registry().functions.iter();
    Ok(wire::GetFunctionsResponse {
        functions: functions
            .map(|(name, entry)| (name.clone(), convert::function(&entry.signature)))
            .collect(),
        diagnostics: Vec::new(),
    })
}
