//! Tests `copy_from`. The provider reads an object of a backend once, seals the value,
//! and deletes the object if `delete_source` is set.

use xtask::canary::Canary;

use super::{Place, at_every_place};
use crate::crash::{COPY, resumed};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, has};

at_every_place!(acc_secret_takes_over_what_others_keep);

fn acc_secret_takes_over_what_others_keep(scene: &Scene, place: Place) {
    let credential = place.secret.clone();
    let variables = [("backend_secret", credential.as_str())];
    let [kept, moved] = ["kept", "moved"].map(Canary::alphanumeric);
    place.plant("legacy-kept", kept.value());
    place.plant("legacy-moved", moved.value());

    let mut workspace = place.workspace(scene);
    workspace.trace();
    let configuration = |rotation: &str, name: &str| {
        format!(
            r#"
variable "backend_secret" {{
  type      = string
  ephemeral = true
}}
resource "planton_secret_backend" "own" {{
  name = "own"
{}
}}
resource "planton_secret" "kept" {{
  name             = "kept"
  value_wo_version = {rotation:?}
  copy_from        = {{ backend = planton_secret_backend.own.name, remote_name = {name:?} }}
}}
resource "planton_secret" "moved" {{
  name      = "moved"
  backend   = planton_secret_backend.own.name
  copy_from = {{
    backend       = planton_secret_backend.own.name
    remote_name   = "legacy-moved"
    delete_source = true
  }}
}}
"#,
            place.block()
        )
    };
    workspace
        .write("main.tf", &configuration("1", "legacy-kept"))
        .unwrap();
    let outcome = workspace.settled(&variables);
    assert_eq!(place.read(scene, "kept"), place.copied(kept.value()));
    assert_eq!(place.read(scene, "moved"), place.copied(moved.value()));

    // The object to delete is gone, and the other is unchanged.
    let names: Vec<String> = place.objects().into_iter().map(|o| o.name).collect();
    assert!(!names.contains(&"legacy-moved".to_owned()), "{names:?}");

    // Neither plaintext is in the workspace, in the output, or in the platform.
    for canary in [&kept, &moved] {
        canary.absent_below(workspace.root()).unwrap();
        let printed = outcome.everything();
        canary.absent_from("what was printed", &printed).unwrap();
        let folder = scene.embedded().unwrap();
        canary.absent_below(&folder).unwrap();
    }
    for object in place.objects() {
        for payload in &object.payloads {
            moved.absent_from(&object.name, payload).unwrap();
        }
    }

    // The trigger reads the source again. If the source is absent, the apply fails and
    // loses nothing.
    workspace
        .write("main.tf", &configuration("2", "legacy-none"))
        .unwrap();
    let refused = workspace.fails(&variables);
    has(&refused, &["Nothing To Copy", "legacy-none"]);
    assert_eq!(place.read(scene, "kept"), place.copied(kept.value()));
    workspace
        .write("main.tf", &configuration("2", "legacy-kept"))
        .unwrap();
    workspace.settled(&variables);
    assert_eq!(workspace.secret("kept")["version"], 2);

    // An import restores `copy_from`.
    let second = place.workspace(scene);
    second
        .write("main.tf", &configuration("2", "legacy-kept"))
        .unwrap();
    for (address, id) in [
        ("planton_secret_backend.own", "own"),
        ("planton_secret.kept", "kept"),
        ("planton_secret.moved", "moved"),
    ] {
        second
            .import(address, id, &variables)
            .unwrap()
            .ok()
            .unwrap();
    }
    second.unchanged(&variables);
    workspace.destroyed(&variables);
}

