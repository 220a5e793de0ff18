//! Tests two concurrent applies of one configuration.

use std::collections::BTreeSet;

use serde_json::Value;
use xtask::terraform::{Outcome, Workspace};

use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, flat};

const COUNT: usize = 60;

const MANY: &str = r#"
resource "planton_secret_backend" "b" {
  count             = 60
  name              = "b${count.index}"
  verify_connection = false
  openbao = {
    address       = "http://127.0.0.1:1"
    kv_mount_path = "secret"
    token_wo      = "root"
  }
  credentials_wo_version = "1"
}
"#;

/// Returns the ids in the state.
fn owned(workspace: &Workspace) -> BTreeSet<String> {
    let state: Value = serde_json::from_str(&workspace.state_text().unwrap()).unwrap();
    let instances = state.pointer("/resources/0/instances");
    let instances = instances.and_then(Value::as_array).into_iter().flatten();
    instances
        .map(|one| one["attributes"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Returns the names in a run's errors, which must all report an existing secret.
#[track_caller]
fn taken(outcome: &Outcome) -> BTreeSet<String> {
    let told = flat(&outcome.diagnostics());
    let errors = told.split("Error: ").skip(1);
    let name = |error: &str| {
        let about = error.strip_prefix("Secret Backend Already Exists ");
        let about = about.unwrap_or_else(|| panic!("{error}"));
        let after = about.split("Secret backend \"").nth(1);
        let after = after.unwrap_or_else(|| panic!("no name: {error}"));
        after.split('"').next().unwrap().to_owned()
    };
    errors.map(name).collect()
}

#[test]
fn acc_two_applies_at_once_share_no_backend() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    // The organization exists already.
    let first = "resource \"planton_secret\" \"first\" {\n  name = \"first\"\n  generate = {}\n}\n";
    scene.workspace(first).applied(&[]);
    let [one, two] = [scene.workspace(MANY), scene.workspace(MANY)];
    let arguments = ["apply", "-auto-approve", "-no-color", "-input=false"];
    let runs = [&one, &two].map(|workspace| workspace.spawn(&arguments, &[]).unwrap());
    let [of_one, of_two] = runs.map(|run| run.wait().unwrap());
    let [ids_of_one, ids_of_two] = [owned(&one), owned(&two)];
    assert!(ids_of_one.is_disjoint(&ids_of_two), "something was adopted");
    // Each name was created once, and rejected once.
    assert_eq!(ids_of_one.len() + ids_of_two.len(), COUNT);
    let [told_one, told_two] = [taken(&of_one), taken(&of_two)];
    assert!(told_one.is_disjoint(&told_two));
    assert_eq!(told_one.len(), ids_of_two.len(), "{of_one:?}");
    assert_eq!(told_two.len(), ids_of_one.len(), "{of_two:?}");
    // Each run destroys its own secrets, and the other's stay.
    one.destroyed(&[]);
    let records = scene.records();
    let backends = records
        .iter()
        .filter(|(key, _)| key.starts_with("backends/"));
    let left = backends.filter_map(|(_, document)| document["backend"]["uuid"].as_str());
    let left: BTreeSet<String> = left.map(str::to_owned).collect();
    assert_eq!(left, ids_of_two);
}
