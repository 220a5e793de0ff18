//! Planned private data. A plan's private data returns in the plan that a host repeats
//! before it applies, and so reaches the creation of a replacement.

use serde_json::{Value as Json, json};

use crate::calls::{Client, call, create};
use crate::probe::command;
use test_support::plugin_client::Plugin;
use test_support::plugin_client::value::{decode, encode};
use test_support::plugin_client::wire::*;

/// Whether a host keeps planned private data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    /// Protocol 6.11.
    Keeps,
    /// Earlier hosts.
    Forgets,
}

/// The input of a plan besides the configuration.
struct From<'a> {
    prior: &'a Json,
    private: &'a [u8],
    planned: &'a [u8],
}

async fn plan(
    client: &mut Client,
    host: Host,
    config: &Json,
    from: From<'_>,
) -> PlanResourceChangeResponse {
    let request = PlanResourceChangeRequest {
        type_name: call::thing(),
        prior_state: encode(from.prior),
        proposed_new_state: encode(config),
        config: encode(config),
        prior_private: from.private.to_vec(),
        // An older host does not know the field and sends nothing.
        planned_private: match host {
            Host::Keeps => from.planned.to_vec(),
            Host::Forgets => Vec::new(),
        },
        client_capabilities: Some(ClientCapabilities {
            store_planned_private: host == Host::Keeps,
            ..Default::default()
        }),
        ..Default::default()
    };
    let planned = client.plan_resource_change(request).await.unwrap();
    let planned = planned.into_inner();
    assert!(planned.diagnostics.is_empty(), "{:?}", planned.diagnostics);
    planned
}

/// Replaces a thing as a host does under `create_before_destroy`: an update plan, a
/// creation plan with the update's private data, then during the apply a third plan
/// without it, and the creation. Returns the creation's private data.
async fn replace(client: &mut Client, host: Host) -> Vec<u8> {
    let config = json!({ "name": "n", "mode": "remember" });
    let before = create(client, &json!({ "name": "n" })).await.unwrap();
    let state = decode(before.new_state.as_ref());
    let current = From {
        prior: &state,
        private: &before.private,
        planned: &[],
    };
    let first = plan(client, host, &config, current).await;
    let nothing = From {
        prior: &Json::Null,
        private: &first.planned_private,
        planned: &[],
    };
    let second = plan(client, host, &config, nothing).await;
    let deposed = From {
        prior: &Json::Null,
        private: &[],
        planned: &second.planned_private,
    };
    let third = plan(client, host, &config, deposed).await;
    let created = call::apply(client, &Json::Null, &config, third).await;
    created.unwrap().private
}

/// Returns private data as a host stores it. It is opaque, but its text is visible.
fn holds(private: &[u8], text: &str) -> bool {
    private
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn a_creation_learns_what_it_replaces_where_the_host_keeps_planned_private_data() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let kept = replace(&mut client, Host::Keeps).await;
    assert!(holds(&kept, "replaces"), "{kept:?}");
    // Only the repeated plan receives an earlier one's data.
    assert!(holds(&kept, "plans\u{1}1"), "{kept:?}");
    let lost = replace(&mut client, Host::Forgets).await;
    assert!(!holds(&lost, "replaces"), "{lost:?}");
}

#[tokio::test]
async fn planned_private_data_stays_where_a_plan_says_nothing_about_it() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let before = create(&mut client, &json!({ "name": "n" })).await.unwrap();
    let state = decode(before.new_state.as_ref());
    let config = json!({ "name": "n", "mode": "silent" });
    let of = |planned| From {
        prior: &state,
        private: &before.private,
        planned,
    };
    let first = plan(&mut client, Host::Keeps, &config, of(&[])).await;
    assert_eq!(first.planned_private, before.private);
    // The private data that an earlier plan of the same change returns.
    let earlier = create(&mut client, &json!({ "name": "other" })).await;
    let earlier = [&earlier.unwrap().private[..], b"\x01z\x01v"].concat();
    let again = plan(&mut client, Host::Keeps, &config, of(&earlier)).await;
    assert_eq!(again.planned_private, earlier);
}

#[tokio::test]
async fn planned_private_data_of_another_provider_is_refused() {
    let plugin = Plugin::start(command());
    let mut client = plugin.client().await;
    let config = json!({ "name": "n" });
    let request = PlanResourceChangeRequest {
        type_name: call::thing(),
        prior_state: encode(&Json::Null),
        proposed_new_state: encode(&config),
        config: encode(&config),
        planned_private: b"foreign".to_vec(),
        ..Default::default()
    };
    let planned = client.plan_resource_change(request).await.unwrap();
    let diagnostics = planned.into_inner().diagnostics;
    assert_eq!(diagnostics[0].summary, "Resource State Not Readable");
}
