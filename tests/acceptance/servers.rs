//! Tests other servers as platform or backend: an earlier OpenBAO behind standby reads, a
//! mount that requires compare-and-set, a HashiCorp Vault.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use xtask::faults::{FaultProxy, Match, ProxyOptions};
use xtask::openbao::{Api, Cluster, Release, ServerOptions};
use xtask::terraform::{Terraform, Workspace};
use xtask::tools::Tools;

use crate::operator::told;
use crate::scene::{
    On, PROVIDER, Scene, assert_tombstones, objects_of, provider_block, read_values, record_of,
    records_of, terraform_1_11, terraform_1_15,
};

const SECRETS: &str = r#"
variable "trigger" { default = "1" }

resource "planton_secret" "given" {
  count            = 3
  name             = "given-${count.index}"
  value_wo         = "hunter2 of ${var.trigger}"
  value_wo_version = var.trigger
}

resource "planton_secret" "generated" {
  name             = "generated"
  generate         = {}
  value_wo_version = var.trigger
}
"#;

/// Applies, plans, rotates, reads and destroys.
#[track_caller]
fn live(terraform: &Terraform, provider: &str, configuration: &str) {
    let workspace = workspace(terraform, provider, configuration);
    for trigger in ["1", "2"] {
        let with = [("trigger", trigger)];
        workspace.apply(&with).unwrap().ok().unwrap();
        workspace.plan(&with).unwrap().no_changes().unwrap();
        let selectors = [("given-0", "name = \"given-0\"".to_owned())];
        let read = read_values(terraform, provider, &selectors);
        assert_eq!(read["given-0"], format!("hunter2 of {trigger}"));
    }
    let destroyed = workspace.destroy(&[("trigger", "2")]).unwrap();
    destroyed.ok().unwrap();
}

fn workspace(terraform: &Terraform, provider: &str, configuration: &str) -> Workspace {
    let workspace = Workspace::new(terraform, Path::new(PROVIDER)).unwrap();
    workspace.write("provider.tf", provider).unwrap();
    workspace.write("main.tf", configuration).unwrap();
    workspace
}

/// Runs the operator commands that list everything. The organization has no backend, so one of
/// the folders that they list is empty.
#[track_caller]
fn operate(variables: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup").display().to_string();
    for arguments in [&["verify"][..], &["gc"], &["platform", "backup", &backup]] {
        let mut command = Command::new(PROVIDER);
        let command = command.args(arguments).envs(variables.iter().copied());
        told(&command.stdin(Stdio::null()).output().unwrap(), 0);
    }
}

/// Makes the mount require a compare-and-set for every write.
fn demand_cas(api: &Api, mount: &str) {
    let config = json!({"cas_required": true});
    api.ok("POST", &format!("{mount}/config"), Some(&config))
        .unwrap();
}

