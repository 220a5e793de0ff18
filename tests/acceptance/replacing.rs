//! The provider rejects the replacement of a protected secret: in the plan if Terraform
//! announces the replacement, otherwise before any write. Every printed remedy works.

use xtask::terraform::Workspace;

use crate::scene::{Scene, with_every_terraform};
use crate::steps::{Steps, flat, has, text};

with_every_terraform!(
    acc_protected_secret_is_not_replaced_by_force,
    acc_protected_secret_is_not_replaced_by_a_trigger,
    acc_protected_secret_that_is_tainted_is_kept,
    acc_retained_secret_is_not_replaced_under_its_name,
    acc_creation_after_a_failed_update_is_no_replacement,
    acc_protected_object_that_was_deposed_can_be_given_up,
);

const FORCE: [&str; 1] = ["-replace=planton_secret.db"];
const FIRST: &str = "lifecycle { create_before_destroy = true }";

fn secret(lines: &str) -> String {
    format!(
        "resource \"planton_secret\" \"db\" {{\n  name = \"db\"\n  generate = {{ length = 20 }}\n  \
         {lines}\n}}\n"
    )
}

/// Plans with these arguments. The plan must fail.
#[track_caller]
fn refused_with(workspace: &Workspace, arguments: &[&str]) -> String {
    flat(
        &workspace
            .plan_with(&[], arguments)
            .unwrap()
            .error()
            .unwrap(),
    )
}

/// Runs Terraform, which must succeed.
#[track_caller]
fn run(workspace: &Workspace, arguments: &[&str]) {
    workspace.run(arguments).unwrap().ok().unwrap();
}

/// Checks that the state has no deposed object.
#[track_caller]
fn nothing_is_deposed(workspace: &Workspace) {
    let state = workspace.state_text().unwrap();
    assert!(!state.contains("deposed"), "{state}");
}

/// With `create_before_destroy` on the resource itself, inherited from a dependent, and
/// absent.
fn acc_protected_secret_is_not_replaced_by_force(scene: &Scene) {
    let dependent = format!(
        "resource \"terraform_data\" \"app\" {{\n  triggers_replace = planton_secret.db.id\n  {FIRST}\n}}\n"
    );
    for (own, inherited) in [("", ""), (FIRST, ""), ("", &*dependent)] {
        let write = |protection: bool, workspace: &Workspace| {
            let db = secret(&format!("deletion_protection = {protection}\n  {own}"));
            workspace
                .write("main.tf", &format!("{db}{inherited}"))
                .unwrap();
        };
        let workspace = scene.workspace("");
        write(true, &workspace);
        workspace.settled(&[]);
        let id = text(&workspace.secret("db"), "id");
        let value = scene.open(&id);

        has(
            &refused_with(&workspace, &FORCE),
            &["Secret Deletion Protected"],
        );
        // Nor is it if the same step removes the protection.
        write(false, &workspace);
        has(
            &refused_with(&workspace, &FORCE),
            &["Secret Deletion Protected"],
        );
        write(true, &workspace);
        workspace.unchanged(&[]);
        let destroy = workspace.destroy(&[]).unwrap().error().unwrap();
        has(&flat(&destroy), &["Secret Deletion Protected"]);
        workspace.unchanged(&[]);
        assert_eq!(scene.open(&id), value);
        nothing_is_deposed(&workspace);

        // Follows the remedy in the message.
        write(false, &workspace);
        workspace.settled(&[]);
        if own.is_empty() && inherited.is_empty() {
            let replaced = workspace.apply_with(&[], &FORCE).unwrap();
            replaced.ok().unwrap();
            assert_ne!(text(&workspace.secret("db"), "id"), id);
        }
        workspace.destroyed(&[]);
        assert_eq!(scene.objects(), [""; 0]);
        // An ordinary creation afterwards does not count as a replacement.
        write(true, &workspace);
        workspace.settled(&[]);
        write(false, &workspace);
        workspace.settled(&[]);
        workspace.destroyed(&[]);
    }
}

fn acc_protected_secret_is_not_replaced_by_a_trigger(scene: &Scene) {
    let configuration = |lifecycle: &str| {
        let lifecycle = format!(
            "deletion_protection = true\n  lifecycle {{\n    \
             replace_triggered_by = [terraform_data.edition]\n    {lifecycle}\n  }}"
        );
        let edition = "variable \"edition\" { default = \"1\" }\n\
                       resource \"terraform_data\" \"edition\" { input = var.edition }\n";
        format!("{edition}{}", secret(&lifecycle))
    };
    let workspace = scene.workspace(&configuration(""));
    workspace.settled(&[]);
    let id = text(&workspace.secret("db"), "id");
    let second = [("edition", "2")];
    has(&workspace.refused(&second), &["Secret Deletion Protected"]);
    workspace
        .write("main.tf", &configuration("create_before_destroy = true"))
        .unwrap();
    has(&workspace.refused(&second), &["Secret Deletion Protected"]);
    workspace.unchanged(&[]);
    assert_eq!(text(&workspace.secret("db"), "id"), id);
}

