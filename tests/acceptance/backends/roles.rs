//! Roles as the guide prints them, and grants that take their time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::terraform::Workspace;

use super::Place;
use super::place::ACCESS_KEY;
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::steps::{Steps, has, text};

const SECRETS: &str = r#"
variable "trigger" { default = "1" }

resource "planton_secret" "s" {
  for_each         = toset(["gone", "kept"])
  name             = each.key
  backend          = planton_secret_backend.own.name
  value_wo         = "value"
  value_wo_version = var.trigger
}
"#;

const PLAN: &str = "\n## Roles that only plan\n";
const READ: &str = "\n## Roles that only read\n";

/// What the guide prints in a section, behind a vendor's name.
fn printed(section: &str, vendor: &str) -> String {
    let guide = include_str!("../../../docs/guides/backends.md");
    let (_, section) = guide.split_once(section).unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (_, text) = section.split_once(&format!("\n{vendor}")).unwrap();
    let (_, text) = text.split_once("\n```").unwrap();
    let (_, text) = text.split_once('\n').unwrap();
    let (text, _) = text.split_once("```").unwrap();
    text.to_owned()
}

/// Takes everything from the identity in use but what a section prints.
fn restrict(place: &Place, section: &str) {
    match place.block_name {
        "aws_secrets_manager" => {
            let policy: Value = serde_json::from_str(&printed(section, "AWS:")).unwrap();
            place.moto().attach_policy(ACCESS_KEY, &policy).unwrap();
        }
        "gcp_secret_manager" => {
            let granted = printed(section, "GCP");
            let all = [
                "secretmanager.secrets.create",
                "secretmanager.secrets.delete",
                "secretmanager.secrets.get",
                "secretmanager.versions.access",
                "secretmanager.versions.add",
                "secretmanager.versions.destroy",
                "secretmanager.versions.get",
                "secretmanager.versions.list",
            ];
            let is_denied = |permission: &&str| !granted.lines().any(|line| line == *permission);
            let denied: Vec<_> = all.into_iter().filter(is_denied).collect();
            assert_eq!(denied.len(), 6, "{granted}");
            place.gcp_fake().deny(&denied).unwrap();
        }
        "azure_key_vault" => {
            let granted = printed(section, "Azure:");
            let mut denied = json!({});
            for (permission, action) in [
                ("get", "getSecret/action"),
                ("list", "readMetadata/action"),
                ("set", "setSecret/action"),
                ("delete", "delete"),
                ("purge", "purge/action"),
            ] {
                let action = format!("Microsoft.KeyVault/vaults/secrets/{action}");
                if !granted.lines().any(|line| line == action) {
                    denied[permission] = json!("ForbiddenByRbac");
                }
            }
            let fake = place.azure_fake();
            fake.control(&json!({"deny": denied})).unwrap();
        }
        other => panic!("{other}"),
    }
}

/// Lets everybody do everything where what is denied is denied to all.
fn lift(place: &Place) {
    match place.block_name {
        "gcp_secret_manager" => place.gcp_fake().deny(&[]).unwrap(),
        "azure_key_vault" => place.azure_fake().control(&json!({"deny": {}})).unwrap(),
        _ => {}
    }
}

fn roles_suffice(place: Place) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let folder = tempfile::tempdir().unwrap();
    let place = place.with_ambient_secret(folder.path());
    let block = place.ambient_block();
    let backend =
        format!("resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n{block}}}\n");
    let workspace = place.workspace(&scene);
    workspace
        .write("main.tf", &format!("{backend}{SECRETS}"))
        .unwrap();
    workspace.settled(&[]);
    restrict(&place, READ);
    assert_eq!(place.read(&scene, "kept"), "value");

    restrict(&place, PLAN);
    workspace.unchanged(&[]);
    // One is gone: drift, for which the marker is looked at.
    lift(&place);
    place.remove(&text(&record_of(&scene.records(), "gone"), "remote_name"));
    restrict(&place, PLAN);
    let planned = workspace.changes(&[]);
    assert!(planned.contains("planton_secret.s[\"gone\"]"), "{planned}");
    assert!(
        !planned.contains("planton_secret.s[\"kept\"] will"),
        "{planned}"
    );
}

#[test]
fn acc_roles_that_only_plan_or_read_suffice_as_the_guide_prints_them_on_aws() {
    roles_suffice(Place::aws());
}