#[test]
fn a_first_apply_through_a_standby_of_openbao_2_6_converges() {
    let options = ServerOptions {
        release: Release::Earlier,
        ..ServerOptions::default()
    };
    let cluster = Cluster::start(&Tools::locate().unwrap(), 3, &options).unwrap();
    let leader = cluster.api(cluster.await_leader().unwrap());
    leader.enable_kv2("planton").unwrap();
    leader.enable_transit("transit").unwrap();
    let standby = cluster.await_standby().unwrap();
    let (address, token) = (cluster.addresses()[standby], cluster.root_token());
    let platform = format!("openbao = {{ address = {address:?}, token = {token:?} }}");
    for (round, terraform) in [terraform_1_11(), terraform_1_15()].iter().enumerate() {
        let organization = format!("fresh{round}");
        let provider =
            provider_block(&platform, "").replace("\"acme\"", &format!("{organization:?}"));
        live(terraform, &provider, SECRETS);
        let variables = [
            ("PLANTON_ORG", organization.as_str()),
            ("PLANTON_ADDR", address),
            ("PLANTON_TOKEN", token),
        ];
        operate(&variables);
    }
    let paths = leader
        .list_recursive("planton", xtask::openbao::KvVersion::V2)
        .unwrap();
    let left: Vec<_> = paths
        .iter()
        .filter(|path| path.starts_with("planton/"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_mount_that_demands_compare_and_set_serves_as_the_platform() {
    for terraform in [terraform_1_11(), terraform_1_15()] {
        let scene = Scene::new(&terraform, On::OpenBao);
        let api = scene.openbao().unwrap().api();
        demand_cas(api, "planton");
        live(&terraform, &scene.provider(""), SECRETS);
        assert_tombstones(&records_of(api));
        assert!(objects_of(api).is_empty());
    }
}

#[test]
fn a_plan_that_finds_a_secret_gone_works_where_compare_and_set_is_demanded() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let api = scene.openbao().unwrap().api();
    demand_cas(api, "planton");
    let workspace = scene.workspace(SECRETS);
    workspace.apply(&[]).unwrap().ok().unwrap();
    for path in objects_of(api) {
        api.ok("DELETE", &format!("planton/metadata/{path}"), None)
            .unwrap();
    }
    workspace.plan(&[]).unwrap().changes().unwrap();
    workspace.apply(&[]).unwrap().ok().unwrap();
    workspace.plan(&[]).unwrap().no_changes().unwrap();
    workspace.destroy(&[]).unwrap().ok().unwrap();
}

#[test]
fn a_vault_serves_as_the_platform_and_as_a_backend() {
    for terraform in [terraform_1_11(), terraform_1_15()] {
        let scene = Scene::new(&terraform, On::OpenBao);
        let server = scene.openbao().unwrap();
        server.api().enable_kv2("secret").unwrap();
        demand_cas(server.api(), "secret");
        let front = FaultProxy::start(&ProxyOptions::to(server.address()).as_vault()).unwrap();
        let (address, token) = (front.address(), server.root_token());
        let platform = format!("openbao = {{ address = {address:?}, token = {token:?} }}");
        let provider = provider_block(&platform, "");
        live(&terraform, &provider, SECRETS);

        let backend = format!(
            "resource \"planton_secret_backend\" \"vault\" {{\n  name = \"vault\"\n  \
             hashicorp_vault = {{\n    address  = {address:?}\n    token_wo = {token:?}\n  }}\n  \
             credentials_wo_version = \"1\"\n}}\n"
        );
        let on_it = SECRETS.replace(
            "  value_wo_version = var.trigger\n",
            "  value_wo_version = var.trigger\n  backend = planton_secret_backend.vault.name\n",
        );
        live(&terraform, &provider, &format!("{backend}{on_it}"));

        let forwarding = Match::header("x-vault-inconsistent", "");
        assert_eq!(front.count(&forwarding), 0);
        let indexed = Match::header("x-vault-index", "");
        assert!(front.count(&indexed) > 0, "the rules were at work");
        assert_eq!(front.troubles(), [""; 0]);
    }
}

#[test]
fn a_version_that_was_deleted_softly_heals_and_can_be_destroyed() {
    for terraform in [terraform_1_11(), terraform_1_15()] {
        let scene = Scene::new(&terraform, On::OpenBao);
        let api = scene.openbao().unwrap().api();
        let workspace = scene.workspace(SECRETS);
        let delete_softly = || {
            for path in objects_of(api) {
                api.ok("DELETE", &format!("planton/data/{path}"), None)
                    .unwrap();
            }
        };
        workspace.apply(&[]).unwrap().ok().unwrap();
        delete_softly();
        workspace.plan(&[]).unwrap().changes().unwrap();
        workspace.apply(&[]).unwrap().ok().unwrap();
        workspace.plan(&[]).unwrap().no_changes().unwrap();
        assert_eq!(scene.read(&["given-1"])["given-1"], "hunter2 of 1");
        let record = record_of(&records_of(api), "given-1");
        assert!(!record.is_null());

        delete_softly();
        workspace.destroy(&[]).unwrap().ok().unwrap();
        assert_tombstones(&records_of(api));
        assert!(objects_of(api).is_empty());
    }
}
