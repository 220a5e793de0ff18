//! Tests the harness: every Terraform of this machine runs, returns distinct exit codes,
//! stays in its workspace, and can be interrupted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, Instant};

use xtask::canary::{Canary, Encoding};
use xtask::process::Signal;
use xtask::terraform::{PlanOutcome, Terraform, Workspace};
use xtask::tools::Tools;

const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-planton");

const CONFIGURATION: &str = r#"
variable "input" { type = string }

variable "password" {
  type      = string
  ephemeral = true
  default   = ""
}

resource "terraform_data" "thing" {
  input = var.input
}

output "thing" { value = terraform_data.thing.output }
"#;

/// Runs `test` with every Terraform of this machine.
fn with_each_terraform(test: impl Fn(&Terraform, Workspace)) {
    let terraforms = Terraform::all(&Tools::locate().unwrap());
    assert!(!terraforms.is_empty());
    for terraform in terraforms {
        eprintln!("with {terraform}");
        let workspace = Workspace::new(&terraform, Path::new(PROVIDER)).unwrap();
        test(&terraform, workspace);
    }
}

#[test]
fn apply_plan_import_and_destroy_have_their_exit_codes_and_outputs() {
    with_each_terraform(|_, workspace| {
        workspace.write("main.tf", CONFIGURATION).unwrap();
        let one = [("input", "one")];
        workspace.validate().unwrap().ok().unwrap();

        let outcome = workspace
            .plan_with(&one, &["-out=plan"])
            .unwrap()
            .changes()
            .unwrap();
        assert!(outcome.stdout().contains("1 to add"), "{outcome:?}");
        let plan = workspace.show_plan("plan").unwrap();
        assert_eq!(
            plan["resource_changes"][0]["change"]["actions"][0],
            "create"
        );
        workspace.apply_with(&one, &["plan"]).unwrap().ok().unwrap();
        workspace.plan(&one).unwrap().no_changes().unwrap();
        workspace
            .plan_with(&one, &["-refresh-only"])
            .unwrap()
            .no_changes()
            .unwrap();

        assert_eq!(workspace.outputs().unwrap()["thing"]["value"], "one");
        let thing = workspace.resource("terraform_data.thing").unwrap().unwrap();
        assert_eq!(thing["output"], "one");
        assert_eq!(workspace.resource("terraform_data.other").unwrap(), None);
        assert!(workspace.state_text().unwrap().contains("\"lineage\""));

        let plan = workspace.plan(&[("input", "two")]).unwrap();
        assert!(matches!(plan, PlanOutcome::Changes(_)), "{plan:?}");

        let other = format!("{CONFIGURATION}\nresource \"terraform_data\" \"other\" {{}}");
        workspace.write("main.tf", &other).unwrap();
        workspace
            .import("terraform_data.other", "imported", &one)
            .unwrap()
            .ok()
            .unwrap();
        let other = workspace.resource("terraform_data.other").unwrap().unwrap();
        assert_eq!(other["id"], "imported");

        workspace.destroy(&one).unwrap().ok().unwrap();
        assert_eq!(workspace.resource("terraform_data.thing").unwrap(), None);
    });
}

#[test]
fn a_failure_gives_diagnostics_fit_for_a_snapshot() {
    with_each_terraform(|_, workspace| {
        workspace
            .write(
                "main.tf",
                "output \"x\" { value = file(\"${path.cwd}/none\") }",
            )
            .unwrap();
        let diagnostics = workspace.plan(&[]).unwrap().error().unwrap();
        assert!(
            diagnostics.starts_with("Error: Invalid function argument"),
            "{diagnostics}"
        );
        assert!(diagnostics.contains("<folder>"), "{diagnostics}");
        assert!(!diagnostics.contains('\u{1b}'), "{diagnostics}");
        let root = workspace.root().display().to_string();
        assert!(!diagnostics.contains(&root), "{diagnostics}");
        assert!(workspace.apply(&[]).unwrap().ok().is_err());
    });
}

