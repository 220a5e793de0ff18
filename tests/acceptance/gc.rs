//! `gc` deletes what killed creations left, with the real binary, beside a real Terraform.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::crash::{RAISE, apply_killed};
use crate::scene::{On, PROVIDER, Scene, terraform_1_11};
use crate::stages::on_buckets;
use crate::steps::Steps as _;

/// Steps of `gc`, between which it raises a document.
pub(crate) const COLLECT: [&str; 2] = ["collect", "collect orphan"];

const SECRETS: &str = r#"
variable "names" { type = set(string) }

resource "planton_secret" "s" {
  for_each         = var.names
  name             = each.key
  environment      = "prod"
  value_wo         = "hunter2 of ${each.key}"
  value_wo_version = "1"
}
"#;
const NOW: [&str; 4] = ["gc", "--orphans", "--older-than", "0s"];

fn run(scene: &Scene, arguments: &[&str], killed_before: Option<&str>) -> Output {
    let mut command = Command::new(PROVIDER);
    command.args(arguments).arg("--json");
    command.env("PLANTON_ORG", "acme").envs(scene.environment());
    command.envs(killed_before.map(|step| ("PLANTON_TEST_KILL_BEFORE", step)));
    command.stdin(Stdio::null()).output().unwrap()
}

/// Runs a command whose outputs nobody reads to the end. Returns its exit status.
fn run_unread(scene: &Scene, arguments: &[&str]) -> Option<i32> {
    let mut command = Command::new(PROVIDER);
    command.args(arguments).env("PLANTON_ORG", "acme");
    command.envs(scene.environment()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    child.wait().unwrap().code()
}

#[track_caller]
fn told(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the number of leftovers with this disposal.
fn with(report: &Value, disposal: &str) -> usize {
    let leftovers = report["leftovers"].as_array().unwrap().iter();
    leftovers.filter(|one| one["disposal"] == disposal).count()
}

#[test]
fn acc_what_a_killed_creation_left_is_collected_on_an_embedded_platform() {
    collects(&Scene::new(&terraform_1_11(), On::Embedded));
}

#[test]
fn acc_what_a_killed_creation_left_is_collected_on_openbao() {
    collects(&Scene::new(&terraform_1_11(), On::OpenBao));
}

#[test]
fn acc_what_a_killed_creation_left_is_collected_on_a_bucket() {
    on_buckets(collects);
}

fn collects(scene: &Scene) {
    let mut workspace = scene.workspace(SECRETS);
    workspace.settled(&[("names", r#"["kept"]"#)]);
    let names = ("names", r#"["kept", "lost"]"#);
    apply_killed(&mut workspace, "commit", &[names]);
    assert_eq!(scene.objects().len(), 2);

    // Too young, and not looked for without --orphans.
    let young = told(&run(
        scene,
        &["gc", "--orphans", "--older-than", "1h", "--delete"],
        None,
    ));
    assert_eq!(
        (with(&young, "deleted"), &young["too_young"]),
        (0, &1.into())
    );
    assert_eq!(
        with(&told(&run(scene, &["gc", "--delete"], None)), "deleted"),
        0
    );
    let listed = told(&run(scene, &NOW, None));
    assert_eq!(with(&listed, "found"), 1, "{listed}");
    let object = listed["leftovers"][0]["object"].as_str().unwrap();
    assert!(
        object.starts_with("planton/acme/env/prod/lost-"),
        "{object}"
    );
    assert_eq!(scene.objects().len(), 2, "a dry run deletes nothing");
    // Its own listing shows what is at least an hour old.
    assert_eq!(told(&run(scene, &["verify"], None))["too_young"], 1);

    let delete = [&NOW[..], &["--delete"]].concat();
    for step in [COLLECT[0], RAISE[0], COLLECT[1]] {
        let killed = run(scene, &delete, Some(step));
        assert!(killed.status.code().is_none(), "{step}: {killed:?}");
        assert_eq!(scene.objects().len(), 2, "{step}");
    }
    let deleted = told(&run(scene, &delete, None));
    assert_eq!(
        (with(&deleted, "deleted"), &deleted["deleted"]),
        (1, &1.into())
    );
    assert_eq!(scene.objects().len(), 1);
    let again = told(&run(scene, &delete, None));
    assert_eq!(again["leftovers"], Value::Array(Vec::new()));
    workspace.settled(&[names]);
    assert_eq!(scene.objects().len(), 2);
    assert_eq!(told(&run(scene, &["verify"], None))["versions"], 2);

    // As in `verify 2>&1 | head -1`.
    assert_eq!(run_unread(scene, &["verify"]), Some(0));

    // Many at once: each look and each deletion needs the platform.
    let many = ["a", "b", "c", "d"];
    let names = ("names", r#"["kept", "lost", "a", "b", "c", "d"]"#);
    workspace.settled(&[names]);
    for name in many {
        let forget = ["forget", "secret", name, "--environment", "prod", "--yes"];
        told(&run(scene, &forget, None));
    }
    assert_eq!(with(&told(&run(scene, &NOW, None)), "found"), many.len());
    let deleted = told(&run(scene, &delete, None));
    assert_eq!(with(&deleted, "deleted"), many.len(), "{deleted}");
    assert_eq!(scene.objects().len(), 2);
}