/// The plan of a tainted secret cannot be distinguished from an ordinary creation.
fn acc_protected_secret_that_is_tainted_is_kept(scene: &Scene) {
    let workspace = scene.workspace(&secret("deletion_protection = true"));
    workspace.settled(&[]);
    let id = text(&workspace.secret("db"), "id");
    let value = scene.open(&id);
    let private = workspace.private("planton_secret.db").unwrap();
    run(&workspace, &["taint", "planton_secret.db"]);
    let failed = workspace.fails(&[]);
    let kept = workspace.private("planton_secret.db").unwrap();
    assert_eq!(kept, private, "what the state knows of the record");
    has(
        &failed,
        &[
            "Secret Deletion Protected",
            "terraform untaint planton_secret.<name>",
        ],
    );
    assert_eq!(scene.open(&id), value);
    nothing_is_deposed(&workspace);
    // Follows the first remedy.
    run(&workspace, &["untaint", "planton_secret.db"]);
    workspace.unchanged(&[]);
    assert_eq!(text(&workspace.secret("db"), "id"), id);

    // Follows the whole second remedy.
    workspace
        .write("main.tf", &secret("deletion_protection = false"))
        .unwrap();
    workspace.settled(&[]);
    workspace.apply_with(&[], &FORCE).unwrap().ok().unwrap();
    assert_ne!(text(&workspace.secret("db"), "id"), id);
    // Without protection, a tainted secret is replaced.
    let id = text(&workspace.secret("db"), "id");
    run(&workspace, &["taint", "planton_secret.db"]);
    workspace.settled(&[]);
    assert_ne!(text(&workspace.secret("db"), "id"), id);
}

fn acc_retained_secret_is_not_replaced_under_its_name(scene: &Scene) {
    for lifecycle in ["", FIRST] {
        let retained = secret(&format!("on_destroy = \"retain\"\n  {lifecycle}"));
        let workspace = scene.workspace(&retained);
        workspace.settled(&[]);
        let id = text(&workspace.secret("db"), "id");
        has(
            &refused_with(&workspace, &FORCE),
            &[
                "Retained Secret Not Replaceable",
                "set on_destroy to \"delete\"",
            ],
        );
        workspace.unchanged(&[]);
        if lifecycle.is_empty() {
            run(&workspace, &["taint", "planton_secret.db"]);
            has(
                &workspace.fails(&[]),
                &[
                    "Retained Secret Not Replaceable",
                    "terraform untaint planton_secret.<name>",
                ],
            );
            run(&workspace, &["untaint", "planton_secret.db"]);
            workspace.unchanged(&[]);
        }
        assert_eq!(text(&workspace.secret("db"), "id"), id);

        let deleted = secret(&format!("on_destroy = \"delete\"\n  {lifecycle}"));
        workspace.write("main.tf", &deleted).unwrap();
        workspace.settled(&[]);
        if lifecycle.is_empty() {
            workspace.apply_with(&[], &FORCE).unwrap().ok().unwrap();
            assert_ne!(text(&workspace.secret("db"), "id"), id);
        }
        workspace.destroyed(&[]);
        assert_eq!(scene.objects(), [""; 0]);
    }
}

/// A failed update leaves its plan's private data in the state. Neither a destroy without
/// a refresh nor a creation treats that as a replacement.
fn acc_creation_after_a_failed_update_is_no_replacement(scene: &Scene) {
    let lines = |description: &str| {
        secret(&format!(
            "on_destroy = \"retain\"\n  description = {description:?}"
        ))
    };
    let workspace = scene.workspace(&lines("mine"));
    workspace.settled(&[]);
    let other = scene.workspace(&lines("theirs"));
    other
        .import("planton_secret.db", "db", &[])
        .unwrap()
        .ok()
        .unwrap();
    workspace.write("main.tf", &lines("mine again")).unwrap();
    let stale = workspace.plan_with(&[], &["-out=stale"]).unwrap();
    stale.changes().unwrap();
    other.settled(&[]);
    let failed = workspace.apply_with(&[], &["stale"]).unwrap();
    has(
        &flat(&failed.error().unwrap()),
        &["Secret Changed Concurrently"],
    );

    let destroy = [
        "destroy",
        "-auto-approve",
        "-no-color",
        "-input=false",
        "-refresh=false",
    ];
    run(&workspace, &destroy);
    assert_eq!(workspace.attributes("planton_secret.db"), None);
    let renamed = lines("mine").replace("\"db\"\n", "\"again\"\n");
    workspace.write("main.tf", &renamed).unwrap();
    workspace.settled(&[]);
}

/// Tainted, renamed, and created first: Terraform creates the new secret before the
/// provider can check the protection of the old one.
fn acc_protected_object_that_was_deposed_can_be_given_up(scene: &Scene) {
    let workspace = scene.workspace(&secret(&format!("deletion_protection = true\n  {FIRST}")));
    workspace.settled(&[]);
    let old = text(&workspace.secret("db"), "id");
    run(&workspace, &["taint", "planton_secret.db"]);
    let renamed = secret(FIRST).replace("name = \"db\"", "name = \"new\"");
    workspace.write("main.tf", &renamed).unwrap();
    let failed = workspace.fails(&[]);
    has(
        &failed,
        &[
            "Secret Deletion Protected",
            "deposed",
            "import it in another configuration with deletion_protection = false",
        ],
    );
    assert!(scene.try_open(&old, None).is_ok());

    let other = scene.workspace(&secret("deletion_protection = false"));
    other
        .import("planton_secret.db", "db", &[])
        .unwrap()
        .ok()
        .unwrap();
    other.applied(&[]);
    workspace.settled(&[]);
    nothing_is_deposed(&workspace);
    assert!(scene.try_open(&old, None).is_err());
    let new = text(&workspace.secret("db"), "id");
    assert!(scene.try_open(&new, None).is_ok());
}
