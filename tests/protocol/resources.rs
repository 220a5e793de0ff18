//! Tests the calls: values, plans, states, private data, failures.

use serde_json::{Value as Json, json};

use crate::calls::{call, create, in_time, path};
use crate::probe::command;
use test_support::plugin_client::Plugin;
use test_support::plugin_client::value::{decode, encode, unknown};
use test_support::plugin_client::wire::*;

#[tokio::test]
async fn schemas_say_what_there_is() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let schema = client
        .get_provider_schema(GetProviderSchemaRequest {})
        .await
        .unwrap();
    let schema = schema.into_inner();
    let capabilities = schema.server_capabilities.unwrap();
    assert!(capabilities.plan_destroy && capabilities.get_provider_schema_optional);
    assert!(capabilities.move_resource_state);
    let thing = &schema.resource_schemas["probe_thing"];
    assert_eq!(thing.version, 1);
    let attributes = &thing.block.as_ref().unwrap().attributes;
    let named = |name: &str| attributes.iter().find(|a| a.name == name).unwrap();
    assert!(named("secret_wo").write_only && named("secret_wo").optional);
    assert!(named("id").computed && !named("id").optional);
    assert_eq!(named("set").r#type, br#"["set","number"]"#);
    let nested = named("keys").nested_type.as_ref().unwrap();
    assert_eq!(nested.nesting, i32::from(schema::object::NestingMode::List));
    assert!(nested.attributes[0].write_only);
    assert!(schema.data_source_schemas.contains_key("probe_length"));
    assert!(
        schema
            .ephemeral_resource_schemas
            .contains_key("probe_token")
    );
    assert_eq!(schema.functions["shout"].parameters[0].name, "text");

    let request = GetResourceIdentitySchemasRequest {};
    let identities = client
        .get_resource_identity_schemas(request)
        .await
        .unwrap()
        .into_inner();
    let attributes = &identities.identity_schemas["probe_thing"].identity_attributes;
    assert!(attributes[0].name == "name" && attributes[0].required_for_import);
}

#[tokio::test]
async fn every_type_of_value_comes_back_as_it_went_unknown_ones_included() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let config = json!({
        "name": "grüße\n\u{0}", "mode": null, "secret_wo": null, "secret_wo_version": unknown(),
        "credentials": { "key_wo": null, "label": unknown() },
        "keys": [{ "key_wo": null, "label": "a" }, { "key_wo": null, "label": null }],
        "number": 1.5, "flag": true, "list": ["a", null, unknown()], "set": [1, u64::MAX, -3],
        "map": { "k": "v", "": "" }, "any": ["[\"list\",\"number\"]", [1, 2]],
        "id": null, "secret_length": null, "serial": null,
    });
    let plan = call::plan(&mut client, &Json::Null, &config, &[]).await;
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    let mut expected = config;
    for computed in ["id", "secret_length", "serial"] {
        expected[computed] = unknown();
    }
    assert_eq!(decode(plan.planned_state.as_ref()), expected);
}

#[tokio::test]
async fn six_megabytes_pass_in_both_directions() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let mode = "x".repeat(6 << 20);
    let config = json!({ "name": "n", "mode": mode });
    let state = create(&mut client, &config).await.unwrap().new_state;
    assert!(decode(state.as_ref())["mode"] == mode.as_str());
}

#[tokio::test]
async fn private_data_goes_from_plan_to_apply_to_the_next_plan() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let config = json!({ "name": "n", "secret_wo": "four" });
    let created = create(&mut client, &config).await.unwrap();
    let state = decode(created.new_state.as_ref());
    assert_eq!(
        (&state["serial"], &state["secret_length"]),
        (&json!("1"), &json!(4))
    );
    let identity = created
        .new_identity
        .as_ref()
        .unwrap()
        .identity_data
        .as_ref();
    assert_eq!(decode(identity), json!({ "name": "n" }));

    let config = json!({ "name": "n", "secret_wo": "fives" });
    let plan = call::plan(&mut client, &state, &config, &created.private).await;
    assert!(plan.requires_replace.is_empty());
    let updated = call::apply(&mut client, &state, &config, plan)
        .await
        .unwrap();
    let state = decode(updated.new_state.as_ref());
    assert_eq!(
        (&state["serial"], &state["secret_length"]),
        (&json!("2"), &json!(5))
    );

    let config = json!({ "name": "other" });
    let plan = call::plan(&mut client, &state, &config, &updated.private).await;
    assert_eq!(plan.requires_replace.len(), 1);
    let foreign = call::plan(&mut client, &state, &config, b"foreign").await;
    assert_eq!(
        foreign.diagnostics[0].summary,
        "Resource State Not Readable"
    );
}

