//! Concurrent changes of a backend, the default and secrets. One run is paused at a step,
//! which makes each race deterministic.

use serde_json::Value;
use xtask::terraform::Workspace;

use super::configuration::{VARIABLES, backend, default, plain_backend, secret};
use super::{Place, at_every_place};
use crate::races::Held;
use crate::scene::{On, Scene, assert_tombstones, record_of, terraform_1_11};
use crate::steps::{Steps, flat, has};

at_every_place!(
    acc_default_backend_is_swapped_and_its_predecessor_removed_in_one_apply,
    acc_backend_that_is_destroyed_while_a_secret_is_created_on_it,
);

const FIRST: &str = "planton_secret_backend.first.name";
const SECOND: &str = "planton_secret_backend.second.name";

fn acc_default_backend_is_swapped_and_its_predecessor_removed_in_one_apply(
    scene: &Scene,
    place: Place,
) {
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(scene);
    write(&workspace, &[backend(&place, "first"), default(FIRST)]);
    workspace.settled(&variables);

    let after = "depends_on = [planton_default_backend.this]";
    let swapped = [
        backend(&place, "second"),
        default(SECOND),
        secret("db", after),
    ];
    write(&workspace, &swapped);
    let applied = workspace.settled(&variables);
    // Checks the order of the three changes.
    let told = flat(applied.stdout());
    let at = |part: &str| {
        let at = told.find(part);
        at.unwrap_or_else(|| panic!("{part:?} is not in: {told}"))
    };
    let order = [
        at("planton_secret_backend.second: Creation complete"),
        at("planton_default_backend.this: Modifications complete"),
        at("planton_secret_backend.first: Destroying"),
    ];
    assert!(order.is_sorted(), "{told}");

    assert_eq!(record_of(&scene.records(), "db")["backend_name"], "second");
    assert_eq!(place.read(scene, "db"), "first value");
    assert!(backend_record(scene, "first").is_null());
    workspace.destroyed(&variables);
    nothing_is_left(scene, &place);
}

/// Without `create_before_destroy`, Terraform destroys the backend while it is the
/// default. The destroy fails, and changes nothing.
#[test]
fn acc_default_backend_is_not_destroyed_before_its_successor_is_there() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::openbao();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    write(
        &workspace,
        &[plain_backend(&place, "first"), default(FIRST)],
    );
    workspace.settled(&variables);
    write(
        &workspace,
        &[plain_backend(&place, "second"), default(SECOND)],
    );
    let refused = workspace.fails(&variables);
    has(&refused, &["Secret Backend In Use", "default"]);
    assert_eq!(backend_record(&scene, "first")["state"], "ready");
    assert_eq!(backend_record(&scene, "first")["is_default"], true);

    // Two applies remove it, in the order that the example has in one.
    let both = [
        plain_backend(&place, "first"),
        plain_backend(&place, "second"),
        default(SECOND),
    ];
    write(&workspace, &both);
    workspace.settled(&variables);
    write(&workspace, &both[1..]);
    workspace.settled(&variables);
    workspace.destroyed(&variables);
    nothing_is_left(&scene, &place);
}

