//! Tests the program: a plugin under a host, a command line for a person.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value as Json;

use crate::calls::path;
use crate::process::signal;
use test_support::plugin_client::value::{decode, encode, unknown};
use test_support::plugin_client::wire::provider_client::ProviderClient;
use test_support::plugin_client::wire::{
    ClientCapabilities, ConfigureProviderRequest, GetMetadataRequest, GetProviderSchemaRequest,
    OpenEphemeralResourceRequest, Schema, ValidateEphemeralResourceConfigRequest,
    ValidateResourceConfigRequest, plugin::Empty,
};
use test_support::plugin_client::{ClientIdentity, Plugin, Process, run_to_end};

pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_terraform-provider-planton"))
}

#[tokio::test]
async fn under_a_host_the_program_is_a_plugin() {
    let mut plugin = Plugin::start(binary());
    let mut client = plugin.client().await;
    let schema = client
        .get_provider_schema(GetProviderSchemaRequest {})
        .await
        .unwrap();
    assert!(schema.into_inner().diagnostics.is_empty());
    plugin.controller().await.shutdown(Empty {}).await.unwrap();
    assert!(plugin.wait().success());
    assert!(!plugin.folder().exists());
}

#[tokio::test]
async fn the_program_serves_its_own_host_alone_and_logs_a_json_object_a_line() {
    let mut command = binary();
    command.env("TF_LOG", "TRACE");
    let mut plugin = Plugin::start(command);
    for identity in [None, Some(ClientIdentity::generate())] {
        // Under TLS 1.3 the client gets the error with its first call at the latest.
        let Ok(channel) = plugin.connect(identity.as_ref()).await else {
            continue;
        };
        let mut stranger = ProviderClient::new(channel);
        assert!(stranger.get_metadata(GetMetadataRequest {}).await.is_err());
    }
    let mut client = plugin.client().await;
    let request = GetProviderSchemaRequest {};
    client.get_provider_schema(request).await.unwrap();
    plugin.controller().await.shutdown(Empty {}).await.unwrap();
    assert!(plugin.wait().success());
    let stderr = plugin.stderr();
    assert!(stderr.contains("GetProviderSchema"), "{stderr}");
    for line in stderr.lines() {
        let line: Json = serde_json::from_str(line).expect(line);
        for key in ["@level", "@message", "@module", "@timestamp"] {
            assert!(line[key].is_string(), "{line}");
        }
    }
}

