//! Tests the roles that the guide prints, and grants that take effect late.

use std::time::{Duration, Instant};

use serde_json::json;
use xtask::terraform::Workspace;

use super::Place;
use super::fixtures::{ACCESS_KEY, Aws, Azure, Gcp, PrintedRoles};
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

/// Returns the code block after a vendor's name in a section of the guide.
pub(super) fn printed(section: &str, vendor: &str) -> String {
    let guide = include_str!("../../../docs/guides/backends.md");
    let (_, section) = guide.split_once(section).unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (_, text) = section.split_once(&format!("\n{vendor}")).unwrap();
    let (_, text) = text.split_once("\n```").unwrap();
    let (_, text) = text.split_once('\n').unwrap();
    let (text, _) = text.split_once("```").unwrap();
    text.to_owned()
}

fn roles_suffice<V: PrintedRoles>(place: Place) {
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
    let roles = place.fixture::<V>();
    roles.restrict(READ);
    assert_eq!(place.read(&scene, "kept"), "value");

    roles.restrict(PLAN);
    workspace.unchanged(&[]);
    // One object is gone. The provider checks the marker before it reports drift.
    roles.lift();
    place.remove(&text(&record_of(&scene.records(), "gone"), "remote_name"));
    roles.restrict(PLAN);
    let planned = workspace.changes(&[]);
    assert!(planned.contains("planton_secret.s[\"gone\"]"), "{planned}");
    assert!(
        !planned.contains("planton_secret.s[\"kept\"] will"),
        "{planned}"
    );
}

#[test]
fn acc_roles_that_only_plan_or_read_suffice_as_the_guide_prints_them_on_aws() {
    roles_suffice::<Aws>(Place::aws());
}

#[test]
fn acc_roles_that_only_plan_or_read_suffice_as_the_guide_prints_them_on_gcp() {
    roles_suffice::<Gcp>(Place::gcp());
}

#[test]
fn acc_roles_that_only_plan_or_read_suffice_as_the_guide_prints_them_on_azure() {
    roles_suffice::<Azure>(Place::azure());
}

/// The delay of a grant in these tests. The provider waits for it up to [`PATIENCE`].
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

/// The grants of a new credential are new too: the provider retries the marker until they
/// take effect.
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

/// A grant that never takes effect fails after a bounded time, and the retries leave no
/// object.
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
    // The grants take effect one after the other.
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
