//! Replacements whose creation would fail, since the new name is taken or a backend does not
//! exist. Terraform destroys the old object first, so the plan says so.

use std::fmt::Write as _;

use xtask::terraform::Workspace;

use crate::reading::Told;
use crate::scene::{On, Scene, terraform_1_11, with_every_terraform};
use crate::steps::{Steps, has, text};

with_every_terraform!(
    acc_secret_is_not_destroyed_for_a_name_that_its_plan_keeps,
    acc_names_that_the_same_apply_gives_up_are_taken,
);

/// Writes a generated secret for each `(resource, name, lines)`.
fn write(workspace: &Workspace, secrets: &[(&str, &str, &str)]) {
    let mut text = String::new();
    for (resource, name, lines) in secrets {
        writeln!(
            text,
            "resource \"planton_secret\" \"{resource}\" {{\n  name = {name:?}\n  {lines}\n}}"
        )
        .unwrap();
    }
    workspace.write("main.tf", &text).unwrap();
}

const GENERATED: &str = "generate = {}";

fn acc_secret_is_not_destroyed_for_a_name_that_its_plan_keeps(scene: &Scene) {
    let other = scene.workspace("");
    write(&other, &[("theirs", "theirs", GENERATED)]);
    other.applied(&[]);
    let workspace = scene.workspace("");
    let named = |name: &str, lines: &str| {
        let lines = format!("{GENERATED}\n  {lines}");
        write(&workspace, &[("a", name, &lines), ("b", "b", GENERATED)]);
    };
    named("a", "");
    workspace.settled(&[]);
    let value = scene.open(&text(&workspace.secret("a"), "id"));
    let b = text(&workspace.secret("b"), "id");

    // Whichever of the two is planned first.
    named("b", "");
    let told = Told::by_apply(&workspace, &[], &[]);
    assert!(!told.success, "{told:#?}");
    has(
        &told.words(),
        &[
            "This plan replaces \"a\" with secret \"b\", but another resource of this plan",
            &b,
            "run terraform destroy -refresh=false",
        ],
    );
    has(&told.everything(), &["Error: Secret Name Taken"]);

    // A secret of another state may be destroyed in time, unless it is protected.
    named("theirs", "");
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(told.success, "{told:#?}");
    has(
        &told.at("a"),
        &[
            "Warning: Secret Name Taken",
            "name = \"theirs\"",
            "Terraform destroys \"a\" first, with its value.",
        ],
    );
    write(
        &other,
        &[(
            "theirs",
            "theirs",
            &format!("{GENERATED}\n  deletion_protection = true"),
        )],
    );
    other.applied(&[]);
    let told = Told::by_apply(&workspace, &[], &[]);
    assert!(!told.success, "{told:#?}");
    has(
        &told.at("a"),
        &[
            "Error: Secret Name Taken",
            "name = \"theirs\"",
            "keeps it because of deletion_protection = true: run",
        ],
    );
    // Two secrets under one name that is free, and a new one beside a replaced one.
    let both = [("a", "c", GENERATED), ("b", "c", GENERATED)];
    let new = [both[0], ("b", "b", GENERATED), ("new", "c", GENERATED)];
    for secrets in [&both[..], &new[..]] {
        write(&workspace, secrets);
        let told = Told::by_apply(&workspace, &[], &[]);
        assert!(!told.success, "{told:#?}");
        has(&told.everything(), &["Error: Secret Declared Twice"]);
        has(
            &told.words(),
            &["Two resources of this plan create secret \"c\""],
        );
    }
    // With takes_over, two secrets may have had one name.
    named("b", &format!("takes_over = {b:?}"));
    let told = Told::by_plan(&workspace, &[], &[]);
    assert_eq!(told.len(), 0, "{told:#?}");

    named("a", "");
    workspace.unchanged(&[]);
    let kept = scene.open(&text(&workspace.secret("a"), "id"));
    assert_eq!(kept, value);
}