/// `delete_source` has removed what the successor would be copied from.
#[test]
fn acc_replacement_of_the_only_copy_is_refused_in_the_plan() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::openbao();
    let variables = [("backend_secret", place.secret.as_str())];
    place.plant("legacy", "plain");
    let workspace = place.workspace(&scene);
    let write_at = |name: &str, block: &str| {
        let configuration = format!(
            "variable \"backend_secret\" {{\n  type = string\n  ephemeral = true\n}}\nresource \
             \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n{}}}\nresource \
             \"planton_secret\" \"copy\" {{\n  name = {name:?}\n  copy_from = {{\n    backend = \
             planton_secret_backend.own.name\n    remote_name = \"legacy\"\n    delete_source = \
             true\n  }}\n}}\n",
            block
        );
        workspace.write("main.tf", &configuration).unwrap();
    };
    let write = |name: &str| write_at(name, &place.block());
    write("copy");
    workspace.settled(&variables);
    let run = |arguments: &[&str]| workspace.run(arguments).unwrap().ok().unwrap();

    write("renamed");
    let refused = workspace.refused(&variables);
    has(&refused, &["Nothing To Copy", "the only copy"]);
    write("copy");
    let forced = ["-replace=planton_secret.copy"];
    let forced = workspace.plan_with(&variables, &forced).unwrap();
    has(&forced.error().unwrap(), &["Nothing To Copy"]);
    run(&["taint", "planton_secret.copy"]);
    let refused = workspace.refused(&variables);
    has(&refused, &["Nothing To Copy", "terraform untaint"]);
    run(&["untaint", "planton_secret.copy"]);
    workspace.unchanged(&variables);
    assert_eq!(place.read(&scene, "copy"), place.copied("plain"));

    // Nobody knows yet what another place has, which the same apply declares.
    for (from, to) in place.elsewhere() {
        write_at("renamed", &place.block().replace(from, to));
        workspace.changes(&variables);
    }

    // With something to copy, it is replaced.
    place.plant("legacy", "plain again");
    write("renamed");
    workspace.settled(&variables);
    assert_eq!(place.read(&scene, "renamed"), place.copied("plain again"));
}

#[test]
fn a_copy_that_is_killed_before_it_deletes_its_source_is_adopted_and_ends() {
    a_killed_copy_is_resumed(None);
}

/// The secret has the copied value, and the provider does not delete the newer source.
#[test]
fn acc_source_that_was_written_to_since_it_was_copied_stays() {
    a_killed_copy_is_resumed(Some("written since"));
}

fn a_killed_copy_is_resumed(written: Option<&str>) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::openbao();
    let credential = place.secret.clone();
    let variables = [("backend_secret", credential.as_str())];
    place.plant("legacy", "plain");
    let mut workspace = place.workspace(&scene);
    let backend = format!(
        "variable \"backend_secret\" {{\n  type = string\n  ephemeral = true\n}}\nresource \
         \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n{}}}\n",
        place.block()
    );
    workspace.write("main.tf", &backend).unwrap();
    workspace.settled(&variables);
    let copy = "resource \"planton_secret\" \"copy\" {\n  name = \"copy\"\n  copy_from = {\n    \
                backend = planton_secret_backend.own.name\n    remote_name = \"legacy\"\n    \
                delete_source = true\n  }\n}\n";
    workspace
        .write("main.tf", &format!("{backend}{copy}"))
        .unwrap();
    let [step] = COPY;
    workspace.env("PLANTON_TEST_KILL_BEFORE", step);
    let killed = workspace.apply(&variables).unwrap();
    assert!(!killed.success(), "{killed:?}");
    workspace.env_remove("PLANTON_TEST_KILL_BEFORE");
    if let Some(value) = written {
        place.plant("legacy", value);
    }
    let names = |place: &Place| -> Vec<String> {
        place
            .objects()
            .into_iter()
            .map(|object| object.name)
            .collect()
    };
    let told = workspace.fails(&variables);
    workspace.env("PLANTON_RESUME", resumed(&told));
    let adopted = workspace.applied(&variables);
    workspace.env_remove("PLANTON_RESUME");
    workspace.unchanged(&variables);
    assert_eq!(workspace.secret("copy")["version"], 1);
    assert_eq!(place.read(&scene, "copy"), place.copied("plain"));
    let is_left = names(&place).contains(&"legacy".to_owned());
    assert_eq!(is_left, written.is_some());
    let told = adopted.stdout().contains("Copied Object Left Behind");
    assert_eq!(told, written.is_some(), "{adopted:?}");
    workspace.destroyed(&variables);
}
