//! Searches everything that the lifecycle of a registered backend leaves behind for
//! planted values and for the backends' credentials.

use std::path::Path;

use serde_json::Value;
use xtask::canary::{Canary, Encoding};
use xtask::openbao::{KvVersion, ServerOptions};
use xtask::terraform::Workspace;

use super::Place;
use super::planted::{Planted, Refusal};
use crate::audit::{data_keys, without_exempt};
use crate::canary::{Searched, read, search};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::Steps;

/// A backend and its secrets, with short timeouts.
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
variable "entry" {
  type      = string
  ephemeral = true
}
variable "rotation" { default = "1" }
variable "credentials" { default = "1" }

resource "planton_secret_backend" "MARK-own" {
  name        = "MARK"
  description = "ABOUT"
BLOCK
  credentials_wo_version = var.credentials
}
resource "planton_secret" "MARK-db" {
  name             = "MARK-db"
  backend          = planton_secret_backend.MARK-own.name
  value_wo         = var.value
  value_wo_version = var.rotation
  timeouts         = { read = "3s", update = "3s" }
}
resource "planton_secret" "MARK-data" {
  name     = "MARK-data"
  backend  = planton_secret_backend.MARK-own.name
  data_wo  = { user = "root", password = var.entry }
  timeouts = { read = "3s" }
}
"#;

/// Makes the test of each place.
macro_rules! tests_of_planted {
    (; over_http { $($server:tt)* } on_disk { $($folder:tt)* }) => {
        tests_of_planted!($($server)* $($folder)*);
    };
    ($($place:ident => $start:ident,)+) => {$(
        #[test]
        fn $place() {
            super::on_the_embedded_platform(Planted::$start());
        }
    )+};
}

/// One login of each type. The tests below cover the others.
mod no_value_and_no_credential_is_anywhere_with {
    use super::Planted;

    crate::backends::each_place!(tests_of_planted,);
}

#[test]
fn no_value_and_no_credential_is_anywhere_with_an_approle() {
    on_the_embedded_platform(Planted::approle());
}

fn on_the_embedded_platform(planted: Planted) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let folder = scene.embedded().unwrap();
    let mut searched = searched(&planted);
    let workspace = live(&scene, planted, &mut searched, |searched| {
        let files = ["planton.db", "planton.db-wal", "planton.db-shm"];
        // The write-ahead log and its index may be absent while no process has the
        // database open.
        let bytes = files.map(|file| std::fs::read(folder.join(file)).unwrap_or_default());
        searched.add("the database", bytes.concat());
    });
    search_again(&searched, &workspace, &[&folder]);
}

#[test]
fn no_value_and_no_credential_of_a_backend_is_anywhere_on_an_openbao_platform() {
    let options = ServerOptions {
        raw_audit: true,
        ..ServerOptions::default()
    };
    let scene = Scene::with_server(&terraform_1_11(), &options);
    let server = scene.openbao().unwrap();
    let planted = Planted::aws_without_a_role();
    let mut searched = searched(&planted);
    let api = server.api().clone();
    let workspace = live(&scene, planted, &mut searched, |searched| {
        let dump = api.dump_kv("planton", KvVersion::V2).unwrap();
        searched.add("KV", dump.to_string());
    });
    let audit: Vec<Value> = server
        .audit_log()
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let keys = data_keys(&audit);
    assert!(keys.len() > 6, "for each version, the credential, a marker");
    searched.planted.extend(keys);
    searched.add("the audit log", without_exempt(audit).to_string());
    searched.add_quiet("the server's log", server.server_log());
    search_again(&searched, &workspace, &[]);
}

/// Searches all files that are left. The logs were added to `searched` before.
fn search_again(searched: &Searched, workspace: &Workspace, more: &[&Path]) {
    std::fs::remove_dir_all(workspace.root().join("logs")).unwrap();
    search(searched, &[more, &[workspace.root()]].concat());
}

fn searched(planted: &Planted) -> Searched {
    let mut all = vec![Canary::new("the value"), Canary::new("the entry")];
    all.extend(planted.credentials.iter().cloned());
    all.extend(planted.wrong.iter().cloned());
    Searched::new(all)
}

