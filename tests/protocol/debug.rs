//! Tests debug mode: one process serves several runs.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::calls::{call, create, in_time};
use crate::probe::command;
use test_support::plugin_client::wire::StopProviderRequest;
use test_support::plugin_client::{Process, attach};

/// Starts the probe in debug mode. Returns the process and its socket.
fn start() -> (Process, PathBuf) {
    let mut command = command();
    command.env("PROBE", "debug").env("TF_LOG", "INFO");
    let process = Process::start(command);
    let line = process.first_line.as_str();
    let providers = line.strip_prefix("TF_REATTACH_PROVIDERS='").unwrap();
    let providers: Json = serde_json::from_str(providers.strip_suffix('\'').unwrap()).unwrap();
    let address = &providers["registry.terraform.io/test/probe"]["Addr"]["String"];
    let socket = PathBuf::from(address.as_str().unwrap());
    (process, socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_debug_mode_stop_provider_ends_the_run_under_way_and_no_later_one() {
    let (process, socket) = start();
    let mut client = attach(&socket).await;
    for round in 1..=2 {
        let mut waiting = client.clone();
        let waiting = tokio::spawn(async move {
            create(&mut waiting, &json!({ "name": "n", "mode": "wait" })).await
        });
        tokio::task::block_in_place(|| process.await_stderr_times(round, "waiting for the token"));
        client.stop_provider(StopProviderRequest {}).await.unwrap();
        let response = in_time(waiting).await.unwrap();
        assert_eq!(response.diagnostics[0].summary, "Create Stopped");
        let later = call::read(&mut client, &json!({ "name": "n", "mode": "cancelled?" })).await;
        assert!(later.diagnostics.is_empty(), "{:?}", later.diagnostics);
    }
}
