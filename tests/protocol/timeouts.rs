//! The limits of `timeouts`, from the configuration to the end of the call.

use serde_json::{Value as Json, json};

use crate::calls::{Client, in_time};
use crate::probe::command;
use test_support::plugin_client::Plugin;
use test_support::plugin_client::value::{decode, encode};
use test_support::plugin_client::wire::*;

/// A state or a configuration with a limit of one second for `operation`.
fn limited(operation: &str) -> Json {
    let mut limited = json!({
        "name": "n", "is_late": null,
        "timeouts": { "create": null, "read": null, "update": null, "delete": null },
    });
    limited["timeouts"][operation] = "1s".into();
    limited
}

async fn read(client: &mut Client, state: Json) -> ReadResourceResponse {
    let mut client = client.clone();
    let request = ReadResourceRequest {
        type_name: "probe_waiting".into(),
        current_state: encode(&state),
        ..Default::default()
    };
    let reading = async move { client.read_resource(request).await.unwrap().into_inner() };
    in_time(tokio::spawn(reading)).await
}

async fn create(mut client: Client, config: Json) -> ApplyResourceChangeResponse {
    let plan = PlanResourceChangeRequest {
        type_name: "probe_waiting".into(),
        prior_state: encode(&Json::Null),
        proposed_new_state: encode(&config),
        config: encode(&config),
        ..Default::default()
    };
    let plan = client
        .plan_resource_change(plan)
        .await
        .unwrap()
        .into_inner();
    let apply = ApplyResourceChangeRequest {
        type_name: "probe_waiting".into(),
        prior_state: encode(&Json::Null),
        planned_state: plan.planned_state,
        config: encode(&config),
        planned_private: plan.planned_private,
        ..Default::default()
    };
    client
        .apply_resource_change(apply)
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test]
async fn a_read_that_hangs_ends_at_its_configured_limit_and_keeps_the_state() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let state = limited("read");
    let response = read(&mut client, state.clone()).await;
    assert_eq!(response.diagnostics.len(), 1);
    assert_eq!(response.diagnostics[0].summary, "Operation Timed Out");
    let detail = &response.diagnostics[0].detail;
    assert!(detail.contains("could read the waiting thing"), "{detail}");
    assert_eq!(decode(response.new_state.as_ref()), state);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_outlasts_its_limit_is_not_dropped_and_returns_its_state() {
    let mut command = command();
    command.env("TF_LOG_PROVIDER", "INFO");
    let plugin = Plugin::start(command);
    let mut client = plugin.client().await;
    let creating = tokio::spawn(create(client.clone(), limited("create")));
    tokio::task::block_in_place(|| plugin.await_stderr("waiting for a stop"));
    // A read with the same limit, which begins later: when it has ended, the limit of the
    // creation has passed, with the grace that a read has after it.
    let read = read(&mut client, limited("read")).await;
    assert_eq!(read.diagnostics[0].summary, "Operation Timed Out");
    assert!(!creating.is_finished());
    client.stop_provider(StopProviderRequest {}).await.unwrap();
    let created = in_time(creating).await;
    assert_eq!(created.diagnostics, []);
    let mut expected = limited("create");
    expected["is_late"] = true.into();
    assert_eq!(decode(created.new_state.as_ref()), expected);
}
