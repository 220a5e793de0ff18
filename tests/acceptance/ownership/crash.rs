//! Kills a creation at each of its steps. Then a second folder with the same
//! configuration applies and destroys. It gets the uncommitted names, and none of the
//! committed secrets.

use std::collections::BTreeMap;

use serde_json::Value;
use xtask::terraform::Workspace;

use crate::backends::Place;
use crate::crash::{CREATE, apply_killed, resumed, slug};
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::steps::{Steps, has};

/// The steps of a creation on a registered backend, in addition to [`CREATE`].
const ELSEWHERE: [&str; 2] = ["entry", "look at backend"];

fn secrets(backend: &str) -> String {
    format!(
        r#"
variable "names" {{ type = set(string) }}
variable "whose" {{
  type      = string
  ephemeral = true
}}
resource "planton_secret" "s" {{
  for_each         = var.names
  name             = each.key
  backend          = {backend:?}
  value_wo         = "${{var.whose}} ${{each.key}}"
  value_wo_version = "1"
}}
"#
    )
}

#[test]
fn acc_second_folder_gets_nothing_that_a_killed_creation_committed() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let first = scene.workspace(&secrets("platform"));
    // The organization exists already.
    first.applied(&[("names", r#"["zeroth"]"#), ("whose", "first")]);
    first.destroyed(&[("names", "[]"), ("whose", "")]);
    killed_at_each_step(&scene, first, &CREATE);
    // Put before the kill, and never committed.
    assert_eq!(scene.objects().len(), 1);
}

#[test]
fn acc_second_folder_gets_nothing_that_a_killed_creation_committed_elsewhere() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::openbao();
    let owner = place.workspace(&scene);
    let backend = crate::backends::declared(&place);
    owner.write("main.tf", &backend).unwrap();
    let credential = [("backend_secret", place.secret.as_str())];
    owner.applied(&credential);
    let first = scene.workspace(&secrets("own"));
    killed_at_each_step(&scene, first, &[&CREATE[..], &ELSEWHERE].concat());
    // Each leftover has an entry, through which the deletion of its backend finds it.
    owner.destroyed(&credential);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    let records = scene.records();
    let entries = records.keys().filter(|key| key.starts_with("entries/"));
    assert_eq!(entries.count(), 0);
}

/// The next run that needs the name finishes an interrupted deletion. The secret that it
/// creates is another one, and its own.
#[test]
fn acc_second_folder_finishes_a_killed_deletion_and_the_first_lets_go() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let mut first = scene.workspace(&secrets("platform"));
    let with = |whose| [("names", r#"["s"]"#), ("whose", whose)];
    first.applied(&with("first"));
    let id = record_of(&scene.records(), "s")["uuid"].clone();
    let none = [("names", "[]"), ("whose", "")];
    apply_killed(&mut first, "delete object", &none);

    let second = scene.workspace(&secrets("platform"));
    second.settled(&with("second"));
    let created = record_of(&scene.records(), "s");
    assert_ne!(created["uuid"], id);
    assert_eq!(scene.objects().len(), 1);
    first.settled(&none);
    first.destroyed(&none);
    assert_eq!(record_of(&scene.records(), "s"), created);
    let told = first.apply(&with("first")).unwrap().error().unwrap();
    has(&told, &["Secret Already Exists"]);
    second.unchanged(&with("second"));
}

fn killed_at_each_step(scene: &Scene, mut first: Workspace, steps: &[&str]) {
    let of = |whose: &'static str, names: &str| {
        let (names, whose) = (names.to_owned(), whose.to_owned());
        move |workspace: &Workspace| {
            let variables = [("names", names.as_str()), ("whose", whose.as_str())];
            workspace.apply(&variables).unwrap()
        }
    };
    for step in steps {
        let names = format!("[{:?}]", slug(step));
        let variables = [("names", names.as_str()), ("whose", "first")];
        apply_killed(&mut first, step, &variables);
    }
    let names: Vec<String> = steps.iter().map(|step| slug(step)).collect();
    let all = serde_json::to_string(&names).unwrap();
    let committed = |records: &BTreeMap<String, Value>| -> Vec<String> {
        let is_committed = |name: &&String| !record_of(records, name).is_null();
        names.iter().filter(is_committed).cloned().collect()
    };
    let before = scene.records();
    assert_eq!(committed(&before), ["answer"]);

    let second = scene.workspace(&std::fs::read_to_string(first.path().join("main.tf")).unwrap());
    let told = of("second", &all)(&second).error().unwrap();
    assert_eq!(told.matches("Error: ").count(), 1, "{told}");
    let line = resumed(&told);
    let records = scene.records();
    assert_eq!(committed(&records).len(), steps.len());
    assert_eq!(record_of(&records, "answer"), record_of(&before, "answer"));

    // The first folder reports the owner of the others, and does not change them.
    let told = of("first", &all)(&first).error().unwrap();
    let refused = told.matches("Error: Secret Already Exists").count();
    assert_eq!(refused, steps.len(), "{told}");
    assert_eq!(scene.records(), records);
    for name in &names {
        let id = record_of(&records, name)["uuid"]
            .as_str()
            .unwrap()
            .to_owned();
        let whose = if name == "answer" { "first" } else { "second" };
        assert_eq!(scene.open(&id).text.unwrap(), format!("{whose} {name}"));
    }

    // The second folder destroys its own secrets. The committed ones stay for the first.
    second.destroyed(&[("names", "[]"), ("whose", "")]);
    let records = scene.records();
    assert_eq!(committed(&records), ["answer"]);
    assert_eq!(record_of(&records, "answer"), record_of(&before, "answer"));
    first.env("PLANTON_RESUME", line);
    first.settled(&[("names", &all), ("whose", "first")]);
    first.env_remove("PLANTON_RESUME");
    first.unchanged(&[("names", &all), ("whose", "later")]);
    let answered = record_of(&scene.records(), "answer");
    assert_eq!(
        answered["versions"],
        record_of(&before, "answer")["versions"]
    );
    first.destroyed(&[("names", "[]"), ("whose", "")]);
}
