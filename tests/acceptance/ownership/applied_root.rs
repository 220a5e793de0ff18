//! Tests `terraform test` in the folder of an applied configuration, with an empty state
//! and the same names.

use crate::crash::{apply_killed, resumed};
use crate::scene::{On, Scene, record_of, terraform_1_11, with_every_terraform};
use crate::steps::{Steps, flat, has, text};
use crate::workflows::testing::{CONSUMED, test, write_test};

with_every_terraform!(acc_terraform_test_in_the_folder_of_an_applied_root_touches_nothing);

fn acc_terraform_test_in_the_folder_of_an_applied_root_touches_nothing(scene: &Scene) {
    let workspace = scene.workspace(CONSUMED);
    workspace.settled(&[]);
    let (records, objects) = (scene.records(), scene.objects());
    let ids = ["db", "consumer"].map(|name| text(&workspace.secret(name), "id"));
    let values = ids.each_ref().map(|id| scene.open(id));
    // The plan succeeds, and the apply fails.
    write_test(
        &workspace,
        "run \"plans\" {\n  command = plan\n}\nrun \"applies\" {}\n",
    );
    let failed = test(&workspace);
    assert_eq!(failed.code(), Some(1), "{failed:?}");
    let told = flat(&[failed.stdout(), failed.stderr()].concat());
    has(&told, &["1 passed, 1 failed", "Secret Already Exists"]);
    assert_eq!(scene.records(), records);
    assert_eq!(scene.objects(), objects);
    assert_eq!(ids.each_ref().map(|id| scene.open(id)), values);
    workspace.unchanged(&[]);
}

/// A test run that resumes another run destroys nothing at its end. The secrets of the
/// killed run still wait for its own folder.
#[test]
fn acc_secret_that_a_test_resumed_is_given_back() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let db = "resource \"planton_secret\" \"db\" {\n  name = \"db\"\n  generate = {}\n}\n";
    let mut workspace = scene.workspace(db);
    apply_killed(&mut workspace, "answer", &[]);
    let committed = record_of(&scene.records(), "db");
    let value = scene.open(&text(&committed, "uuid"));
    let told = workspace.fails(&[]);
    workspace.env("PLANTON_RESUME", resumed(&told));

    write_test(&workspace, "run \"applies\" {}\n");
    let passed = test(&workspace).ok().unwrap();
    let told = flat(passed.stdout());
    has(
        &told,
        &[
            "1 passed, 0 failed",
            "Warning: Interrupted Creation Completed",
            "Warning: Secret Left To Its Owner",
        ],
    );
    let given_back = record_of(&scene.records(), "db");
    assert_eq!(given_back["owner"], committed["owner"]);

    let applied = workspace.settled(&[]);
    has(applied.stdout(), &["Interrupted Creation Completed"]);
    workspace.env_remove("PLANTON_RESUME");
    let id = text(&workspace.secret("db"), "id");
    assert_eq!(id, text(&committed, "uuid"));
    assert_eq!(scene.open(&id), value);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}