fn acc_backend_that_is_destroyed_while_a_secret_is_created_on_it(scene: &Scene, place: Place) {
    let variables = [("backend_secret", place.secret.as_str())];
    let mut owner = place.workspace(scene);
    let mut creator = place.workspace(scene);
    write(&creator, &[secret("db", "backend = \"first\"")]);

    // Pauses the creation before its entry, before its put, and before its commit.
    for (step, told) in [
        ("entry", "Secret Backend Not Found"),
        ("put", "Secret Backend Not Found"),
        ("commit", "Secret Backend Not Found"),
    ] {
        write(&owner, &[backend(&place, "first")]);
        owner.applied(&variables);
        let held = Held::before(step, &mut creator, &[]);
        owner.destroyed(&variables);
        assert!(backend_record(scene, "first").is_null(), "{step}");
        has(&flat(&held.release().error().unwrap()), &[told]);
        nothing_is_left(scene, &place);
    }

    // Pauses the deletion before its mark. The secret is created, and the deletion fails.
    owner.applied(&variables);
    let destroy = ["destroy", "-auto-approve", "-no-color", "-input=false"];
    let held = Held::run("mark backend deleting", &mut owner, &destroy, &variables);
    creator.settled(&[]);
    let refused = flat(&held.release().error().unwrap());
    has(&refused, &["Secret Backend In Use", "db"]);
    assert_eq!(backend_record(scene, "first")["state"], "ready");
    assert_eq!(place.read(scene, "db"), "first value");
    creator.unchanged(&[]);
    creator.destroyed(&[]);
    owner.unchanged(&variables);

    // After the deletion has listed the entries, a creation fails.
    let held = Held::run("backend tombstone", &mut owner, &destroy, &variables);
    has(&creator.fails(&[]), &["Secret Backend Being Deleted"]);
    held.release().ok().unwrap();
    nothing_is_left(scene, &place);
}

#[test]
fn acc_default_backend_that_changes_meanwhile_is_told_and_followed() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::openbao();
    let variables = [("backend_secret", place.secret.as_str())];
    let declared = [backend(&place, "first"), backend(&place, "second")].concat();
    let with = |workspace: &Workspace, more: &[String]| {
        write(workspace, &[std::slice::from_ref(&declared), more].concat());
    };
    let mut first = place.workspace(&scene);
    with(&first, &[default(FIRST)]);
    first.settled(&variables);

    // A second workspace imports the default, and changes it while the first is about to
    // change it.
    let second = place.workspace(&scene);
    write(&second, &[default("\"first\"")]);
    let address = "planton_default_backend.this";
    second.import(address, "acme", &[]).unwrap().ok().unwrap();
    second.unchanged(&[]);
    write(&second, &[default("\"second\"")]);
    with(&first, &[default("\"platform\"")]);
    let held = Held::before("commit default backend", &mut first, &variables);
    second.settled(&[]);
    let told = flat(&held.release().error().unwrap());
    has(&told, &["Default Backend Changed Concurrently"]);
    second.unchanged(&[]);

    // A creation that read the default before a change follows the change until it writes
    // its entry. After that, it keeps its backend.
    let mut creator = place.workspace(&scene);
    for (step, name, to, expected) in [
        ("entry", "early", "first", "first"),
        ("put", "late", "second", "first"),
    ] {
        write(&creator, &[secret(name, "")]);
        write(&second, &[default(&format!("{to:?}"))]);
        let held = Held::before(step, &mut creator, &[]);
        second.settled(&[]);
        held.release().ok().unwrap();
        creator.unchanged(&[]);
        let record = record_of(&scene.records(), name);
        assert_eq!(record["backend_name"], expected, "{step}");
        assert_eq!(place.read(&scene, name), "first value", "{step}");
        assert_eq!(place.secrets().len(), 1, "{step}");
        creator.destroyed(&[]);
    }

    // The first workspace drops the default from its state, and the second destroys it.
    first
        .run_with(&["state", "rm", address], &variables)
        .unwrap()
        .ok()
        .unwrap();
    second.destroyed(&[]);
    with(&first, &[]);
    first.settled(&variables);
    first.destroyed(&variables);
    nothing_is_left(&scene, &place);
}

fn write(workspace: &Workspace, parts: &[String]) {
    let whole = format!("{VARIABLES}{}", parts.concat());
    workspace.write("main.tf", &whole).unwrap();
}

/// Returns a backend's record, or null if it is absent.
fn backend_record(scene: &Scene, name: &str) -> Value {
    let records = scene.records();
    let document = records.get(&format!("backends/{name}"));
    document.map_or(Value::Null, |document| document["backend"].clone())
}

#[track_caller]
fn nothing_is_left(scene: &Scene, place: &Place) {
    assert_tombstones(&scene.records());
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    assert!(scene.objects().is_empty(), "{:?}", scene.objects());
}