#[test]
fn structured_diagnostics_tell_warnings_from_errors_and_point_at_a_line() {
    let checked = r#"
variable "input" { type = string }
check "input" {
  assert {
    condition     = var.input == "right"
    error_message = "Not right."
  }
}
resource "terraform_data" "thing" {
  lifecycle {
    precondition {
      condition     = var.input != "bad"
      error_message = "Bad."
    }
  }
}
"#;
    with_each_terraform(|_, workspace| {
        workspace.write("main.tf", checked).unwrap();
        let outcome = workspace
            .apply_with(&[("input", "wrong")], &["-json"])
            .unwrap();
        let [warning] = &outcome.ok().unwrap().structured()[..] else {
            panic!("one warning, and not the one about overrides");
        };
        assert_eq!(warning.severity, "warning");
        assert_eq!(warning.detail, "Not right.");

        let outcome = workspace
            .apply_with(&[("input", "bad")], &["-json"])
            .unwrap();
        assert_eq!(outcome.code(), Some(1));
        let found = outcome.structured();
        let error = found.iter().find(|it| it.severity == "error").unwrap();
        assert_eq!(
            error.code.as_deref(),
            Some("condition     = var.input != \"bad\"")
        );

        let failing = "provisioner \"local-exec\" { command = \"exit 3\" }";
        let failing = format!("resource \"terraform_data\" \"failing\" {{\n{failing}\n}}");
        workspace.write("main.tf", &failing).unwrap();
        let outcome = workspace.apply_with(&[], &["-json"]).unwrap();
        let address = outcome.structured()[0].address.clone();
        assert_eq!(address.as_deref(), Some("terraform_data.failing"));

        workspace.write("main.tf", "resource \"none\" {}").unwrap();
        let outcome = workspace.run(&["validate", "-json"]).unwrap();
        assert_eq!(
            outcome.structured()[0].code.as_deref(),
            Some("resource \"none\" {}")
        );
    });
}

#[test]
fn a_digest_of_an_ephemeral_value_reaches_a_provisioner_and_no_file() {
    let reading = r#"
variable "password" {
  type      = string
  ephemeral = true
}
resource "terraform_data" "reader" {
  provisioner "local-exec" {
    command     = "printf %s \"$DIGEST\" > digest"
    environment = { DIGEST = sha256(var.password) }
  }
}
"#;
    with_each_terraform(|_, mut workspace| {
        workspace.write("main.tf", reading).unwrap();
        workspace.trace();
        let canary = Canary::new("password");
        let variables = [("password", canary.value())];
        workspace
            .plan_with(&variables, &["-out=plan"])
            .unwrap()
            .changes()
            .unwrap();
        workspace
            .apply_with(&variables, &["plan"])
            .unwrap()
            .ok()
            .unwrap();
        let digest = std::fs::read_to_string(workspace.path().join("digest")).unwrap();
        assert_eq!(digest.len(), 64);
        canary.absent_below(workspace.root()).unwrap();
    });
}

#[test]
fn builtin_schemas_are_read_without_an_init() {
    with_each_terraform(|_, workspace| {
        workspace.write("main.tf", CONFIGURATION).unwrap();
        let schemas = workspace.schemas().unwrap();
        let builtin = &schemas["provider_schemas"]["terraform.io/builtin/terraform"];
        assert!(builtin["resource_schemas"]["terraform_data"].is_object());
    });
}