#[tokio::test]
async fn a_failed_creation_stores_what_there_is_with_unknown_as_null() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let response = create(&mut client, &json!({ "name": "n", "mode": "half" }))
        .await
        .unwrap();
    assert_eq!(response.diagnostics[0].summary, "Half Created");
    let state = decode(response.new_state.as_ref());
    assert_eq!(
        (&state["id"], &state["secret_length"]),
        (&json!("id-1"), &Json::Null)
    );
}

#[tokio::test]
async fn a_failed_deletion_keeps_the_state_and_a_good_one_leaves_none() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    for (mode, kept) in [("keep", true), ("go", false)] {
        let created = create(&mut client, &json!({ "name": "n", "mode": mode }))
            .await
            .unwrap();
        let state = decode(created.new_state.as_ref());
        let plan = PlanResourceChangeRequest {
            type_name: call::thing(),
            prior_state: encode(&state),
            proposed_new_state: encode(&Json::Null),
            config: encode(&Json::Null),
            prior_private: created.private.clone(),
            ..Default::default()
        };
        let plan = client
            .plan_resource_change(plan)
            .await
            .unwrap()
            .into_inner();
        assert!(decode(plan.planned_state.as_ref()).is_null());
        let deleted = call::apply(&mut client, &state, &Json::Null, plan)
            .await
            .unwrap();
        assert_eq!(deleted.diagnostics.len(), usize::from(kept));
        let after = decode(deleted.new_state.as_ref());
        assert_eq!(after, if kept { state } else { Json::Null });
        assert_eq!(deleted.private.is_empty(), !kept);
    }
}

#[tokio::test]
async fn a_read_tells_gone_from_unreadable() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let gone = call::read(&mut client, &json!({ "name": "n", "mode": "gone" })).await;
    assert!(decode(gone.new_state.as_ref()).is_null() && gone.diagnostics.is_empty());
    let unreadable = call::read(&mut client, &json!({ "name": "n", "mode": "unreadable" })).await;
    assert_eq!(unreadable.diagnostics[0].summary, "Read Denied");
    assert_eq!(decode(unreadable.new_state.as_ref())["name"], "n");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_provider_reaches_what_is_under_way_and_what_comes() {
    let mut command = command();
    command.env("TF_LOG_PROVIDER", "INFO");
    let plugin = Plugin::start(command);
    let mut client = plugin.client().await;
    let mut waiting = client.clone();
    let waiting =
        tokio::spawn(
            async move { create(&mut waiting, &json!({ "name": "n", "mode": "wait" })).await },
        );
    tokio::task::block_in_place(|| plugin.await_stderr("waiting for the token"));
    let stopped = client
        .stop_provider(StopProviderRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stopped.error, "");
    let response = in_time(waiting).await.unwrap();
    assert_eq!(response.diagnostics[0].summary, "Create Stopped");
    let later = call::read(&mut client, &json!({ "name": "n", "mode": "cancelled?" })).await;
    assert_eq!(later.diagnostics[0].summary, "Stopped");
}

