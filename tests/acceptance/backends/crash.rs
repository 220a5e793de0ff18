//! Kills the provider before each step of each operation on a registered backend. No
//! acknowledged write is lost, and the next apply converges. At the end, only objects
//! that no record names are left.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use xtask::terraform::Workspace;

use super::configuration::{VARIABLES, backend};
use super::crash_default::{SET_DEFAULT, UNSET_DEFAULT};
use super::{Place, at_every_place};
use crate::crash::{
    ADOPT, CREATE, DELETE, DELETE_ENTRY, PRUNE, RAISE, ROTATE, apply_ended_before, apply_killed,
    calls, resumed, slug,
};
use crate::scene::{On, Scene, assert_tombstones, record_of, terraform_1_11};
use crate::steps::{Steps, has};

pub(super) const REGISTER: [&str; 5] = [
    "register backend",
    "probe backend",
    "backend marker",
    "commit backend",
    "answer",
];
const ADOPT_BACKEND: &str = "adopt backend";
const UPDATE: [&str; 3] = ["update backend", "commit backend", "answer"];
const DELETE_BACKEND: [&str; 5] = [
    "delete backend",
    "list entries",
    "mark backend deleting",
    "backend tombstone",
    "delete backend marker",
];
/// The steps of a creation on a registered backend, in addition to [`CREATE`].
const CREATE_ELSEWHERE: [&str; 2] = ["entry", "look at backend"];
/// The steps of a deletion that cleans up after an interrupted creation.
const CLEAN_UP: [&str; 2] = ["clean up", "delete unnamed entry"];
/// The step of a deletion that fails after the mark. `held.rs` kills it.
const TAKE_MARK_BACK: &str = "take mark back";
/// The step of a destroy by the run that adopted the backend: see `ownership.rs`.
pub(super) const GIVE_BACK: &str = "give backend back";

/// A secret on the backend for each of `names`. Its value contains the name.
const SECRETS: &str = r#"
variable "names" { type = set(string) }
variable "keep" { default = 2 }

resource "planton_secret" "s" {
  for_each         = var.names
  name             = each.key
  backend          = "own"
  keep_versions    = var.keep
  value_wo         = "${var.value} of ${each.key}"
  value_wo_version = var.rotation
}
"#;

at_every_place!(
    acc_backend_survives_a_kill_before_each_of_its_steps,
    acc_secret_survives_a_kill_before_each_of_its_steps,
);

