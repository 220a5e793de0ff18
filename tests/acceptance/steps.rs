//! Steps of a scenario: a run of Terraform with its required result, and the state
//! afterwards.

use serde_json::Value;
use xtask::terraform::{Outcome, Variables, Workspace};

/// Runs with a required result.
pub(crate) trait Steps {
    /// Applies successfully.
    fn applied(&self, variables: Variables<'_>) -> Outcome;

    /// Applies successfully. The next plan is empty.
    fn settled(&self, variables: Variables<'_>) -> Outcome;

    /// Makes a plan, which is empty.
    fn unchanged(&self, variables: Variables<'_>) -> Outcome;

    /// Makes a plan, which is not empty. Returns the output on one line.
    fn changes(&self, variables: Variables<'_>) -> String;

    /// Makes a plan, which fails. Returns the diagnostics on one line.
    fn refused(&self, variables: Variables<'_>) -> String;

    /// Applies, and fails. Returns the diagnostics on one line.
    fn fails(&self, variables: Variables<'_>) -> String;

    /// Destroys everything successfully.
    fn destroyed(&self, variables: Variables<'_>);

    /// Returns the attributes of the resource at `type.name` or `type.name["key"]` in the
    /// state.
    fn attributes(&self, address: &str) -> Option<Value>;

    /// Returns the private data of a resource, as the state file contains it.
    fn private(&self, address: &str) -> Option<String>;

    /// Returns the attributes of `planton_secret.{name}`.
    fn secret(&self, name: &str) -> Value;

    /// Returns an output's value.
    fn output(&self, name: &str) -> Value;
}

impl Steps for Workspace {
    #[track_caller]
    fn applied(&self, variables: Variables<'_>) -> Outcome {
        self.apply(variables).unwrap().ok().unwrap()
    }

    #[track_caller]
    fn settled(&self, variables: Variables<'_>) -> Outcome {
        let outcome = self.applied(variables);
        self.unchanged(variables);
        outcome
    }

    #[track_caller]
    fn unchanged(&self, variables: Variables<'_>) -> Outcome {
        self.plan(variables).unwrap().no_changes().unwrap()
    }

    #[track_caller]
    fn changes(&self, variables: Variables<'_>) -> String {
        flat(self.plan(variables).unwrap().changes().unwrap().stdout())
    }

    #[track_caller]
    fn refused(&self, variables: Variables<'_>) -> String {
        flat(&self.plan(variables).unwrap().error().unwrap())
    }

    #[track_caller]
    fn fails(&self, variables: Variables<'_>) -> String {
        flat(&self.apply(variables).unwrap().error().unwrap())
    }

    #[track_caller]
    fn destroyed(&self, variables: Variables<'_>) {
        self.destroy(variables).unwrap().ok().unwrap();
    }

    #[track_caller]
    fn attributes(&self, address: &str) -> Option<Value> {
        Some(instance(self, address)?["attributes"].clone())
    }

    #[track_caller]
    fn private(&self, address: &str) -> Option<String> {
        Some(instance(self, address)?["private"].as_str()?.to_owned())
    }

    #[track_caller]
    fn secret(&self, name: &str) -> Value {
        let address = format!("planton_secret.{name}");
        let found = self.attributes(&address);
        found.unwrap_or_else(|| panic!("no {address} in the state"))
    }

    #[track_caller]
    fn output(&self, name: &str) -> Value {
        state_file(self)["outputs"][name]["value"].clone()
    }
}

/// Returns the instance at `type.name` or `type.name["key"]` in the state.
#[track_caller]
fn instance(workspace: &Workspace, address: &str) -> Option<Value> {
    // Reads the file, because `terraform show` would need a run each time.
    let state = state_file(workspace);
    let (plain, key) = match address.split_once('[') {
        Some((plain, key)) => (plain, Some(key.trim_end_matches(']').trim_matches('"'))),
        None => (address, None),
    };
    let (kind, name) = plain.split_once('.').unwrap();
    let mut found = None;
    for resource in state["resources"].as_array().into_iter().flatten() {
        if resource["type"] != kind || resource["name"] != name || resource["mode"] != "managed" {
            continue;
        }
        for instance in resource["instances"].as_array().into_iter().flatten() {
            if instance["index_key"].as_str() == key && instance["deposed"].is_null() {
                found = Some(instance.clone());
            }
        }
    }
    found
}

/// Joins the lines that Terraform wrapped.
pub(crate) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Checks that `text` contains each of `parts`.
#[track_caller]
pub(crate) fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// Returns an attribute's text.
#[track_caller]
pub(crate) fn text(attributes: &Value, name: &str) -> String {
    let found = attributes[name].as_str();
    found
        .unwrap_or_else(|| panic!("{name} is {}", attributes[name]))
        .to_owned()
}

/// Returns whether a kill left the state file empty: Terraform truncates it before it
/// writes it.
/// <https://github.com/hashicorp/terraform/blob/main/internal/states/statemgr/filesystem.go>
pub(crate) fn kill_emptied_state(workspace: &Workspace) -> bool {
    let state = std::fs::metadata(workspace.path().join("terraform.tfstate"));
    state.is_ok_and(|state| state.len() == 0)
}

fn state_file(workspace: &Workspace) -> Value {
    match std::fs::read_to_string(workspace.path().join("terraform.tfstate")) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(_) => Value::Null,
    }
}
