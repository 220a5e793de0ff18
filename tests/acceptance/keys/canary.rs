//! Searches everything that a backend with keys of its own leaves behind, for planted values
//! and for the credentials of its keys.

use xtask::canary::Canary;
use xtask::terraform::Workspace;

use super::service::Service;
use super::{IDENTITY, KEY_SECRET, RECIPIENT, escrow};
use crate::backends::planted::Planted;
use crate::canary::{Searched, read, search};
use crate::operator::{self, Pins};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::Steps;

const CONFIGURATION: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}
variable "session" {
  type      = string
  ephemeral = true
  default   = null
}
variable "value" {
  type      = string
  ephemeral = true
}
variable "rotation" { default = "1" }
variable "credentials" { default = "1" }

resource "planton_secret_backend" "MARK-own" {
  name = "MARK"
BLOCK
  credentials_wo_version = var.credentials
  encryption             = KEY
  ESCROW
}
resource "planton_secret" "MARK-db" {
  name             = "MARK-db"
  backend          = planton_secret_backend.MARK-own.name
  value_wo         = var.value
  value_wo_version = var.rotation
  timeouts         = { read = "3s", update = "3s" }
}
"#;

#[test]
fn no_value_and_no_credential_of_a_key_is_anywhere_with_aws_kms() {
    searched_for_credentials(Service::Aws, &Planted::aws());
}

#[test]
fn no_value_and_no_credential_of_a_key_is_anywhere_with_gcp_kms() {
    searched_for_credentials(Service::Gcp, &Planted::gcp());
}

#[test]
fn no_value_and_no_credential_of_a_key_is_anywhere_with_azure_key_vault() {
    searched_for_credentials(Service::Azure, &Planted::azure());
}

#[test]
fn no_value_and_no_credential_of_a_key_is_anywhere_with_transit() {
    searched_for_credentials(Service::Transit, &Planted::openbao());
}

/// Runs each operator command on the backend, and collects what it prints.
fn operated(searched: &mut Searched, scene: &Scene, planted: &Planted, workspace: &Workspace) {
    let files = tempfile::TempDir::new().unwrap();
    let identity = files.path().join("id").display().to_string();
    std::fs::write(&identity, IDENTITY).unwrap();
    searched.planted.push(Canary::of("the identity", IDENTITY));
    let backend = searched.mark.value().to_owned();
    let secret = format!("{backend}-db");
    let address = format!("planton_secret_backend.{backend}-own");
    let attributes = workspace.attributes(&address).unwrap();
    let mut pins = Pins::of(scene);
    for id in attributes["key_ids"].as_array().unwrap() {
        pins = pins.and(id.as_str().unwrap());
    }
    let mut variables: Vec<(&str, &str)> = pins.variables().to_vec();
    variables.extend([("TF_LOG", "TRACE"), ("RUST_LOG", "trace")]);
    let environment = [planted.environment.clone(), planted.place.environment()].concat();
    variables.extend(
        environment
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let of_backend = ["--backend", &backend];
    let opening = [
        "open",
        "--from-backend",
        "--secret",
        &secret,
        "--identity",
        &identity,
    ];
    let collection = ["gc", "--orphans", "--older-than", "0s", "--delete"];
    let backup = files.path().join("acme.backup").display().to_string();
    let commands = [
        vec!["platform", "backup", &backup],
        vec!["platform", "restore", &backup],
        vec!["platform", "accept-rollback", "--platform-restored"],
        [&["verify", "--drill", &identity], &of_backend[..]].concat(),
        [&collection[..], &of_backend].concat(),
        [&["rewrap"], &of_backend[..]].concat(),
        [&["rewrap", "--with", &identity], &of_backend[..]].concat(),
        vec!["reseal", &backend],
        opening.to_vec(),
    ];
    for command in &commands {
        let output = operator::run(scene, command, &variables);
        let printed = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&printed)
        );
        searched.add_quiet(&format!("the output of {command:?}"), printed);
    }
    searched.add_quiet("the backup", std::fs::read(&backup).unwrap());
    // What an error says: the organization itself has no escrow key.
    let refused = operator::run(scene, &["rewrap", "--with", &identity], &variables);
    assert_eq!(refused.status.code(), Some(1));
    searched.add_quiet(
        "a refused rewrap",
        [refused.stdout, refused.stderr].concat(),
    );
}

fn searched_for_credentials(service: Service, planted: &Planted) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let folder = scene.embedded().unwrap();
    let place = &planted.place;
    service.prepare(place);
    let key = service.create(place, "one");
    let secret = service.secret(place);
    let mut canaries = vec![Canary::new("the value")];
    canaries.extend(planted.credentials.iter().cloned());
    if service == Service::Transit {
        canaries.push(Canary::of("the token of the key", &secret));
    }
    let mut searched = Searched::new(canaries);
    let mut workspace = place.workspace(&scene);
    let configuration = CONFIGURATION
        .replace("MARK", searched.mark.value())
        .replace("BLOCK", &planted.block)
        .replace("KEY", &service.block(place, &key))
        .replace("ESCROW", &escrow(&[RECIPIENT]));
    workspace
        .write("main.tf", &[KEY_SECRET, &configuration].concat())
        .unwrap();
    workspace.trace();
    workspace.env("TF_LOG_PROVIDER", "TRACE");
    for (name, value) in &planted.environment {
        workspace.env(*name, value);
    }
    let (value, backend) = (searched.planted[0].value().to_owned(), place.secret.clone());
    let mut variables = vec![
        ("value", value.as_str()),
        ("backend_secret", backend.as_str()),
        ("key_secret", secret.as_str()),
    ];
    variables.extend(
        planted
            .more
            .iter()
            .map(|(name, text)| (*name, text.as_str())),
    );
    let with = |more: &[(&'static str, &'static str)]| [&variables[..], more].concat();

    let plan = workspace.plan_with(&variables, &["-out=tfplan"]).unwrap();
    searched.add_run("a plan", &plan.changes().unwrap());
    searched.add("the plan file", read(&workspace, "tfplan"));
    let outcome = workspace.apply_with(&variables, &["tfplan"]).unwrap();
    searched.add_run("an apply of the plan file", &outcome.ok().unwrap());
    searched.add("the state", read(&workspace, "terraform.tfstate"));
    let outcome = workspace.unchanged(&variables);
    searched.add_run("an empty plan", &outcome);
    let outcome = workspace.applied(&with(&[("rotation", "2"), ("credentials", "2")]));
    searched.add_run("a rotation of the value and of the credentials", &outcome);

    operated(&mut searched, &scene, planted, &workspace);

    // What an error says of a revoked key.
    service.set_usable(place, &key, false);
    let wrong = with(&[("rotation", "3"), ("credentials", "3")]);
    let outcome = workspace.apply(&wrong).unwrap();
    searched.add_run("an apply with a revoked key", &outcome);
    service.set_usable(place, &key, true);
    searched.add("the state after it", read(&workspace, "terraform.tfstate"));
    searched.add("the backend", place.dump());
    for file in ["planton.db", "planton.db-wal"] {
        // The write-ahead log may be absent while no process has the database open.
        let bytes = std::fs::read(folder.join(file)).unwrap_or_default();
        searched.add_quiet("the database", bytes);
    }
    let outcome = workspace.destroy(&variables).unwrap().ok().unwrap();
    searched.add_run("a destroy", &outcome);
    std::fs::remove_dir_all(workspace.root().join("logs")).unwrap();
    search(&searched, &[&folder, workspace.root()]);
}
