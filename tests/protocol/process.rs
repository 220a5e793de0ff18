//! Tests the process: handshake, mutual TLS, signals, logs, termination.

use std::os::unix::fs::PermissionsExt;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};

use crate::calls::{call, create, in_time};
use crate::probe::{command, parent_command};
use test_support::plugin_client::wire::health::HealthCheckRequest;
use test_support::plugin_client::wire::health::health_check_response::ServingStatus;
use test_support::plugin_client::wire::{GetMetadataRequest, StopProviderRequest, plugin::Empty};
use test_support::plugin_client::{COOKIE, ClientIdentity, Plugin, run_to_end};

pub(crate) fn signal(id: u32, signal: Signal) {
    let id = Pid::from_raw(id.try_into().unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

#[tokio::test]
async fn the_handshake_line_names_a_socket_that_only_this_user_reaches() {
    let parent = tempfile::tempdir().unwrap();
    let mut command = command();
    command.env("PLUGIN_UNIX_SOCKET_DIR", parent.path());
    let plugin = Plugin::start(command);
    let start = format!("1|6|unix|{}/planton-", parent.path().display());
    assert!(plugin.handshake.starts_with(&start), "{}", plugin.handshake);
    assert_eq!(plugin.handshake.split('|').nth(4), Some("grpc"));
    assert!(!plugin.handshake.contains('='), "unpadded");
    let mode = std::fs::metadata(plugin.folder())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_client_without_the_hosts_own_certificate_is_refused() {
    let plugin = Plugin::start(command());
    for identity in [None, Some(ClientIdentity::generate())] {
        // Under TLS 1.3 the client gets the error with its first call at the latest.
        let Ok(channel) = plugin.connect(identity.as_ref()).await else {
            continue;
        };
        let mut client =
            test_support::plugin_client::wire::provider_client::ProviderClient::new(channel);
        assert!(client.get_metadata(GetMetadataRequest {}).await.is_err());
    }
    let mut client = plugin.client().await;
    let metadata = client
        .get_metadata(GetMetadataRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(metadata.resources[0].type_name, "probe_thing");
}

#[test]
fn what_is_no_host_gets_no_handshake_and_a_reason() {
    let cases = [
        (vec![], "this is a plugin"),
        (vec![(COOKIE.0, "x")], "this is a plugin"),
        (
            vec![COOKIE, ("PLUGIN_PROTOCOL_VERSIONS", "5")],
            "this provider supports 6",
        ),
        (
            vec![COOKIE, ("PLUGIN_PROTOCOL_VERSIONS", "6")],
            "PLUGIN_CLIENT_CERT",
        ),
        (
            vec![
                COOKIE,
                ("PLUGIN_PROTOCOL_VERSIONS", "6"),
                ("PLUGIN_CLIENT_CERT", "x"),
            ],
            "no certificate in PEM form",
        ),
    ];
    for (variables, reason) in cases {
        let mut command = command();
        command.envs(variables.iter().copied());
        let (status, stdout, stderr) = run_to_end(command);
        assert!(!status.success());
        assert_eq!(stdout, "");
        assert!(stderr.contains(reason), "{stderr}");
    }
}

#[tokio::test]
async fn health_is_serving_for_the_plugin() {
    let plugin = Plugin::start(command());
    let mut health = plugin.health().await;
    let of = |service: &str| HealthCheckRequest {
        service: service.into(),
    };
    let status = health
        .check(of("plugin"))
        .await
        .unwrap()
        .into_inner()
        .status;
    assert_eq!(status, i32::from(ServingStatus::Serving));
    assert!(health.check(of("other")).await.is_err());
    let mut watch = health.watch(of("plugin")).await.unwrap().into_inner();
    let status = watch.message().await.unwrap().unwrap().status;
    assert_eq!(status, i32::from(ServingStatus::Serving));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_streams_and_process_and_removes_the_folder() {
    let mut command = command();
    command.env("TF_LOG", "INFO");
    let mut plugin = Plugin::start(command);
    let mut stdio = plugin.stdio().await;
    let mut stream = stdio.stream_stdio(Empty {}).await.unwrap().into_inner();
    // A hanging operation must not delay the shutdown.
    let mut client = plugin.client().await;
    let hanging =
        tokio::spawn(
            async move { create(&mut client, &json!({ "name": "n", "mode": "deaf" })).await },
        );
    tokio::task::block_in_place(|| plugin.await_stderr("waiting for nothing"));
    plugin.controller().await.shutdown(Empty {}).await.unwrap();
    assert!(stream.message().await.unwrap().is_none());
    let status = plugin.wait();
    assert!(status.success(), "{status} {}", plugin.stderr());
    assert!(!plugin.folder().exists());
    assert!(in_time(hanging).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_waits_for_what_continues_after_the_responses_until_its_time_is_over() {
    for (never_finishes, told) in [
        (false, "the finish has ended"),
        (true, "the finish was dropped"),
    ] {
        let mut command = command();
        command.env("TF_LOG", "INFO");
        if never_finishes {
            command.env("PROBE_NEVER_FINISHES", "1");
        }
        let mut plugin = Plugin::start(command);
        plugin.controller().await.shutdown(Empty {}).await.unwrap();
        let status = tokio::task::block_in_place(|| plugin.wait());
        assert!(status.success(), "{status} {}", plugin.stderr());
        plugin.await_stderr(told);
        assert_eq!(plugin.stderr().matches("the finish").count(), 1);
    }
}

#[tokio::test]
async fn an_interrupt_is_left_to_the_host() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    for _ in 0..3 {
        signal(plugin.id(), Signal::INT);
        client.get_metadata(GetMetadataRequest {}).await.unwrap();
    }
    let read = call::read(&mut client, &json!({ "name": "n", "mode": "cancelled?" })).await;
    assert!(read.diagnostics.is_empty(), "nobody asked to stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_termination_cancels_what_is_under_way_and_ends_the_process() {
    let mut command = command();
    command.env("TF_LOG", "INFO");
    let mut plugin = Plugin::start(command);
    let mut client = plugin.client().await;
    let waiting =
        tokio::spawn(
            async move { create(&mut client, &json!({ "name": "n", "mode": "wait" })).await },
        );
    tokio::task::block_in_place(|| plugin.await_stderr("waiting for the token"));
    signal(plugin.id(), Signal::TERM);
    let response = in_time(waiting).await.unwrap();
    assert_eq!(response.diagnostics[0].summary, "Create Stopped");
    assert!(plugin.wait().success());
    assert!(!plugin.folder().exists());
}

#[tokio::test]
async fn logs_are_one_json_object_per_line_and_hold_no_secret() {
    let mut command = command();
    command.env("TF_LOG", "TRACE");
    let plugin = Plugin::start(command);
    let mut client = plugin.client().await;
    let config = json!({ "name": "n", "secret_wo": crate::probe::SECRET });
    create(&mut client, &config).await.unwrap();
    plugin.await_stderr("creating\\nit");
    plugin.await_stderr("ApplyResourceChange");
    let stderr = plugin.stderr();
    // The test harness prints its first lines on stdout.
    let lines: Vec<Json> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert!(lines.iter().all(|line| {
        ["@level", "@message", "@module", "@timestamp"]
            .iter()
            .all(|key| line[key].is_string())
    }));
    assert!(
        lines
            .iter()
            .any(|line| line["@level"] == "debug" && line["rpc"].is_string())
    );
    assert!(!stderr.contains(crate::probe::SECRET));
    assert!(!stderr.contains("h2::"), "nothing of other crates");
}

#[tokio::test]
async fn the_socket_is_shared_with_a_group_where_the_host_asks_for_it() {
    let mut command = command();
    let group = rustix::process::getgid().as_raw();
    command.env("PLUGIN_UNIX_SOCKET_GROUP", group.to_string());
    let plugin = Plugin::start(command);
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(plugin.folder()), 0o710);
    assert_eq!(mode(&plugin.socket), 0o660);
    plugin
        .client()
        .await
        .get_metadata(GetMetadataRequest {})
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_outlives_the_connection_that_asked_for_it() {
    let mut command = command();
    command.env("TF_LOG", "INFO");
    let plugin = Plugin::start(command);
    let mut asking = plugin.client().await;
    let asked =
        tokio::spawn(
            async move { create(&mut asking, &json!({ "name": "n", "mode": "wait" })).await },
        );
    tokio::task::block_in_place(|| plugin.await_stderr("waiting for the token"));
    asked.abort();
    assert!(asked.await.is_err());
    plugin
        .client()
        .await
        .stop_provider(StopProviderRequest {})
        .await
        .unwrap();
    tokio::task::block_in_place(|| plugin.await_stderr("the token was cancelled"));
}

#[test]
fn a_host_that_was_killed_leaves_no_process_and_no_folder() {
    let mut plugin = Plugin::start(parent_command());
    assert!(plugin.folder().exists());
    plugin.process.kill();
    // The child keeps stderr open until it ends.
    plugin.wait();
    assert!(!plugin.folder().exists());
}