#[test]
fn every_step_of_a_backend_has_a_crash_test() {
    let tested: BTreeSet<String> = [
        &REGISTER[..],
        &[ADOPT_BACKEND],
        &UPDATE,
        &DELETE_BACKEND,
        &CLEAN_UP,
        &[TAKE_MARK_BACK],
        &[GIVE_BACK],
        &SET_DEFAULT,
        &[UNSET_DEFAULT],
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect();
    let operations = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src/operations");
    let files = ["backends", "default_backend"].map(|folder| operations.join(folder));
    let files = files.map(|folder| std::fs::read_dir(folder).unwrap());
    let mut steps = BTreeSet::new();
    for entry in files.into_iter().flatten() {
        let code = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        steps.extend(calls(&code, "before(\""));
        steps.extend(calls(&code, "crash_point(\""));
    }
    assert_eq!(steps, tested);
}

fn acc_backend_survives_a_kill_before_each_of_its_steps(scene: &Scene, place: Place) {
    let mut workspace = place.workspace(scene);
    let declared = [VARIABLES.to_owned(), backend(&place, "own")].concat();
    let secret = place.secret.clone();
    let mut credentials = 0;
    // The number of markers that were put and never committed. Each has its own name.
    let mut lost = 0;
    for (register, delete) in REGISTER.into_iter().zip(DELETE_BACKEND) {
        workspace.write("main.tf", &declared).unwrap();
        let version = credentials.to_string();
        let variables = [
            ("backend_secret", secret.as_str()),
            ("credentials", version.as_str()),
        ];
        apply_killed(&mut workspace, register, &variables);
        let committed = record(scene);
        assert_eq!(committed.is_null(), register != "answer", "{register}");
        if register == "answer" {
            // An apply adopts the backend only with the line that the error prints. This
            // one is killed first.
            let told = workspace.fails(&variables);
            has(&told, &["Secret Backend Already Exists"]);
            assert_eq!(record(scene), committed);
            workspace.env("PLANTON_RESUME", resumed(&told));
            apply_killed(&mut workspace, ADOPT_BACKEND, &variables);
            assert_eq!(record(scene), committed);
            let applied = workspace.settled(&variables);
            workspace.env_remove("PLANTON_RESUME");
            has(applied.stdout(), &["Interrupted Creation Completed"]);
            assert_eq!(record(scene)["uuid"], committed["uuid"]);
        }
        workspace.settled(&variables);
        lost += usize::from(register == "commit backend");
        let registered = record(scene);
        assert_eq!(place.objects().len(), 1 + lost, "{register}");
        let attributes = workspace.attributes("planton_secret_backend.own").unwrap();
        assert_eq!(attributes["id"], registered["uuid"], "{register}");

        // A new trigger with the same credential. The provider seals it again.
        for step in UPDATE.into_iter().filter(|_| register == REGISTER[0]) {
            credentials += 1;
            let version = credentials.to_string();
            let variables = [variables[0], ("credentials", version.as_str())];
            let before = record(scene);
            apply_killed(&mut workspace, step, &variables);
            assert_eq!(record(scene) != before, step == "answer", "{step}");
            workspace.settled(&variables);
            assert_eq!(record(scene)["uuid"], before["uuid"], "{step}");
        }

        // A deletion, killed at `delete`.
        workspace.write("main.tf", VARIABLES).unwrap();
        apply_killed(&mut workspace, delete, &[variables[0]]);
        workspace.settled(&[variables[0]]);
        assert!(record(scene).is_null(), "{delete}: {}", record(scene));
        // No record names the marker any more, so nothing removes it.
        lost += usize::from(delete == "delete backend marker");
        let objects = place.objects();
        assert_eq!(objects.len(), lost, "{register}, {delete}: {objects:?}");
    }
}

/// A killed destroy leaves the backend marked. An apply that declares the backend puts it
/// back into use. An apply without it deletes it.
#[test]
fn acc_backend_whose_destroy_was_killed_is_taken_back_or_goes() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::aws();
    let mut workspace = place.workspace(&scene);
    let secrets = SECRETS.replace("\"own\"", "planton_secret_backend.own.name");
    let declared = [VARIABLES, &backend(&place, "own"), &secrets].concat();
    let variables = [("backend_secret", place.secret.as_str())];
    let with = |workspace: &Workspace, names: &[&str]| {
        workspace.write("main.tf", &declared).unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        ask(workspace, &names, 1, 2);
    };
    let without = |workspace: &Workspace| {
        workspace.write("main.tf", VARIABLES).unwrap();
        std::fs::remove_file(workspace.path().join("asked.auto.tfvars")).unwrap();
    };
    let is_taken_back = |workspace: &Workspace, uuid: &Value| {
        let planned = workspace.changes(&variables);
        let parts = ["Warning: Backend Deletion Not Finished", "1 to change"];
        has(&planned, &parts);
        let applied = workspace.settled(&variables);
        has(applied.stdout(), &["1 added, 1 changed, 0 destroyed"]);
        assert_eq!(record(&scene)["state"], "ready");
        assert_eq!(record(&scene)["uuid"], *uuid);
        assert_eq!(place.objects().len(), 2, "{:?}", place.objects());
        assert_eq!(place.read(&scene, "db"), "1 of db");
    };
    with(&workspace, &[]);
    workspace.settled(&variables);
    let uuid = record(&scene)["uuid"].clone();

    // An uncommitted object of a killed creation, which the first deletion has to clean
    // up.
    with(&workspace, &["db"]);
    apply_killed(&mut workspace, "commit", &variables);
    assert!(record_of(&scene.records(), "db").is_null());
    assert_eq!(place.objects().len(), 2, "{:?}", place.objects());
    without(&workspace);
    apply_killed(&mut workspace, RAISE[0], &variables);
    assert_eq!(record(&scene)["state"], "deleting");
    assert_eq!(place.objects().len(), 2, "{:?}", place.objects());
    apply_killed(&mut workspace, "backend tombstone", &variables);
    assert_eq!(record(&scene)["state"], "deleting");
    assert_eq!(place.objects().len(), 1, "{:?}", place.objects());
    with(&workspace, &["db"]);
    is_taken_back(&workspace, &uuid);

    // The second deletion stops before the tombstone. Only the record and the marker are
    // left.
    let gone = [("names", "[]"), ("value", "1"), variables[0]];
    workspace.applied(&gone);
    without(&workspace);
    apply_killed(&mut workspace, "backend tombstone", &variables);
    assert_eq!(record(&scene)["state"], "deleting");
    assert_eq!(place.objects().len(), 1, "{:?}", place.objects());
    with(&workspace, &["db"]);
    is_taken_back(&workspace, &uuid);

    // The third deletion completes, and removes the uncommitted object too.
    with(&workspace, &["db", "other"]);
    apply_killed(&mut workspace, "commit", &variables);
    without(&workspace);
    apply_killed(&mut workspace, CLEAN_UP[0], &variables);
    apply_killed(&mut workspace, CLEAN_UP[1], &variables);
    workspace.settled(&variables);
    assert!(record(&scene).is_null(), "{}", record(&scene));
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    // The entries contain the uuid of a deleted backend, so they have no effect.
    let records = scene.records();
    let mut entries = records.keys().filter(|key| key.starts_with("entries/"));
    assert!(entries.next().is_some());
    assert!(entries.all(|key| key.contains(uuid.as_str().unwrap())));
}

