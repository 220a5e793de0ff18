//! Tests a cluster of three servers. Results through a standby equal those through the
//! leader, and the loss of the leader only causes a delay.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use xtask::openbao::{Api, Cluster, ServerOptions};
use xtask::terraform::Workspace;
use xtask::tools::Tools;

use crate::scene::{
    PROVIDER, assert_tombstones, objects_of, provider_block, read_values, record_of, records_of,
    terraform_1_11,
};

const BOUND: Duration = Duration::from_secs(120);

/// Secrets whose values contain their names. Some depend on all others.
const SECRETS: &str = r#"
variable "first" { type = number }
variable "rest" { default = 0 }
variable "value" {
  type      = string
  ephemeral = true
}
variable "trigger" { default = "1" }

resource "planton_secret" "first" {
  count            = var.first
  name             = "first-${count.index}"
  value_wo         = "${var.value} of first-${count.index}"
  value_wo_version = var.trigger
}

resource "planton_secret" "rest" {
  count            = var.rest
  name             = "rest-${count.index}"
  value_wo         = "${var.value} of rest-${count.index}"
  value_wo_version = var.trigger
  depends_on       = [planton_secret.first]
}
"#;

#[test]
fn through_a_standby_nothing_is_stale_and_no_conflict_is_invented() {
    let cluster = cluster();
    let leader = cluster.api(cluster.await_leader().unwrap());
    let standby = cluster.await_standby().unwrap();
    let address = cluster.addresses()[standby].to_owned();
    let provider = provider(&cluster, &address);
    let workspace = workspace(&provider);
    let names: Vec<String> = (0..20).map(|number| format!("first-{number}")).collect();

    for round in 0..2 {
        let with = |trigger| [("first", "20"), ("value", trigger), ("trigger", trigger)];
        workspace.apply(&with("1")).unwrap().ok().unwrap();
        workspace.plan(&with("1")).unwrap().no_changes().unwrap();
        assert_values(&provider, &names, "1");
        for (version, trigger) in [(2, "2"), (3, "3"), (4, "4")] {
            workspace.apply(&with(trigger)).unwrap().ok().unwrap();
            assert_values(&provider, &names, trigger);
            assert_versions(&leader, &names, version);
        }
        workspace.plan(&with("4")).unwrap().no_changes().unwrap();

        // One version and one record are deleted outside Terraform.
        let records = records_of(&leader);
        delete_current_version(&leader, &record_of(&records, "first-7"));
        delete_record(&leader, &records, "first-8");
        workspace.plan(&with("4")).unwrap().changes().unwrap();
        workspace.apply(&with("4")).unwrap().ok().unwrap();
        workspace.plan(&with("4")).unwrap().no_changes().unwrap();
        // A missing record does not remove the secret from the state, and no new one is
        // created.
        let kept: Vec<_> = names
            .iter()
            .filter(|name| *name != "first-8")
            .cloned()
            .collect();
        assert_values(&provider, &kept, "4");

        workspace.destroy(&with("4")).unwrap().ok().unwrap();
        assert_tombstones(&records_of(&leader));
        // No record names the version of the record that was deleted by hand.
        let objects = objects_of(&leader);
        let lost = objects.iter().filter(|path| path.contains("/first-8-"));
        assert_eq!(objects.len(), lost.count(), "round {round}: {objects:?}");
    }
}

