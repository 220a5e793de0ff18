//! A backend and the default belong to one state: the others are told, change nothing
//! and destroy nothing.

use serde_json::Value;
use xtask::terraform::Workspace;

use super::Place;
use super::configuration::{VARIABLES, default, plain_backend};
use super::crash::GIVE_BACK;
use crate::crash::{apply_killed, resumed};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, flat, has};

const OWN: &str = "planton_secret_backend.own.name";

fn scene() -> (Scene, Place) {
    (
        Scene::new(&terraform_1_11(), On::Embedded),
        Place::openbao(),
    )
}

fn declares(workspace: &Workspace, parts: &[String]) {
    let whole = [&[VARIABLES.to_owned()], parts].concat().concat();
    workspace.write("main.tf", &whole).unwrap();
}

fn record(scene: &Scene, key: &str) -> Value {
    scene.records().get(key).cloned().unwrap_or_default()
}

#[test]
fn acc_backend_and_default_of_another_state_are_neither_adopted_nor_destroyed() {
    let (scene, place) = scene();
    let variables = [("backend_secret", place.secret.as_str())];
    let both = [plain_backend(&place, "own"), default(OWN)];
    let first = place.workspace(&scene);
    declares(&first, &both);
    first.settled(&variables);
    // A deletion of another backend writes the default's record again as it is.
    let kept = || {
        let default = record(&scene, "default");
        let own = record(&scene, "backends/own");
        (own, default["backend"].clone(), default["owner"].clone())
    };
    let before = kept();

    // The same configuration in another folder, and one with the default alone.
    let second = place.workspace(&scene);
    declares(&second, &both);
    let told = second.fails(&variables);
    let expected = [
        "Secret Backend Already Exists",
        "PLANTON_RESUME=",
        "import {",
    ];
    has(&told, &expected);
    second.destroyed(&variables);
    declares(&second, &[default("\"own\"")]);
    has(&second.fails(&variables), &["Default Backend Already Set"]);
    second.destroyed(&variables);
    // Twice in one configuration: the second resource is told so.
    let twice = plain_backend(&place, "two");
    let again = twice.replacen("\"two\"", "\"again\"", 1);
    let after = "  depends_on = [planton_secret_backend.two]\n}\n";
    let (again, _) = again.rsplit_once("}\n").unwrap();
    declares(&second, &[twice, format!("{again}{after}")]);
    has(&second.fails(&variables), &["Backend Declared Twice"]);
    second.destroyed(&variables);

    assert_eq!(kept(), before);
    first.unchanged(&variables);
    first.destroyed(&variables);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

#[test]
fn acc_backend_of_a_killed_run_is_resumed_from_another_folder_and_its_first_state_lets_it_be() {
    let (scene, place) = scene();
    let variables = [("backend_secret", place.secret.as_str())];
    let both = [plain_backend(&place, "own"), default(OWN)];
    let first = place.workspace(&scene);
    declares(&first, &both);
    first.settled(&variables);

    let mut second = place.workspace(&scene);
    declares(&second, &both[..1]);
    let told = second.fails(&variables);
    let (run, _) = resumed(&told)
        .split_once('@')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    for (value, summary) in [
        (format!("{run}@2020-01-01T00:00:00Z"), "Resume Expired"),
        ("yes".to_owned(), "Invalid Resume Variable"),
    ] {
        second.env("PLANTON_RESUME", &value);
        has(&second.fails(&variables), &[summary]);
    }
    second.env("PLANTON_RESUME", resumed(&told));
    let applied = second.settled(&variables);
    has(applied.stdout(), &["Interrupted Creation Completed"]);

    // The first is told, changes nothing, and destroys nothing of it.
    let unchanged = first.unchanged(&variables);
    has(unchanged.stdout(), &["Backend Owned By Another State"]);
    let edited = both[0].replace("name = \"own\"", "name = \"own\"\n  description = \"x\"");
    declares(&first, &[edited, both[1].clone()]);
    has(
        &first.fails(&variables),
        &["Backend Owned By Another State"],
    );
    declares(&first, &[]);
    let dropped = first.applied(&variables);
    has(dropped.stdout(), &["Backend Left To Its Owner"]);
    second.env_remove("PLANTON_RESUME");
    second.unchanged(&variables);
    second.destroyed(&variables);
    assert!(record(&scene, "backends/own")["backend"].is_null());
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

/// A state that holds what this run has adopted, as `terraform test` does: the apply
/// that adopts also destroys, since both happen in one run.
#[test]
fn acc_backend_that_a_test_run_resumed_is_given_back() {
    let (scene, place) = scene();
    let variables = [("backend_secret", place.secret.as_str())];
    let mut first = place.workspace(&scene);
    declares(&first, &[plain_backend(&place, "own")]);
    apply_killed(&mut first, "answer", &variables);
    let committed = record(&scene, "backends/own")["backend"].clone();
    let told = first.fails(&variables);

    first.write("own.tftest.hcl", TEST).unwrap();
    first.env("PLANTON_RESUME", resumed(&told));
    // A test wants every ephemeral variable to be set, defaults or not.
    let all = [variables[0], ("value", "unused")];
    first.env("PLANTON_TEST_KILL_BEFORE", GIVE_BACK);
    let killed = first.run_with(&["test", "-no-color"], &all).unwrap();
    assert!(!killed.success(), "{killed:?}");
    let adopted = record(&scene, "backends/own")["backend"].clone();
    assert_ne!(adopted["owner"], committed["owner"], "{killed:?}");
    first.env_remove("PLANTON_TEST_KILL_BEFORE");
    let told = first.fails(&variables);
    first.env("PLANTON_RESUME", resumed(&told));
    let tested = first
        .run_with(&["test", "-no-color"], &all)
        .unwrap()
        .ok()
        .unwrap();
    has(&flat(tested.stdout()), &["1 passed, 0 failed"]);
    let given_back = record(&scene, "backends/own")["backend"].clone();
    assert_eq!(given_back["owner"]["stamp"], adopted["owner"]["stamp"]);
    assert_eq!(given_back["uuid"], committed["uuid"]);

    let applied = first.settled(&variables);
    has(applied.stdout(), &["Interrupted Creation Completed"]);
    first.env_remove("PLANTON_RESUME");
    first.destroyed(&variables);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

const TEST: &str = "run \"applies\" {\n  command = apply\n}\n";