#[tokio::test]
async fn a_terraform_that_would_store_the_value_is_refused() {
    let plugin = Plugin::start(binary());
    let mut client = plugin.client().await;
    let request = GetProviderSchemaRequest {};
    let schema = client.get_provider_schema(request).await.unwrap();
    let secret = schema.into_inner().resource_schemas["planton_secret"].clone();
    let config = config(
        &secret,
        &[("name", "db".into()), ("value_wo", "hunter2".into())],
    );
    let request = ValidateResourceConfigRequest {
        type_name: "planton_secret".to_owned(),
        config: encode(&config),
        client_capabilities: Some(ClientCapabilities::default()),
    };
    let answer = client.validate_resource_config(request).await.unwrap();
    let refused = answer.into_inner().diagnostics;
    assert_eq!(refused.len(), 1);
    assert_eq!(path(&refused[0]), "value_wo");
    let told = format!("{}\n\n{}", refused[0].summary, refused[0].detail);
    insta::assert_snapshot!(told, @r"
    Write-Only Attributes Not Supported

    The attribute value_wo is write-only, and this version would store its value in the state. Use Terraform 1.11 or OpenTofu 1.11, or later.
    ");
}

/// Returns a configuration with these attributes. All others are null.
pub(crate) fn config(schema: &Schema, set: &[(&str, Json)]) -> Json {
    let attributes = schema.block.clone().unwrap().attributes.into_iter();
    let mut config: serde_json::Map<_, _> = attributes
        .map(|attribute| (attribute.name, Json::Null))
        .collect();
    config.extend(
        set.iter()
            .map(|(name, to)| ((*name).to_owned(), to.clone())),
    );
    Json::Object(config)
}

#[tokio::test]
async fn an_ephemeral_secret_is_unknown_with_the_provider_only_where_the_host_takes_that() {
    let plugin = Plugin::start(binary());
    let mut client = plugin.client().await;
    let request = GetProviderSchemaRequest {};
    let schema = client.get_provider_schema(request).await.unwrap();
    let schema = schema.into_inner();
    let provider = config(
        schema.provider.as_ref().unwrap(),
        &[("organization", unknown())],
    );
    let configure = ConfigureProviderRequest {
        terraform_version: "1.12.6".to_owned(),
        config: encode(&provider),
        ..Default::default()
    };
    let configured = client.configure_provider(configure).await.unwrap();
    assert!(configured.into_inner().diagnostics.is_empty());
    let secret = &schema.ephemeral_resource_schemas["planton_secret"];
    let secret = config(secret, &[("name", "db".into())]);

    let opentofu = ClientCapabilities {
        write_only_attributes_allowed: true,
        ..Default::default()
    };
    let terraform_1_15 = ClientCapabilities::default();
    let terraform_1_17 = ClientCapabilities {
        store_planned_private: true,
        ..opentofu
    };
    for (capabilities, accepts) in [
        (opentofu, false),
        (terraform_1_15, true),
        (terraform_1_17, true),
    ] {
        let open = OpenEphemeralResourceRequest {
            type_name: "planton_secret".to_owned(),
            config: encode(&secret),
            client_capabilities: Some(capabilities),
        };
        let opened = client.open_ephemeral_resource(open).await.unwrap();
        let opened = opened.into_inner();
        let refused = opened.diagnostics.first();
        assert_eq!(refused.is_none(), accepts, "{refused:?}");
        if let Some(refused) = refused {
            assert_eq!(refused.summary, "Provider Configuration Not Known");
            assert!(refused.detail.contains("depends_on"), "{}", refused.detail);
        } else {
            assert_eq!(decode(opened.result.as_ref())["value"], unknown());
        }
    }
}

#[tokio::test]
async fn an_id_that_a_mocked_provider_made_up_is_valid_and_another_text_is_not() {
    let plugin = Plugin::start(binary());
    let mut client = plugin.client().await;
    let request = GetProviderSchemaRequest {};
    let schema = client.get_provider_schema(request).await.unwrap();
    let secret = schema.into_inner().ephemeral_resource_schemas["planton_secret"].clone();
    for (id, refused) in [
        ("aB3d", 0),
        ("w9Zq01LmNbVcXs7", 0),
        ("0198c2f4-6d3a-7c51-9b1e-2f6d8a4c0b11", 1),
        ("db", 2),
        ("db-password", 2),
    ] {
        let config = config(&secret, &[("id", id.into()), ("version", 0.into())]);
        let request = ValidateEphemeralResourceConfigRequest {
            type_name: "planton_secret".to_owned(),
            config: encode(&config),
        };
        let answer = client.validate_ephemeral_resource_config(request).await;
        let told = answer.unwrap().into_inner().diagnostics;
        assert_eq!(told.len(), refused, "{id}: {told:?}");
    }
}

#[test]
fn by_hand_the_program_says_how_to_install_it() {
    let (status, stdout, _) = run_to_end(binary());
    assert!(status.success());
    assert!(
        stdout.contains("source = \"plantonhq/planton\""),
        "{stdout}"
    );
    let mut version = binary();
    version.arg("version");
    let (status, stdout, _) = run_to_end(version);
    assert!(status.success());
    assert_eq!(
        stdout,
        concat!(
            "terraform-provider-planton ",
            env!("CARGO_PKG_VERSION"),
            "\n"
        )
    );
}

#[test]
fn in_debug_mode_the_program_prints_how_to_attach_and_ends_at_an_interrupt() {
    let mut command = binary();
    command.arg("--debug");
    let mut process = Process::start(command);
    let providers = process
        .first_line
        .strip_prefix("TF_REATTACH_PROVIDERS='")
        .unwrap();
    let providers: Json = serde_json::from_str(providers.strip_suffix('\'').unwrap()).unwrap();
    let reattach = &providers["registry.terraform.io/plantonhq/planton"];
    // OpenTofu completes the same source with its own registry.
    assert_eq!(
        providers["registry.opentofu.org/plantonhq/planton"],
        *reattach
    );
    assert_eq!(providers.as_object().unwrap().len(), 2);
    assert_eq!(reattach["Protocol"], "grpc");
    assert_eq!(reattach["ProtocolVersion"], 6);
    assert_eq!(reattach["Pid"], process.id());
    assert_eq!(reattach["Test"], true);
    assert_eq!(reattach["Addr"]["Network"], "unix");
    let socket = std::path::PathBuf::from(reattach["Addr"]["String"].as_str().unwrap());
    assert!(socket.exists());
    signal(process.id(), Signal::INT);
    assert!(process.wait().success());
    assert!(!socket.exists());
}
