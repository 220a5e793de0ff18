//! The policies in the documentation and in errors are sufficient, and contain nothing
//! superfluous.

use insta::assert_snapshot;
use planton_core::catalog::record_key_of_name;
use planton_core::names::Slug;
use planton_core::operations::NAME_PREFIX;
use planton_vendors::openbao::client::{MountPath, PolicyRole, PolicyScope, policy_text};
use serde_json::json;
use xtask::openbao::{Api, OpenBao};
use xtask::terraform::Workspace;

use crate::reading::{REQUIRED, Requests, Told, filters, tally};
use crate::scene::{On, Scene, terraform_1_11};

/// Returns the scope of an organization's roles, with default mounts.
pub(crate) fn scope(organization: &str) -> PolicyScope {
    PolicyScope {
        kv_mount_path: MountPath::parse("planton").unwrap(),
        transit_mount_path: MountPath::parse("transit").unwrap(),
        organization: Slug::parse(organization).unwrap(),
        name_prefix: NAME_PREFIX.to_owned(),
    }
}

/// Creates a token with this policy only, without the default one.
pub(crate) fn token_of(api: &Api, name: &str, policy: &str) -> String {
    api.write_policy(name, policy).unwrap();
    let body = json!({"policies": [name], "no_default_policy": true, "ttl": "1h"});
    let answer = api.ok("POST", "auth/token/create", Some(&body)).unwrap();
    answer["auth"]["client_token"].as_str().unwrap().to_owned()
}

/// Returns a provider block for this server and token.
pub(crate) fn provider(server: &OpenBao, token: &str) -> String {
    format!(
        "{REQUIRED}provider \"planton\" {{\n  organization = \"acme\"\n  openbao = {{ address = {:?}, token \
         = {token:?} }}\n}}\n",
        server.address()
    )
}

const TRIGGERED: &str = r#"
variable "rotation" {
  default = "1"
}
resource "planton_secret" "text" {
  name             = "text"
  value_wo         = "hunter2-${var.rotation}"
  value_wo_version = var.rotation
  keep_versions    = 1
}
resource "planton_secret" "data" {
  name             = "data"
  environment      = "prod"
  data_wo          = { user = "app", password = "hunter2-${var.rotation}" }
  value_wo_version = var.rotation
}
resource "planton_secret" "generated" {
  name     = "generated"
  generate = { length = 20 }
}
"#;

/// A secret without a trigger, and enough others for a refresh by listing.
const MORE: &str = r#"
resource "planton_secret" "compared" {
  name     = "compared"
  value_wo = "hunter2"
}
resource "planton_secret" "many" {
  count    = 12
  name     = "many-${count.index}"
  generate = {}
}
"#;

/// Refreshes all secrets as a role without the rules of the policy that are for listings.
fn refreshes_without_a_listing(workspace: &mut Workspace, server: &OpenBao, policy: &str) {
    const SECRETS: usize = 4 + 12;
    let rules = policy.split_inclusive("}\n");
    let rules = rules.filter(|rule| !rule.contains("detailed-metadata"));
    let token = token_of(server.api(), "unlisted", &rules.collect::<String>());
    let provider = provider(server, &token);
    workspace.write("provider.tf", &provider).unwrap();
    let requests = Requests::of(workspace);
    workspace.env("TF_LOG_PROVIDER", "DEBUG");
    let refreshed = workspace.plan_with(&[], &["-refresh-only"]).unwrap();
    workspace.env_remove("TF_LOG_PROVIDER");
    workspace.env_remove("PLANTON_HTTP_REQUEST_LOG");
    let refreshed = refreshed.outcome();
    assert!(refreshed.stdout().contains("No changes."), "{refreshed:?}");
    let told = refreshed.stderr().matches("the role may not list").count();
    assert_eq!(told, 1, "{refreshed:?}");
    let sent = requests.take();
    let sent = tally(&sent);
    for singly in ["GET record data 200", "GET version metadata 200"] {
        assert!(sent.contains(&(singly, SECRETS)), "{sent:?}");
    }
}