#[test]
fn a_leader_killed_during_an_apply_costs_time_only() {
    let mut cluster = cluster();
    let standby = cluster.await_standby().unwrap();
    let address = cluster.addresses()[standby].to_owned();
    let provider = provider(&cluster, &address);
    let workspace = workspace(&provider);
    let variables = [("first", "40"), ("rest", "160"), ("value", "value")];
    let arguments = ["apply", "-auto-approve", "-no-color", "-input=false"];
    let run = workspace.spawn(&arguments, &variables).unwrap();
    // A fifth of the creations is acknowledged, and the rest is in progress.
    let is_under_way = "planton_secret.rest[0]: Creation complete";
    run.running.await_output(is_under_way, BOUND).unwrap();
    let dead = cluster.kill_leader().unwrap();
    run.wait().unwrap().ok().unwrap();

    workspace.plan(&variables).unwrap().no_changes().unwrap();
    let leader = cluster.api(cluster.await_leader().unwrap());
    let first = (0..40).map(|number| format!("first-{number}"));
    let rest = (0..160).map(|number| format!("rest-{number}"));
    let names: Vec<String> = first.chain(rest).collect();
    assert_versions(&leader, &names, 1);
    assert_values(&provider, &names, "value");

    // The loss of a leader affects rotations in the same way.
    cluster.restart(dead).unwrap();
    cluster.await_voters(3).unwrap();
    let standby = cluster.await_standby().unwrap();
    let provider = self::provider(&cluster, cluster.addresses()[standby]);
    workspace.write("provider.tf", &provider).unwrap();
    let variables = [&variables[..2], &[("value", "rotated"), ("trigger", "2")]].concat();
    let run = workspace.spawn(&arguments, &variables).unwrap();
    let is_under_way = "planton_secret.rest[0]: Modifications complete";
    run.running.await_output(is_under_way, BOUND).unwrap();
    cluster.kill_leader().unwrap();
    run.wait().unwrap().ok().unwrap();
    workspace.plan(&variables).unwrap().no_changes().unwrap();
    let leader = cluster.api(cluster.await_leader().unwrap());
    assert_versions(&leader, &names, 2);
    assert_values(&provider, &names, "rotated");
}

fn cluster() -> Cluster {
    let tools = Tools::locate().unwrap();
    let cluster = Cluster::start(&tools, 3, &ServerOptions::default()).unwrap();
    let leader = cluster.api(cluster.await_leader().unwrap());
    leader.enable_kv2("planton").unwrap();
    leader.enable_transit("transit").unwrap();
    cluster
}

fn provider(cluster: &Cluster, address: &str) -> String {
    let token = cluster.root_token();
    let platform = format!("openbao = {{ address = {address:?}, token = {token:?} }}");
    provider_block(&platform, "")
}

fn workspace(provider: &str) -> Workspace {
    let workspace = Workspace::new(&terraform_1_11(), Path::new(PROVIDER)).unwrap();
    workspace.write("provider.tf", provider).unwrap();
    workspace.write("main.tf", SECRETS).unwrap();
    workspace
}

/// Reads every secret in a new process, and compares the values.
fn assert_values(provider: &str, names: &[String], value: &str) {
    let selectors: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), format!("name = {name:?}")))
        .collect();
    let read = read_values(&terraform_1_11(), provider, &selectors);
    assert_eq!(read.len(), names.len());
    for (name, found) in read {
        assert_eq!(found, format!("{value} of {name}"));
    }
}

fn assert_versions(leader: &Api, names: &[String], version: u64) {
    let records = records_of(leader);
    for name in names {
        let record = record_of(&records, name);
        let versions = record["versions"].as_array().unwrap();
        let newest = versions.last().unwrap();
        assert_eq!(newest["number"], version, "{name}");
        assert_eq!(versions.len() as u64, version, "{name}");
    }
}

fn delete_current_version(api: &Api, record: &Value) {
    let remote = record["remote_name"].as_str().unwrap();
    let paths = objects_of(api);
    let newest = record["versions"].as_array().unwrap().len();
    let path = paths
        .iter()
        .find(|path| path.starts_with(&format!("{remote}/{newest}-")))
        .unwrap();
    api.ok("DELETE", &format!("planton/metadata/{path}"), None)
        .unwrap();
}

fn delete_record(api: &Api, records: &BTreeMap<String, Value>, name: &str) {
    let is_its_own =
        |(_, document): &(&String, &Value)| document["current"]["name"]["name"] == name;
    let (key, _) = records.iter().find(is_its_own).unwrap();
    api.ok(
        "DELETE",
        &format!("planton/data/catalog/acme/{key}"),
        Some(&json!({})),
    )
    .unwrap();
}