/// Runs a backend through its lifecycle. `look` adds the platform's content.
fn live(
    scene: &Scene,
    planted: Planted,
    searched: &mut Searched,
    look: impl Fn(&mut Searched),
) -> Workspace {
    let place = &planted.place;
    let mut workspace = place.workspace(scene);
    let configuration = CONFIGURATION
        .replace("MARK", searched.mark.value())
        .replace("BLOCK", &planted.block);
    // A text that is not secret. The search must find it.
    let about = Canary::new("a description");
    let quoted = &about.hcl()[1..about.hcl().len() - 1];
    workspace
        .write("main.tf", &configuration.replace("ABOUT", quoted))
        .unwrap();
    workspace.trace();
    workspace.env("TF_LOG_PROVIDER", "TRACE");
    for (name, value) in &planted.environment {
        workspace.env(*name, value);
    }
    let values: Vec<String> = (0..2)
        .map(|index| searched.planted[index].value().to_owned())
        .collect();
    let (secret, more) = (place.secret.clone(), planted.more.clone());
    let mut variables = vec![
        ("value", values[0].as_str()),
        ("entry", values[1].as_str()),
        ("backend_secret", secret.as_str()),
    ];
    variables.extend(more.iter().map(|(name, text)| (*name, text.as_str())));
    let with = |more: &[(&'static str, &'static str)]| [&variables[..], more].concat();
    let look = |searched: &mut Searched, place: &Place| {
        look(searched);
        searched.add("the backend", place.dump());
    };

    let plan = workspace.plan_with(&variables, &["-out=tfplan"]).unwrap();
    searched.add_run("a plan", &plan.changes().unwrap());
    let file = read(&workspace, "tfplan");
    assert_ne!(about.find_in(&file), [], "the plan file is searched");
    searched.add("the plan file", file);
    let shown = workspace.show_plan("tfplan").unwrap().to_string();
    assert_ne!(about.find_in(shown.as_bytes()), []);
    searched.add("the plan as JSON", shown);
    let outcome = workspace.apply_with(&variables, &["tfplan"]).unwrap();
    searched.add_run("an apply of the plan file", &outcome.ok().unwrap());
    let state = read(&workspace, "terraform.tfstate");
    assert_ne!(about.find_in(&state), [], "the state is searched");
    searched.add("the state", state);
    look(searched, place);

    let outcome = workspace.unchanged(&variables);
    searched.add_run("an empty plan", &outcome);
    let outcome = workspace.applied(&with(&[("rotation", "2"), ("credentials", "2")]));
    searched.add_run("a rotation of the value and of the credentials", &outcome);
    searched.add("the state after it", read(&workspace, "terraform.tfstate"));
    searched.add("its backup", read(&workspace, "terraform.tfstate.backup"));

    refusals(&workspace, &planted, &variables, searched);
    look(searched, place);
    planted.plant_issued(searched);

    let outcome = workspace.destroy(&variables).unwrap().ok().unwrap();
    searched.add_run("a destroy", &outcome);
    let outcome = workspace.applied(&variables);
    searched.add_run("a new beginning", &outcome);
    planted.plant_issued(searched);
    if let Some((block, environment)) = &planted.ambient {
        let main = read(&workspace, "main.tf");
        let main = String::from_utf8(main).unwrap();
        workspace
            .write("main.tf", &main.replace(&planted.block, block))
            .unwrap();
        for (name, value) in environment {
            workspace.env(*name, value);
        }
        // Without a new trigger, the provider keeps the sealed credential.
        let outcome = workspace.applied(&with(&[("credentials", "3")]));
        searched.add_run("an apply with what the environment has", &outcome);
        let state = read(&workspace, "terraform.tfstate");
        let state = String::from_utf8(state).unwrap();
        assert!(state.contains("\"ambient\""), "{state}");
        searched.add("the state after that", state);
        look(searched, place);
    }
    // Plants a value and a label, to prove that the search covers the place.
    let stray = Canary::alphanumeric("a stray payload");
    let label = Canary::alphanumeric("a stray label");
    place.put("stray", label.value(), stray.value());
    let dump = place.dump();
    assert_eq!(stray.find_in(&dump), [Encoding::Raw]);
    assert_eq!(label.find_in(&dump), [Encoding::Raw]);
    place.remove("stray");
    look(searched, place);

    // The server is gone.
    drop(planted);
    let outcome = workspace.plan(&variables).unwrap();
    assert!(matches!(&outcome.clone().error(), Ok(told) if told.contains("Error: ")));
    searched.add_run("a plan during an outage", outcome.outcome());
    workspace
}

/// Runs with rejected credentials, denied grants, expired tokens, and a failing vendor.
fn refusals(
    workspace: &Workspace,
    planted: &Planted,
    variables: &[(&str, &str)],
    searched: &mut Searched,
) {
    for (number, wrong) in planted.wrong.iter().enumerate() {
        let more = [
            ("rotation", "2"),
            ("credentials", "3"),
            ("backend_secret", wrong.value()),
        ];
        let outcome = workspace.apply(&[variables, &more].concat()).unwrap();
        assert!(outcome.clone().error().unwrap().contains("Secret Backend"));
        searched.add_run(&format!("refused credential {number}"), &outcome);
    }
    for (name, how, rotation) in [
        ("a denied grant", Refusal::Denied, "3"),
        ("an expired credential", Refusal::Expired, "4"),
        ("a failing vendor", Refusal::Down, "5"),
    ] {
        planted.refuse(how);
        let more = [("rotation", rotation), ("credentials", "2")];
        let outcome = workspace.apply(&[variables, &more].concat()).unwrap();
        planted.refuse(Refusal::None);
        assert!(outcome.clone().error().is_ok(), "{name}: {outcome:?}");
        searched.add_run(name, &outcome);
    }
}
