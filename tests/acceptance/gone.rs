//! A protected secret that is gone, or that another state owns now, leaves the state with
//! its resource. Terraform 1.11 plans to destroy a resource that left the configuration
//! before it refreshes it, so the state alone cannot show this.

use xtask::terraform::Workspace;

use crate::crash::resumed;
use crate::scene::{Scene, with_every_terraform};
use crate::steps::{Steps, flat, has, text};

with_every_terraform!(
    acc_protected_secret_that_is_gone_leaves_the_state_with_its_resource,
    acc_protected_secret_of_another_state_leaves_this_one_with_its_resource,
);

const PROTECTED: &str = "deletion_protection = true";

fn secret(lines: &str) -> String {
    format!(
        "resource \"planton_secret\" \"db\" {{\n  name = \"db\"\n  generate = {{ length = 20 }}\n  \
         {lines}\n}}\n"
    )
}

/// Removes the resource from the configuration, and applies.
#[track_caller]
fn dropped(workspace: &Workspace) -> String {
    workspace.write("main.tf", "").unwrap();
    let applied = workspace.applied(&[]);
    let state = workspace.state_text().unwrap();
    assert!(!state.contains("planton_secret"), "{state}");
    flat(applied.stdout())
}

fn acc_protected_secret_that_is_gone_leaves_the_state_with_its_resource(scene: &Scene) {
    let first = scene.workspace(&secret(PROTECTED));
    first.settled(&[]);
    let second = scene.workspace(&secret(PROTECTED));
    second
        .run(&["import", "planton_secret.db", "db"])
        .unwrap()
        .ok()
        .unwrap();

    // While it exists, both are rejected.
    second.write("main.tf", "").unwrap();
    has(&second.refused(&[]), &["Secret Deletion Protected"]);
    first.write("main.tf", &secret("")).unwrap();
    first.applied(&[]);
    // The record contains the protection that the other state configured.
    first.write("main.tf", &secret(PROTECTED)).unwrap();
    first.applied(&[]);
    has(&second.refused(&[]), &["Secret Deletion Protected"]);

    first.write("main.tf", &secret("")).unwrap();
    first.applied(&[]);
    first.destroyed(&[]);
    dropped(&second);
}

fn acc_protected_secret_of_another_state_leaves_this_one_with_its_resource(scene: &Scene) {
    let first = scene.workspace(&secret(PROTECTED));
    first.settled(&[]);
    let id = text(&first.secret("db"), "id");
    let value = scene.open(&id);

    let mut second = scene.workspace(&secret(PROTECTED));
    let told = second.fails(&[]);
    second.env("PLANTON_RESUME", resumed(&told));
    second.settled(&[]);
    second.env_remove("PLANTON_RESUME");

    // The first folder has not refreshed since.
    let told = dropped(&first);
    has(&told, &["Left To Its Owner"]);
    assert_eq!(scene.open(&id), value);
    second.unchanged(&[]);
}
