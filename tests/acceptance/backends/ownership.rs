//! A backend and the default belong to one state. Another state gets an error, and
//! neither changes nor destroys them.

use std::collections::BTreeMap;

use serde_json::Value;
use xtask::terraform::Workspace;

use super::Place;
use super::configuration::{VARIABLES, default, plain_backend};
use super::crash::{GIVE_BACK, REGISTER};
use crate::crash::{apply_killed, resumed, slug};
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
    // A deletion of another backend raises the default's record, so its generation
    // differs.
    let kept = || {
        let default = record(&scene, "default");
        let own = record(&scene, "backends/own");
        (own, default["backend"].clone(), default["owner"].clone())
    };
    let before = kept();

    // The same configuration in another folder, then one with the default only.
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
    // Two resources of one configuration declare the same name. The second gets an error.
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

    // The first state gets a warning or an error, and neither changes nor destroys the
    // backend.
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

/// Kills a declaration at each step. Then a second folder with the same configuration
/// applies and destroys.
#[test]
fn acc_second_folder_gets_no_backend_that_a_killed_declaration_committed() {
    let (scene, place) = scene();
    let each = plain_backend(&place, "each")
        .replace("name = \"each\"", "for_each = var.names\n  name = each.key");
    let names_of = "variable \"names\" { type = set(string) }\n".to_owned();
    let declared = [names_of, each];
    let mut first = place.workspace(&scene);
    declares(&first, &declared);
    let secret = ("backend_secret", place.secret.as_str());
    for step in REGISTER {
        let names = format!("[{:?}]", slug(step));
        apply_killed(&mut first, step, &[("names", names.as_str()), secret]);
    }
    let names = REGISTER.map(slug);
    let all = serde_json::to_string(&names).unwrap();
    let (all, none) = ([("names", all.as_str()), secret], [("names", "[]"), secret]);
    let committed = || {
        let record = |name: &String| {
            let record = record(&scene, &format!("backends/{name}"))["backend"].clone();
            (!record.is_null()).then(|| (name.clone(), record))
        };
        names.iter().filter_map(record).collect::<BTreeMap<_, _>>()
    };
    let before = committed();
    assert_eq!(before.keys().collect::<Vec<_>>(), ["answer"]);

    let second = place.workspace(&scene);
    declares(&second, &declared);
    let told = second.fails(&all);
    assert_eq!(told.matches("Error: ").count(), 1, "{told}");
    has(&told, &["Secret Backend Already Exists", "\"answer\""]);
    let both = committed();
    assert_eq!(both.len(), names.len());
    assert_eq!(both["answer"], before["answer"]);
    // The first folder gets an error for each, and destroys none.
    let refused = first.fails(&all);
    let existing = "Error: Secret Backend Already Exists";
    assert_eq!(refused.matches(existing).count(), names.len(), "{refused}");
    first.destroyed(&none);
    assert_eq!(committed(), both);

    second.applied(&none);
    assert_eq!(committed(), before);
    first.env("PLANTON_RESUME", resumed(&told));
    first.settled(&all);
    first.env_remove("PLANTON_RESUME");
    first.unchanged(&all);
    assert_eq!(committed()["answer"]["uuid"], before["answer"]["uuid"]);
    first.applied(&none);
    assert!(committed().is_empty());
}

/// `terraform test` adopts a backend and destroys it in one run, so the backend goes back
/// to its former owner.
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
    // A test requires a value for every ephemeral variable, even with a default.
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
