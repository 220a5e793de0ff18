//! One apply writes a version again that was lost outside Terraform, even beside an
//! ephemeral resource that reads it. A lost version never blocks a destroy.

use crate::inside::Opened;
use crate::scene::{Scene, on_every_stage, with_every_terraform};
use crate::steps::{Steps, flat, has, text};

on_every_stage!(acc_lost_version_heals_beside_an_ephemeral_read);
with_every_terraform!(
    acc_lost_version_that_is_read_by_id_alone_names_the_remedies,
    acc_lost_version_without_a_value_is_a_warning_and_no_obstacle_to_a_destroy,
    acc_secret_that_was_never_created_is_no_obstacle_to_a_destroy,
);

/// A secret, a reader with these lines, and a consumer.
fn configuration(selector: &str) -> String {
    format!(
        r#"
resource "planton_secret" "s" {{
  name             = "s"
  generate         = {{}}
  value_wo_version = "1"
}}
ephemeral "planton_secret" "s" {{
  id = planton_secret.s.id
  {selector}
}}
resource "planton_secret" "copy" {{
  name             = "copy"
  value_wo         = ephemeral.planton_secret.s.value
  value_wo_version = planton_secret.s.revision
}}
"#
    )
}

fn acc_lost_version_heals_beside_an_ephemeral_read(scene: &Scene) {
    let workspace = scene.workspace(&configuration("version = planton_secret.s.version"));
    workspace.settled(&[]);
    let before = workspace.secret("s");
    let value = |name: &str| {
        let id = text(&workspace.secret(name), "id");
        scene.open(&id).text.unwrap()
    };
    let lost = value("s");

    scene.lose_version(&before);
    workspace.settled(&[]);
    let healed = workspace.secret("s");
    assert_eq!(healed["id"], before["id"]);
    assert_eq!(healed["version"], 2);
    assert!(healed["revision"].as_u64() > before["revision"].as_u64());
    assert_ne!(value("s"), lost);
    assert_eq!(value("copy"), value("s"));

    scene.replace_version(&healed);
    workspace.settled(&[]);
    assert_eq!(workspace.secret("s")["version"], 3);
    assert_eq!(value("copy"), value("s"));

    // Both versions are lost, and the destroy succeeds.
    scene.lose_version(&workspace.secret("s"));
    scene.lose_version(&workspace.secret("copy"));
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

fn acc_lost_version_that_is_read_by_id_alone_names_the_remedies(scene: &Scene) {
    let by_id = configuration("");
    let workspace = scene.workspace(&by_id);
    workspace.settled(&[]);
    scene.lose_version(&workspace.secret("s"));
    let refused = workspace.fails(&[]);
    has(
        &refused,
        &[
            "Secret Version Missing",
            "version = planton_secret.<name>.version",
            "terraform apply -target=planton_secret.<name>",
        ],
    );
    // The second remedy in the message, then the first one.
    let target = ["-target=planton_secret.s"];
    workspace.apply_with(&[], &target).unwrap().ok().unwrap();
    workspace.settled(&[]);
    assert_eq!(workspace.secret("s")["version"], 2);

    scene.lose_version(&workspace.secret("s"));
    let waiting = configuration("version = planton_secret.s.version");
    workspace.write("main.tf", &waiting).unwrap();
    workspace.settled(&[]);
    assert_eq!(workspace.secret("s")["version"], 3);
}

const GIVEN: &str = r#"
variable "password" {
  type      = string
  ephemeral = true
  default   = null
}
resource "planton_secret" "s" {
  name             = "s"
  value_wo         = var.password
  value_wo_version = "1"
}
resource "planton_secret" "by_value" {
  name     = "by-value"
  data_wo  = var.password == null ? null : { password = var.password }
}
"#;

fn acc_lost_version_without_a_value_is_a_warning_and_no_obstacle_to_a_destroy(scene: &Scene) {
    let workspace = scene.workspace(GIVEN);
    let given = [("password", "one")];
    workspace.settled(&given);
    scene.lose_version(&workspace.secret("s"));
    scene.lose_version(&workspace.secret("by_value"));

    let planned = workspace.changes(&[]);
    has(
        &planned,
        &[
            "Lost Version Needs Value",
            "0 to add, 2 to change, 0 to destroy",
        ],
    );
    let failed = workspace.fails(&[]);
    has(
        &failed,
        &["Secret Value Missing", "A new version needs a value"],
    );

    // The remedy in both messages.
    workspace.settled(&given);
    let id = text(&workspace.secret("s"), "id");
    assert_eq!(scene.open(&id), Opened::text(2, "one"));

    scene.lose_version(&workspace.secret("s"));
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
    assert_eq!(workspace.attributes("planton_secret.s"), None);
}

/// A creation needs its value during the plan. The message names the way to destroy
/// without it.
fn acc_secret_that_was_never_created_is_no_obstacle_to_a_destroy(scene: &Scene) {
    let workspace = scene.workspace(GIVEN);
    let target = ["-target=planton_secret.s"];
    let half = workspace.apply_with(&[("password", "one")], &target);
    half.unwrap().ok().unwrap();

    let refused = workspace.destroy(&[]).unwrap().error().unwrap();
    has(
        &flat(&refused),
        &["Secret Value Missing", "terraform destroy -refresh=false"],
    );
    let arguments = [
        "destroy",
        "-auto-approve",
        "-no-color",
        "-input=false",
        "-refresh=false",
    ];
    workspace.run(&arguments).unwrap().ok().unwrap();
    assert_eq!(workspace.attributes("planton_secret.s"), None);
    assert_eq!(scene.objects(), [""; 0]);
}
