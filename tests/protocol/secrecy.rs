//! Secret values never leave the process.

use prost::Message;
use serde_json::{Value as Json, json};

use crate::calls::{call, create, path};
use crate::probe::{SECRET, command};
use test_support::plugin_client::Plugin;
use test_support::plugin_client::value::{decode, encode, unknown};
use test_support::plugin_client::wire::*;

fn config() -> Json {
    json!({
        "name": "n",
        "secret_wo": SECRET,
        "secret_wo_version": "1",
        "credentials": { "key_wo": SECRET, "label": "a" },
        "keys": [{ "key_wo": SECRET, "label": "b" }],
    })
}

fn assert_silent(message: &impl Message) {
    let bytes = message.encode_to_vec();
    let found = bytes
        .windows(SECRET.len())
        .any(|window| window == SECRET.as_bytes());
    assert!(!found, "a write-only value left");
}

#[tokio::test]
async fn write_only_values_leave_in_no_answer() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;

    let plan = call::plan(&mut client, &Json::Null, &config(), &[]).await;
    assert!(plan.diagnostics.is_empty() && plan.planned_state.is_some());
    assert_silent(&plan);
    let created = call::apply(&mut client, &Json::Null, &config(), plan)
        .await
        .unwrap();
    assert!(created.diagnostics.is_empty());
    assert_silent(&created);
    // The provider received the value.
    let state = decode(created.new_state.as_ref());
    assert_eq!(state["secret_length"], SECRET.len());
    assert_eq!(
        state["credentials"],
        json!({ "key_wo": null, "label": "a" })
    );

    let plan = call::plan(&mut client, &state, &config(), &created.private).await;
    assert_silent(&plan);
    let updated = call::apply(&mut client, &state, &config(), plan)
        .await
        .unwrap();
    assert!(updated.diagnostics.is_empty(), "{:?}", updated.diagnostics);
    assert_silent(&updated);

    let read = call::read(&mut client, &state).await;
    assert!(read.diagnostics.is_empty());
    assert_silent(&read);

    let import = ImportResourceStateRequest {
        type_name: call::thing(),
        id: "imported".into(),
        ..Default::default()
    };
    let imported = client
        .import_resource_state(import)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        decode(imported.imported_resources[0].state.as_ref())["name"],
        "imported"
    );
    assert_silent(&imported);

    let by_identity = ImportResourceStateRequest {
        type_name: call::thing(),
        identity: Some(ResourceIdentityData {
            identity_data: encode(&json!({ "name": "known" })),
        }),
        ..Default::default()
    };
    let imported = client
        .import_resource_state(by_identity)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        decode(imported.imported_resources[0].state.as_ref())["name"],
        "known"
    );
    assert_silent(&imported);

    let upgrade = UpgradeResourceStateRequest {
        type_name: call::thing(),
        version: 0,
        raw_state: Some(RawState {
            json: br#"{"title":"t"}"#.to_vec(),
            ..Default::default()
        }),
    };
    let upgraded = client
        .upgrade_resource_state(upgrade)
        .await
        .unwrap()
        .into_inner();
    assert!(upgraded.upgraded_state.is_some());
    assert_silent(&upgraded);

    let moved = MoveResourceStateRequest {
        target_type_name: call::thing(),
        source_state: Some(RawState {
            json: b"{}".to_vec(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let moved = client
        .move_resource_state(moved)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(decode(moved.target_state.as_ref())["name"], "{}");
    assert_silent(&moved);
}

#[tokio::test]
async fn a_host_that_would_store_write_only_values_is_refused_where_they_are_set() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let refused = call::validate(&mut client, &config(), false).await;
    let paths: Vec<String> = refused.iter().map(path).collect();
    assert_eq!(paths, ["secret_wo", "credentials/key_wo", "keys/0/key_wo"]);
    assert_eq!(refused[0].summary, "Write-Only Attributes Not Supported");
    assert!(
        refused[0]
            .detail
            .contains("Terraform 1.11 or OpenTofu 1.11")
    );
    refused.iter().for_each(assert_silent);

    let not_yet_known = json!({ "name": "n", "secret_wo": unknown() });
    assert_eq!(
        call::validate(&mut client, &not_yet_known, false)
            .await
            .len(),
        1
    );
    let without = json!({ "name": "n", "secret_wo": null });
    assert!(
        call::validate(&mut client, &without, false)
            .await
            .is_empty()
    );
    assert!(
        call::validate(&mut client, &config(), true)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_panic_is_told_without_its_message_and_the_process_lives() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let mut bad = config();
    bad["mode"] = "panic".into();
    let plan = call::plan(&mut client, &Json::Null, &bad, &[]).await;
    assert_silent(&plan);
    let detail = &plan.diagnostics[0].detail;
    assert!(detail.contains("probe/thing.rs:"), "{detail}");
    assert!(detail.contains("This is always a bug in the provider. Please report it."));

    // A panic during an apply keeps the state and the private data.
    let created = create(&mut client, &config()).await.unwrap();
    let state = decode(created.new_state.as_ref());
    bad["mode"] = "panic in apply".into();
    let plan = call::plan(&mut client, &state, &bad, &created.private).await;
    let updated = call::apply(&mut client, &state, &bad, plan).await.unwrap();
    assert_silent(&updated);
    assert!(updated.diagnostics[0].detail.contains("probe/thing.rs:"));
    assert_eq!(decode(updated.new_state.as_ref()), state);
    assert!(!updated.private.is_empty());

    plugin.await_stderr("the provider panicked");
    assert!(!plugin.stderr().contains(SECRET));
    for line in plugin.stderr().lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        assert_eq!(line["@level"], "error");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_dumps_no_core() {
    let plugin = Plugin::start(command());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", plugin.id())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let fields: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(fields[4..6], ["0", "0"]);
}