#[tokio::test]
async fn data_sources_ephemeral_resources_and_functions_answer() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let read = ReadDataSourceRequest {
        type_name: "probe_length".into(),
        config: encode(&json!({ "text": "four" })),
        ..Default::default()
    };
    let read = client.read_data_source(read).await.unwrap().into_inner();
    assert_eq!(
        decode(read.state.as_ref()),
        json!({ "text": "four", "length": 4 })
    );

    let type_name = "probe_token".to_owned();
    let open = OpenEphemeralResourceRequest {
        type_name: type_name.clone(),
        config: encode(&json!({ "name": "n" })),
        ..Default::default()
    };
    let opened = client
        .open_ephemeral_resource(open)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        decode(opened.result.as_ref())["token"],
        crate::probe::SECRET
    );
    assert_eq!(opened.renew_at.unwrap().seconds, 4_000_000_000);
    let renew = RenewEphemeralResourceRequest {
        type_name: type_name.clone(),
        private: opened.private,
    };
    let renewed = client
        .renew_ephemeral_resource(renew)
        .await
        .unwrap()
        .into_inner();
    let close = CloseEphemeralResourceRequest {
        type_name,
        private: renewed.private,
    };
    let closed = client
        .close_ephemeral_resource(close)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(closed.diagnostics[0].detail, "2");

    let mut shout = async |arguments: &[&str]| {
        let request = CallFunctionRequest {
            name: "shout".into(),
            arguments: arguments
                .iter()
                .filter_map(|text| encode(&json!(text)))
                .collect(),
        };
        client.call_function(request).await.unwrap().into_inner()
    };
    assert_eq!(decode(shout(&["a", "b"]).await.result.as_ref()), "A B");
    assert_eq!(
        shout(&["a", ""]).await.error.unwrap().function_argument,
        Some(1)
    );
    assert_eq!(shout(&[]).await.error.unwrap().function_argument, None);
}

#[tokio::test]
async fn states_and_identities_of_earlier_versions_are_upgraded() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let mut upgrade = async |version: i64, json: &str| {
        let request = UpgradeResourceStateRequest {
            type_name: call::thing(),
            version,
            raw_state: Some(RawState {
                json: json.into(),
                ..Default::default()
            }),
        };
        client
            .upgrade_resource_state(request)
            .await
            .unwrap()
            .into_inner()
    };
    let old = upgrade(0, r#"{"title":"t"}"#).await;
    assert_eq!(decode(old.upgraded_state.as_ref())["name"], "t");
    let same = upgrade(1, r#"{"name":"n","number":12345678901234567890,"gone":1}"#).await;
    let same = decode(same.upgraded_state.as_ref());
    assert_eq!(same["number"], 12_345_678_901_234_567_890_u64);
    assert_eq!(
        upgrade(2, "{}").await.diagnostics[0].summary,
        "Unknown State Version"
    );
    assert!(upgrade(1, r#"{"name":1}"#).await.upgraded_state.is_none());

    let request = UpgradeResourceIdentityRequest {
        type_name: call::thing(),
        version: 0,
        raw_identity: Some(RawState {
            json: br#"{"name":"n"}"#.to_vec(),
            ..Default::default()
        }),
    };
    let upgraded = client
        .upgrade_resource_identity(request)
        .await
        .unwrap()
        .into_inner();
    let identity = upgraded.upgraded_identity.unwrap().identity_data;
    assert_eq!(decode(identity.as_ref()), json!({ "name": "n" }));
}

#[tokio::test]
async fn diagnostics_are_located_and_unknown_types_are_errors() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let config = json!({ "name": "n", "credentials": { "key_wo": null, "label": "bad" } });
    let diagnostics = call::validate(&mut client, &config, true).await;
    assert_eq!(path(&diagnostics[0]), "credentials/label");
    let request = ConfigureProviderRequest {
        config: encode(&json!({ "greeting": "bad" })),
        ..Default::default()
    };
    let configured = client
        .configure_provider(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(path(&configured.diagnostics[0]), "greeting");
    let request = ReadResourceRequest {
        type_name: "probe_nothing".into(),
        ..Default::default()
    };
    let read = client.read_resource(request).await.unwrap().into_inner();
    assert!(
        read.diagnostics[0]
            .detail
            .contains("no resource probe_nothing")
    );
    let list = ListResourceRequest::default();
    let status = client.list_resource(list).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unimplemented);
}