fn acc_names_that_the_same_apply_gives_up_are_taken(scene: &Scene) {
    let workspace = scene.workspace("");
    write(&workspace, &[("a", "a", GENERATED), ("b", "b", GENERATED)]);
    workspace.settled(&[]);
    // Two secrets swap their names. Whichever is planned first cannot know it. Both are
    // destroyed before either is created, since one waits for the other.
    let swapped = format!("{GENERATED}\n  depends_on = [planton_secret.a]");
    for (lines, warnings) in [(GENERATED, 0..=1), (&*swapped, 1..=1)] {
        write(&workspace, &[("a", "b", GENERATED), ("b", "a", lines)]);
        let told = Told::by_plan(&workspace, &[], &[]);
        assert!(told.success && warnings.contains(&told.len()), "{told:#?}");
    }
    workspace.settled(&[]);
    assert_eq!(text(&workspace.secret("a"), "name"), "b");

    // The plan of the holder comes first, and gives the name up.
    let renamed = [("a", "c", GENERATED), ("b", "b", &swapped)];
    write(&workspace, &renamed);
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(told.success && told.len() == 0, "{told:#?}");
    workspace.settled(&[]);
    assert_eq!(text(&workspace.secret("b"), "name"), "b");

    // A backend that nobody declares.
    let nowhere =
        "backend = \"nowhere\"\n  copy_from = { backend = \"nope\", remote_name = \"x\" }";
    write(&workspace, &[("a", "c", GENERATED), ("b", "b", nowhere)]);
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(told.success && told.len() == 2, "{told:#?}");
    has(
        &told.at("b"),
        &[
            "Secret backend \"nope\" does not exist",
            "Secret backend \"nowhere\" does not exist",
            "Terraform destroys the old secret first.",
        ],
    );
    write(&workspace, &renamed);
    workspace.unchanged(&[]);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

/// A backend that no server answers for.
fn backend(resource: &str, name: &str) -> String {
    format!(
        "resource \"planton_secret_backend\" \"{resource}\" {{\n  name = {name:?}\n  \
         verify_connection = false\n  openbao = {{\n    address = \"https://127.0.0.1:1\"\n    \
         token_wo = \"t\"\n  }}\n}}\n"
    )
}

#[test]
fn acc_backend_is_not_destroyed_for_a_name_that_its_plan_keeps() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let other = scene.workspace(&backend("theirs", "theirs"));
    other.applied(&[]);
    let workspace = scene.workspace("");
    let named = |first: &str, second: &str| {
        let both = [backend("a", first), backend("b", second)].concat();
        workspace.write("main.tf", &both).unwrap();
    };
    named("a", "b");
    workspace.settled(&[]);
    let id = |resource: &str| {
        let address = format!("planton_secret_backend.{resource}");
        text(&workspace.attributes(&address).unwrap(), "id")
    };
    let before = (id("a"), id("b"));

    named("b", "b");
    let told = Told::by_apply(&workspace, &[], &[]);
    assert!(!told.success, "{told:#?}");
    has(
        &told.everything(),
        &[
            "Error: Backend Name Taken",
            "This plan replaces \"a\" with secret backend \"b\", but another resource of this plan",
            &before.1,
        ],
    );
    named("theirs", "b");
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(told.success, "{told:#?}");
    has(
        &told.at("a"),
        &[
            "Warning: Backend Name Taken",
            "name = \"theirs\"",
            "with its record and any sealed credential",
        ],
    );
    assert_eq!((id("a"), id("b")), before);
    // Names that the same apply gives up are free, once both backends are destroyed.
    let waits = "  depends_on = [planton_secret_backend.a]\n  openbao";
    let swapped = [
        backend("a", "b"),
        backend("b", "a").replacen("  openbao", waits, 1),
    ];
    workspace.write("main.tf", &swapped.concat()).unwrap();
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(told.success && told.len() == 1, "{told:#?}");
    workspace.settled(&[]);
    let after = (id("a"), id("b"));
    assert!(after.0 != before.0 && after.1 != before.1, "{after:?}");
    workspace.destroyed(&[]);
    other.unchanged(&[]);
}