fn acc_secret_survives_a_kill_before_each_of_its_steps(scene: &Scene, place: Place) {
    let mut workspace = place.workspace(scene);
    let declared = [VARIABLES, &backend(&place, "own"), SECRETS].concat();
    workspace.write("main.tf", &declared).unwrap();
    let variables = [("backend_secret", place.secret.as_str())];
    let mut names: Vec<String> = Vec::new();
    ask(&workspace, &names, 1, 2);
    workspace.applied(&variables);

    // Creations, each under its own name.
    for step in CREATE.into_iter().chain(CREATE_ELSEWHERE) {
        let name = slug(step);
        names.push(name.clone());
        ask(&workspace, &names, 1, 2);
        apply_killed(&mut workspace, step, &variables);
        let committed = record_of(&scene.records(), &name);
        assert_eq!(committed.is_null(), step != "answer", "{step}");
        if step == "answer" {
            // An apply adopts the secret only with the line that the error prints.
            let told = workspace.fails(&variables);
            has(&told, &["Secret Already Exists"]);
            assert_eq!(record_of(&scene.records(), &name), committed);
            workspace.env("PLANTON_RESUME", resumed(&told));
        }
        workspace.settled(&variables);
        workspace.env_remove("PLANTON_RESUME");
        let created = record_of(&scene.records(), &name);
        if step == "answer" {
            assert_eq!(committed["versions"], created["versions"]);
        }
        let attributes = secret(&workspace, &name);
        assert_eq!(attributes["id"], created["uuid"], "{step}");
        assert_eq!(attributes["version"], 1, "{step}");
    }
    assert_eq!(place.read(scene, "commit"), "1 of commit");
    assert_eq!(place.read(scene, "answer"), "1 of answer");

    // An adoption that also changes an argument, killed before its commit.
    names.push("adopted".to_owned());
    ask(&workspace, &names, 1, 2);
    apply_killed(&mut workspace, "answer", &variables);
    let committed = record_of(&scene.records(), "adopted");
    ask(&workspace, &names, 1, 3);
    let told = workspace.fails(&variables);
    workspace.env("PLANTON_RESUME", resumed(&told));
    workspace.env("PLANTON_TEST_KILL_BEFORE", ADOPT[0]);
    let only = ["-target=planton_secret.s[\"adopted\"]"];
    let outcome = workspace.apply_with(&variables, &only).unwrap();
    workspace.env_remove("PLANTON_TEST_KILL_BEFORE");
    assert!(!outcome.success(), "{outcome:?}");
    assert_eq!(record_of(&scene.records(), "adopted"), committed);
    workspace.settled(&variables);
    workspace.env_remove("PLANTON_RESUME");
    let adopted = record_of(&scene.records(), "adopted");
    assert_eq!(adopted["versions"], committed["versions"]);
    assert_eq!(adopted["arguments"]["keep_versions"], 3);

    // Deletions, one after the other.
    for step in DELETE {
        let name = names.pop().unwrap();
        ask(&workspace, &names, 1, 2);
        apply_killed(&mut workspace, step, &variables);
        workspace.settled(&variables);
        assert!(record_of(&scene.records(), &name).is_null(), "{step}");
    }
    let entries = |scene: &Scene| {
        let records = scene.records();
        records
            .keys()
            .filter(|key| key.starts_with("entries/"))
            .count()
    };
    if place.stores_versions_apart() {
        // The state has let go of the secret. Its entry is left, without an object.
        let (name, before) = (
            names.pop().unwrap(),
            (entries(scene), place.secrets().len()),
        );
        ask(&workspace, &names, 1, 2);
        apply_ended_before(&mut workspace, DELETE_ENTRY, &variables);
        assert!(record_of(&scene.records(), &name).is_null());
        assert_eq!((entries(scene), place.secrets().len() + 1), before);
        workspace.unchanged(&variables);
    }

    // Rotations of one remaining secret.
    names.truncate(1);
    ask(&workspace, &names, 1, 2);
    workspace.applied(&variables);
    let lost_by_creations = place.secrets().len() - 1;
    let mut number = 1;
    for step in rotation_of(&place) {
        number += 1;
        ask(&workspace, &names, number, 2);
        if step == PRUNE {
            apply_ended_before(&mut workspace, step, &variables);
        } else {
            apply_killed(&mut workspace, step, &variables);
        }
        let is_committed = matches!(step, "answer" | PRUNE);
        let expected = if is_committed { number } else { number - 1 };
        let value = place.read(scene, "create");
        assert_eq!(value, format!("{expected} of create"), "{step}");
        workspace.settled(&variables);
        assert_eq!(secret(&workspace, "create")["version"], number, "{step}");
    }
    let value = place.read(scene, "create");
    assert_eq!(value, format!("{number} of create"));

    workspace.destroyed(&variables);
    assert_tombstones(&scene.records());
    let left = place.objects();
    // The deletion of the backend removes the uncommitted object of a creation, by its
    // entry, and the entries that have no object.
    assert_eq!(lost_by_creations, 1, "{left:?}");
    assert_eq!(entries(scene), 0);
    // Each version has its own path on KV. No record names these: one uncommitted version
    // of a rotation, and two that the record dropped before their deletion.
    let expected = if place.stores_versions_apart() { 3 } else { 0 };
    assert_eq!(left.len(), expected, "{left:?}");
}

/// Writes the variables of the next apply.
fn ask(workspace: &Workspace, names: &[String], number: u64, keep: u64) {
    let asked = format!(
        "names = {names:?}\nvalue = \"{number}\"\nrotation = \"{number}\"\nkeep = {keep}\n"
    );
    workspace.write("asked.auto.tfvars", &asked).unwrap();
}

/// Returns the steps of a rotation. There is no prune step if the vendor cannot delete
/// single versions.
fn rotation_of(place: &Place) -> impl Iterator<Item = &'static str> {
    let prunes = place.deletes_versions().then_some(PRUNE);
    ROTATE.into_iter().chain(prunes)
}

fn secret(workspace: &Workspace, name: &str) -> Value {
    let address = format!("planton_secret.s[\"{name}\"]");
    let attributes = workspace.attributes(&address);
    attributes.unwrap_or_else(|| panic!("no {address} in the state"))
}

/// Returns the backend's record, or null if it is absent.
fn record(scene: &Scene) -> Value {
    let records = scene.records();
    let document = records.get("backends/own");
    document.map_or(Value::Null, |document| document["backend"].clone())
}