#[test]
fn the_environment_is_empty_but_for_what_was_set() {
    let printing = r#"
resource "terraform_data" "thing" {
  provisioner "local-exec" { command = "env" }
}
"#;
    with_each_terraform(|_, mut workspace| {
        workspace.write("main.tf", printing).unwrap();
        workspace
            .env("PLANTON_ORG", "acme")
            .env("PLANTON_ADDR", "gone");
        workspace.env_remove("PLANTON_ADDR");
        let outcome = workspace.apply(&[]).unwrap().ok().unwrap();
        let printed: Vec<&str> = outcome
            .stdout()
            .lines()
            .filter_map(|line| line.strip_prefix("terraform_data.thing (local-exec): "))
            .collect();
        assert!(printed.contains(&"PLANTON_ORG=acme"), "{printed:?}");
        let home = format!("HOME={}", workspace.home().display());
        assert!(printed.contains(&home.as_str()), "{printed:?}");
        for line in &printed {
            let foreign = [
                "BAO_",
                "VAULT_",
                "PLANTON_ADDR",
                "PLANTON_TEST",
                "CARGO_",
                "AWS_",
            ];
            assert!(
                !foreign.iter().any(|start| line.starts_with(start)),
                "{line}"
            );
        }
    });
}

#[test]
fn the_trace_log_is_kept_and_holds_no_variable() {
    let canary = Canary::new("variable");
    with_each_terraform(|_, mut workspace| {
        workspace.write("main.tf", CONFIGURATION).unwrap();
        workspace.trace();
        let variables = [("input", "one"), ("password", canary.value())];
        let outcome = workspace.apply(&variables).unwrap().ok().unwrap();
        assert!(outcome.log.contains("[TRACE]"), "{}", outcome.log.len());
        canary
            .absent_from("the outputs and the log", &outcome.everything())
            .unwrap();
        canary.absent_below(workspace.root()).unwrap();
    });
}

#[test]
fn a_value_that_is_not_ephemeral_is_found_in_state_and_in_the_plan_file() {
    let canary = Canary::new("variable");
    with_each_terraform(|_, workspace| {
        workspace.write("main.tf", CONFIGURATION).unwrap();
        let variables = [("input", canary.value())];
        workspace
            .plan_with(&variables, &["-out=plan"])
            .unwrap()
            .changes()
            .unwrap();
        let found = canary.find_below(workspace.root()).unwrap();
        assert_eq!(
            found.len(),
            1,
            "the search must look into the plan file: {found:?}"
        );
        workspace
            .apply_with(&variables, &["plan"])
            .unwrap()
            .ok()
            .unwrap();
        let state = canary.find_in(workspace.state_text().unwrap().as_bytes());
        assert!(state.contains(&Encoding::Json), "{state:?}");
    });
}

#[test]
fn an_interrupt_reaches_terraform_and_state_is_kept() {
    let slow = r#"
resource "terraform_data" "first" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" { command = "echo has begun; sleep 600" }
}
"#;
    with_each_terraform(|_, workspace| {
        workspace.write("main.tf", slow).unwrap();
        let started = Instant::now();
        let run = workspace
            .spawn(&["apply", "-auto-approve", "-no-color"], &[])
            .unwrap();
        run.running
            .await_output("(local-exec): has begun", Duration::from_secs(60))
            .unwrap();
        run.running.signal(Signal::INT).unwrap();
        let outcome = run.wait().unwrap();
        assert_eq!(outcome.code(), Some(1), "{outcome:?}");
        assert!(
            outcome.stdout().contains("Interrupt received"),
            "{outcome:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(120));
        assert!(
            workspace
                .resource("terraform_data.first")
                .unwrap()
                .is_some()
        );
    });
}

#[test]
fn a_run_beyond_its_bound_is_killed_with_all_it_started() {
    let endless = r#"
resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "echo has begun; sleep 600" }
}
"#;
    with_each_terraform(|_, mut workspace| {
        workspace.write("main.tf", endless).unwrap();
        workspace.bound(Duration::from_secs(8));
        let started = Instant::now();
        let error = workspace.apply(&[]).unwrap_err().to_string();
        assert!(error.starts_with("killed after 8s"), "{error}");
        assert!(error.contains("has begun"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(60));
    });
}
