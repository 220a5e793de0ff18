//! The provider keeps a backend's sealed credential while its trigger is unchanged, with
//! or without a credential in the configuration.

use serde_json::json;
use xtask::terraform::Workspace;

use super::{Place, at_every_place};
use crate::reading::Told;
use crate::scene::{On, Scene, terraform_1_11, terraform_1_15, with_every_terraform};
use crate::steps::{Steps, has, text};

at_every_place!(acc_credential_given_once_is_kept_until_its_trigger_changes);
with_every_terraform!(
    acc_secret_parts_of_logins_are_kept_as_well,
    acc_login_that_the_kept_credential_does_not_fit_is_refused,
);

const VARIABLES: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
  default   = null
}
variable "trigger" { default = "1" }
variable "edition" { default = "first" }
"#;

const OWN: &str = "planton_secret_backend.own";

fn configuration(block: &str) -> String {
    format!(
        "{VARIABLES}resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n  \
         description = var.edition\n{block}  credentials_wo_version = var.trigger\n}}\n\
         resource \"planton_secret\" \"db\" {{\n  name = \"db\"\n  backend = \
         planton_secret_backend.own.name\n  value_wo = \"x\"\n  value_wo_version = var.edition\n}}\n"
    )
}

fn source(workspace: &Workspace) -> String {
    text(&workspace.attributes(OWN).unwrap(), "credential_source")
}

fn acc_credential_given_once_is_kept_until_its_trigger_changes(scene: &Scene, place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let secret = place.secret.clone();
    let given = [("backend_secret", secret.as_str())];
    let workspace = place.workspace(scene);
    workspace
        .write("main.tf", &configuration(&place.block()))
        .unwrap();
    workspace.settled(&given);

    // A plan or a change of another argument needs no credential, and does not take
    // another one.
    workspace.unchanged(&[]);
    workspace.unchanged(&[("backend_secret", "another")]);
    let sealed = |scene: &Scene| scene.records()["backends/own"]["backend"]["credential"].clone();
    let before = sealed(scene);
    assert!(before.is_object(), "{before}");
    workspace.settled(&[("edition", "second")]);
    assert_eq!(source(&workspace), "static");
    assert_eq!(sealed(scene), before);

    // Imported into another state, with a generated configuration.
    let elsewhere = place.workspace(scene);
    let import = "import {\n  to = planton_secret_backend.own\n  id = \"own\"\n}\n";
    elsewhere.write("main.tf", import).unwrap();
    let planned = elsewhere
        .plan_with(&[], &["-generate-config-out=generated.tf"])
        .unwrap();
    has(
        planned.outcome().stdout(),
        &["1 to import, 0 to add, 0 to change, 0 to destroy"],
    );
    elsewhere.settled(&[]);
    assert_eq!(source(&elsewhere), "static");

    // The trigger removes the sealed credential.
    let place = place.with_ambient_secret(folder.path());
    let mut workspace = workspace;
    for (name, value) in place.ambient_variables() {
        workspace.env(name, value);
    }
    workspace
        .write("main.tf", &configuration(&place.ambient_block()))
        .unwrap();
    let second = ("edition", "second");
    workspace.settled(&[second, ("trigger", "2")]);
    assert_eq!(source(&workspace), "ambient");
    assert_eq!(sealed(scene), json!(null));

    // The trigger seals a credential again. From then on, the environment has none.
    workspace
        .write("main.tf", &configuration(&place.block()))
        .unwrap();
    workspace.settled(&[second, ("trigger", "3"), given[0]]);
    assert_eq!(source(&workspace), "static");
    for (name, _) in place.ambient_variables() {
        workspace.env_remove(name);
    }
    workspace.destroyed(&[second, ("trigger", "3")]);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

/// Declares a backend on an OpenBAO with a login.
fn login(place: &Place, lines: &str) -> String {
    format!(
        "  openbao = {{\n    address = {:?}\n    {lines}\n  }}\n",
        place.address()
    )
}

const APPROLE: &str = "approle = { role_id = \"ROLE\", secret_id_wo = var.backend_secret }";

/// Enables AppRole, and returns the login's lines and its secret ID.
fn approle(place: &Place) -> (String, String) {
    let api = place.server().api();
    let policy = "path \"secret/*\" { capabilities = [\"create\", \"read\", \"update\", \
                  \"delete\", \"list\"] }";
    api.write_policy("stores", policy).unwrap();
    let role = api
        .approle("approle", "own", &["stores"], json!({}))
        .unwrap();
    (APPROLE.replace("ROLE", &role.role_id), role.secret_id)
}

fn acc_secret_parts_of_logins_are_kept_as_well(scene: &Scene) {
    let place = Place::openbao();
    let (lines, secret) = approle(&place);
    let workspace = place.workspace(scene);
    let block = login(&place, &lines);
    workspace.write("main.tf", &configuration(&block)).unwrap();
    workspace.settled(&[("backend_secret", &secret)]);
    workspace.unchanged(&[]);
    workspace.settled(&[("edition", "second")]);
    assert_eq!(source(&workspace), "static");
    let import = "import {\n  to = planton_secret_backend.own\n  id = \"own\"\n}\n";
    let elsewhere = place.workspace(scene);
    elsewhere.write("main.tf", import).unwrap();
    let generated = ["-generate-config-out=generated.tf"];
    let planned = elsewhere.plan_with(&[], &generated).unwrap();
    has(
        planned.outcome().stdout(),
        &["1 to import, 0 to add, 0 to change, 0 to destroy"],
    );
    workspace.destroyed(&[("edition", "second")]);
}

fn acc_login_that_the_kept_credential_does_not_fit_is_refused(scene: &Scene) {
    let place = Place::openbao();
    let workspace = place.workspace(scene);
    workspace
        .write("main.tf", &configuration(&place.block()))
        .unwrap();
    workspace.settled(&[("backend_secret", &place.secret)]);
    let (lines, secret) = approle(&place);
    let block = login(&place, &lines);
    workspace.write("main.tf", &configuration(&block)).unwrap();
    let told = Told::by_plan(&workspace, &[], &[]);
    has(
        &told.at("own"),
        &[
            "keeps its sealed credential",
            "change credentials_wo_version in the same apply",
        ],
    );
    // With a new trigger and the secret ID, the provider logs in with the AppRole.
    workspace.settled(&[("backend_secret", &secret), ("trigger", "2")]);
    workspace.destroyed(&[("trigger", "2")]);
}

/// A replacement keeps no credential, so the plan requires one.
#[test]
fn acc_replaced_backend_asks_for_its_credential_again() {
    for terraform in [terraform_1_11(), terraform_1_15()] {
        let scene = Scene::new(&terraform, On::Embedded);
        let place = Place::openbao();
        place.server().api().enable_kv2("other").unwrap();
        let given = ("backend_secret", place.secret.as_str());
        let workspace = place.workspace(&scene);
        let whole = configuration(&place.block());
        let (backend, _) = whole.split_once("resource \"planton_secret\"").unwrap();
        workspace.write("main.tf", backend).unwrap();
        workspace.settled(&[given]);
        let moved = backend.replace("token_wo", "kv_mount_path = \"other\"\n    token_wo");
        workspace.write("main.tf", &moved).unwrap();
        let told = Told::by_plan(&workspace, &[], &[]);
        assert!(!told.success, "{told:#?}");
        has(&told.at("own"), &["Error: Backend Credential Missing"]);
        workspace.settled(&[given]);
        workspace.destroyed(&[]);
    }
}