#[test]
fn acc_roles_that_only_plan_or_read_suffice_as_the_guide_prints_them_on_gcp() {
    roles_suffice(Place::gcp());
}

#[test]
fn acc_roles_that_only_plan_or_read_suffice_as_the_guide_prints_them_on_azure() {
    roles_suffice(Place::azure());
}

/// The time that a grant takes here, and the most that is waited for it.
const TAKES: Duration = Duration::from_secs(5);
const PATIENCE: (&str, &str) = ("PLANTON_TEST_GRANT_WAIT_MS", "60000");

fn declaring(place: &Place, scene: &Scene, patience: &str) -> Workspace {
    let mut workspace = place.workspace(scene);
    workspace.env(PATIENCE.0, patience);
    let variable = "variable \"backend_secret\" {\n  type      = string\n  ephemeral = true\n}\n";
    let block = place.block();
    let backend = format!(
        "{variable}resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n{block}  \
         credentials_wo_version = \"1\"\n}}\n"
    );
    workspace.write("main.tf", &backend).unwrap();
    workspace
}

fn is_registered_once_granted(place: &Place) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = declaring(place, &scene, PATIENCE.1);
    let given = [("backend_secret", place.secret.as_str())];
    workspace.settled(&given);
    let objects = place.objects();
    assert_eq!(
        objects.len(),
        1,
        "the marker, and no throw-away object: {objects:?}"
    );
    workspace.destroyed(&given);
}

/// A new credential is as new as its grants: the marker is looked for until they hold.
#[test]
fn acc_new_credential_is_saved_once_its_grant_has_settled() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::azure();
    let workspace = declaring(&place, &scene, PATIENCE.1);
    let given = [("backend_secret", place.secret.as_str())];
    workspace.settled(&given);
    let file = workspace.path().join("main.tf");
    let declared = std::fs::read_to_string(&file).unwrap();
    let again = declared.replace("_wo_version = \"1\"", "_wo_version = \"2\"");
    workspace.write("main.tf", &again).unwrap();
    let seconds = TAKES.as_secs();
    let grants = json!({"set": seconds, "get": seconds, "list": seconds});
    let fake = place.azure_fake();
    fake.control(&json!({"grant_after": grants})).unwrap();
    workspace.settled(&given);
    workspace.destroyed(&given);
}

/// What is never granted is told after that time, and nothing is left of the tries.
#[test]
fn acc_grant_that_never_settles_is_told_after_a_bounded_time() {
    const BOUND: Duration = Duration::from_secs(4);
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::gcp();
    let denied = "secretmanager.versions.add";
    place.gcp_fake().deny(&[denied]).unwrap();
    let workspace = declaring(&place, &scene, "4000");
    let given = [("backend_secret", place.secret.as_str())];
    let started = Instant::now();
    let refused = workspace.fails(&given);
    let took = started.elapsed();
    has(&refused, &["The backend was not saved", denied]);
    let is_bounded = took > BOUND / 2 && took < BOUND * 8;
    assert!(is_bounded, "{took:?}");
    place.gcp_fake().deny(&[]).unwrap();
    workspace.settled(&given);
    workspace.destroyed(&given);
}

#[test]
fn acc_backend_is_registered_once_its_grant_has_settled_on_aws() {
    let place = Place::aws();
    place.moto().grant_after(ACCESS_KEY, TAKES).unwrap();
    is_registered_once_granted(&place);
}

#[test]
fn acc_backend_is_registered_once_its_grant_has_settled_on_gcp() {
    let place = Place::gcp();
    let fake = place.gcp_fake();
    // One after the other, as they propagate.
    let all = [
        "secretmanager.secrets.create",
        "secretmanager.versions.access",
    ];
    fake.grant_after(&all, TAKES).unwrap();
    is_registered_once_granted(&place);
}

#[test]
fn acc_backend_is_registered_once_its_grant_has_settled_on_azure() {
    let place = Place::azure();
    let fake = place.azure_fake();
    let seconds = TAKES.as_secs();
    let grants = json!({"set": seconds, "get": seconds, "list": seconds, "delete": 1});
    fake.control(&json!({"grant_after": grants})).unwrap();
    is_registered_once_granted(&place);
}

#[test]
fn acc_backend_is_registered_while_its_vault_takes_its_time_to_delete() {
    let place = Place::azure();
    let slow = json!({"deletion_seconds": 8});
    place.azure_fake().control(&slow).unwrap();
    is_registered_once_granted(&place);
}