#[test]
fn the_plan_role_refreshes_and_plans_and_never_decrypts() {
    let _filters = filters();
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let server = scene.openbao().unwrap();
    let api = server.api();
    let mut workspace = scene.workspace(TRIGGERED);
    workspace.write("more.tf", MORE).unwrap();
    workspace.apply(&[]).unwrap().ok().unwrap();
    let policy = policy_text(&scope("acme"), PolicyRole::Plan);
    refreshes_without_a_listing(&mut workspace, server, &policy);
    let token = token_of(api, "plan", &policy);
    workspace
        .write("provider.tf", &provider(server, &token))
        .unwrap();

    // Without a trigger the provider must compare the value.
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @r#"
    Error: Encryption Key Access Denied
      in resource "planton_secret" "compared"
      at resource "planton_secret" "compared" {

    The provider could not compare the configured value with the current one. To plan without the key and the stored secret, set value_wo_version: the provider compares values only if it is not set.

    The provider's credentials do not permit this operation on the key encryption key (decrypt: transit/decrypt/planton-acme.mac).

    Grant to the role in use:
    path "transit/decrypt/planton-acme.mac" {
      capabilities = ["update"]
    }

    Original error: the server returned 403: permission denied
    "#);

    let requests = Requests::of(&mut workspace);
    let refreshed = workspace.plan_with(&[], &["-refresh-only"]).unwrap();
    // Not by the exit code: Terraform 1.11 reports a change if the order of write-only
    // paths differs.
    let refreshed = refreshed.outcome().stdout();
    assert!(refreshed.contains("No changes."), "{refreshed}");
    workspace.write("more.tf", "").unwrap();
    workspace
        .plan_with(
            &[],
            &[
                "-target=planton_secret.text",
                "-target=planton_secret.data",
                "-target=planton_secret.generated",
            ],
        )
        .unwrap()
        .no_changes()
        .unwrap();
    workspace
        .plan(&[("rotation", "2")])
        .unwrap()
        .changes()
        .unwrap();
    let data = "data \"planton_secret\" \"text\" {\n  name = \"text\"\n}\n";
    workspace.write("more.tf", data).unwrap();
    workspace.plan(&[]).unwrap().changes().unwrap();
    assert_only_looked(&requests);

    // The policy distinguishes a missing secret, which requires a fence, from one that
    // the token may not read.
    let record = format!(
        "planton/metadata/catalog/acme/{}",
        record_key_of_name(&"text".parse().unwrap())
    );
    api.ok("DELETE", &record, None).unwrap();
    workspace.write("more.tf", "").unwrap();
    let drifted = workspace.plan(&[]).unwrap().changes().unwrap();
    assert!(
        drifted.stdout().contains("Warning: Secret Record Missing"),
        "{drifted:?}"
    );
    let sent = requests.take();
    assert_eq!(
        sent.iter().filter(|line| line.contains("fence")).count(),
        // One before the first confirmed absence, and one for this one.
        2,
        "{sent:?}"
    );
    assert!(
        sent.iter()
            .all(|line| !line.contains("transit") && !line.ends_with("403")),
        "{sent:?}"
    );
}

fn assert_only_looked(requests: &Requests) {
    let sent = requests.take();
    assert!(!sent.is_empty());
    let looks = |line: &String| {
        line.starts_with("GET ") && !line.contains("transit") && line.ends_with(" 200")
    };
    let others: Vec<_> = sent.iter().filter(|line| !looks(line)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_apply_role_does_everything_with_its_policy() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let server = scene.openbao().unwrap();
    let as_role = |role: PolicyRole| {
        let policy = policy_text(&scope("acme"), role);
        provider(server, &token_of(server.api(), role.name(), &policy))
    };
    let mut workspace = scene.workspace(TRIGGERED);
    workspace
        .write("provider.tf", &as_role(PolicyRole::Init))
        .unwrap();
    let requests = Requests::of(&mut workspace);

    // First use, with the organization's record and its keys, takes the init role.
    workspace.apply(&[]).unwrap().ok().unwrap();
    workspace
        .write("provider.tf", &as_role(PolicyRole::Apply))
        .unwrap();
    workspace.plan(&[]).unwrap().no_changes().unwrap();
    // A rotation, one version pruned; a comparison; reads.
    workspace
        .write(
            "more.tf",
            r#"
ephemeral "planton_secret" "data" {
  id = planton_secret.data.id
}
data "planton_secret" "text" {
  name = planton_secret.text.name
}
resource "planton_secret" "copy" {
  name     = "copy"
  value_wo = ephemeral.planton_secret.data.data.password
}
"#,
        )
        .unwrap();
    workspace.apply(&[("rotation", "2")]).unwrap().ok().unwrap();
    workspace
        .plan(&[("rotation", "2")])
        .unwrap()
        .no_changes()
        .unwrap();
    // Drift: a version that is gone.
    let api = server.api();
    let paths = api
        .list_recursive("planton", xtask::openbao::KvVersion::V2)
        .unwrap();
    let object = paths
        .iter()
        .find(|path| path.starts_with("planton/acme/org/text-"))
        .unwrap();
    api.ok("DELETE", &format!("planton/data/{object}"), None)
        .unwrap();
    workspace.apply(&[("rotation", "2")]).unwrap().ok().unwrap();
    workspace
        .plan(&[("rotation", "2")])
        .unwrap()
        .no_changes()
        .unwrap();
    workspace
        .destroy(&[("rotation", "2")])
        .unwrap()
        .ok()
        .unwrap();

    let sent = requests.take();
    let denied: Vec<_> = sent.iter().filter(|line| line.ends_with("403")).collect();
    assert!(denied.is_empty(), "{denied:?}");
    let left = api
        .list_recursive("planton", xtask::openbao::KvVersion::V2)
        .unwrap();
    assert!(
        left.iter().all(|path| path.starts_with("catalog/acme/")),
        "{left:?}"
    );
}

/// Tests the apply role, which may not create keys.
#[test]
fn first_use_without_the_right_to_create_the_key_tells_how_to_create_it() {
    let _filters = filters();
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let server = scene.openbao().unwrap();
    let policy = policy_text(&scope("acme"), PolicyRole::Apply);
    let token = token_of(server.api(), "apply", &policy);
    let workspace = scene.workspace(
        "resource \"planton_secret\" \"db\" {\n  name = \"db\"\n  value_wo = \"x\"\n}\n",
    );
    workspace
        .write("provider.tf", &provider(server, &token))
        .unwrap();
    let told = Told::by_apply(&workspace, &[], &[]);
    assert_snapshot!(told.everything(), @r#"
    Error: Encryption Key Access Denied
      in resource "planton_secret" "db"
      at resource "planton_secret" "db" {

    The provider's credentials do not permit this operation on the key encryption key (create key: transit/keys/planton-acme).

    The first use of an organization creates its keys, and requires the init policy. Use a token with that policy once. Or have an administrator create this key:
      bao write transit/keys/planton-acme type=aes256-gcm96 derived=true exportable=false auto_rotate_period=2160h
    Or grant to the role in use, until the first use is done:
    path "transit/keys/planton-acme" {
      capabilities = ["create", "read", "update"]
    }
    path "transit/keys/planton-acme.mac" {
      capabilities = ["create", "read", "update"]
    }
    path "transit/encrypt/planton-acme.mac" {
      capabilities = ["update"]
    }

    Original error: the server returned 403: permission denied
    "#);
    let absent = server
        .api()
        .call("GET", "transit/keys/planton-acme", None)
        .unwrap();
    assert_eq!(absent.status, 404, "encrypting made a key");

    // As the text describes.
    let key = json!({"type": "aes256-gcm96", "derived": true, "auto_rotate_period": "2160h"});
    for name in ["planton-acme", "planton-acme.mac"] {
        let path = format!("transit/keys/{name}");
        server.api().ok("POST", &path, Some(&key)).unwrap();
    }
    let told = Told::by_apply(&workspace, &[], &[]);
    assert_snapshot!(told.everything(), @r#"
    Error: Encryption Key Access Denied
      in resource "planton_secret" "db"
      at resource "planton_secret" "db" {

    The provider's credentials do not permit this operation on the key encryption key (encrypt: transit/encrypt/planton-acme.mac).

    The first use of an organization encrypts its MAC key, and requires the init policy. Use a token with that policy once. Or grant to the role in use, until the first use is done:
    path "transit/encrypt/planton-acme.mac" {
      capabilities = ["update"]
    }

    Original error: the server returned 403: permission denied
    "#);
    let granted = format!(
        "{policy}path \"transit/encrypt/planton-acme.mac\" {{\n  capabilities = [\"update\"]\n}}\n"
    );
    let token = token_of(server.api(), "first-use", &granted);
    workspace
        .write("provider.tf", &provider(server, &token))
        .unwrap();
    workspace.apply(&[]).unwrap().ok().unwrap();
    workspace.plan(&[]).unwrap().no_changes().unwrap();
}
