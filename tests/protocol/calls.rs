//! Calls of the probe, with short arguments.

use serde_json::Value as Json;
use tonic::Status;
use tonic::transport::Channel;

use test_support::plugin_client::value::encode;
use test_support::plugin_client::wire::provider_client::ProviderClient;
use test_support::plugin_client::wire::*;

pub(crate) type Client = ProviderClient<Channel>;

/// The calls of a host.
pub(crate) mod call {
    use super::*;

    pub(crate) fn thing() -> String {
        "probe_thing".into()
    }

    pub(crate) async fn plan(
        client: &mut Client,
        prior: &Json,
        config: &Json,
        private: &[u8],
    ) -> PlanResourceChangeResponse {
        // A host proposes the configuration with the prior computed values.
        let mut proposed = config.clone();
        if let (Json::Object(proposed), Json::Object(prior)) = (&mut proposed, prior) {
            for computed in ["id", "secret_length", "serial"] {
                let before = prior.get(computed).cloned().unwrap_or_default();
                proposed.insert(computed.into(), before);
            }
        }
        let request = PlanResourceChangeRequest {
            type_name: thing(),
            prior_state: encode(prior),
            proposed_new_state: encode(&proposed),
            config: encode(config),
            prior_private: private.to_vec(),
            ..Default::default()
        };
        client
            .plan_resource_change(request)
            .await
            .unwrap()
            .into_inner()
    }

    pub(crate) async fn apply(
        client: &mut Client,
        prior: &Json,
        config: &Json,
        plan: PlanResourceChangeResponse,
    ) -> Result<ApplyResourceChangeResponse, Status> {
        let request = ApplyResourceChangeRequest {
            type_name: thing(),
            prior_state: encode(prior),
            planned_state: plan.planned_state,
            config: encode(config),
            planned_private: plan.planned_private,
            planned_identity: plan.planned_identity,
        };
        Ok(client.apply_resource_change(request).await?.into_inner())
    }

    pub(crate) async fn read(client: &mut Client, state: &Json) -> ReadResourceResponse {
        let request = ReadResourceRequest {
            type_name: thing(),
            current_state: encode(state),
            ..Default::default()
        };
        client.read_resource(request).await.unwrap().into_inner()
    }

    pub(crate) async fn validate(
        client: &mut Client,
        config: &Json,
        write_only_attributes_allowed: bool,
    ) -> Vec<Diagnostic> {
        let request = ValidateResourceConfigRequest {
            type_name: thing(),
            config: encode(config),
            client_capabilities: Some(ClientCapabilities {
                write_only_attributes_allowed,
                ..Default::default()
            }),
        };
        client
            .validate_resource_config(request)
            .await
            .unwrap()
            .into_inner()
            .diagnostics
    }
}

/// Plans and applies a creation.
pub(crate) async fn create(
    client: &mut Client,
    config: &Json,
) -> Result<ApplyResourceChangeResponse, Status> {
    let plan = call::plan(client, &Json::Null, config, &[]).await;
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    call::apply(client, &Json::Null, config, plan).await
}

/// Waits for another task, with a time limit.
pub(crate) async fn in_time<T>(task: tokio::task::JoinHandle<T>) -> T {
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, task)
        .await
        .expect("in time")
        .unwrap()
}

/// Returns an attribute path as text.
pub(crate) fn path(diagnostic: &Diagnostic) -> String {
    use attribute_path::step::Selector;
    let steps = diagnostic.attribute.iter().flat_map(|path| &path.steps);
    let text = |step: &attribute_path::Step| match step.selector.clone() {
        Some(Selector::AttributeName(name)) => name,
        Some(Selector::ElementKeyString(key)) => key,
        Some(Selector::ElementKeyInt(index)) => index.to_string(),
        None => "?".into(),
    };
    steps.map(text).collect::<Vec<_>>().join("/")
}
