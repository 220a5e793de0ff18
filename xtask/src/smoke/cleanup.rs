//! Cleans up after a failure: destroys all objects, and reports the remaining ones.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::terraform::{Variables, Workspace};

/// The number of tries, because a vendor may fail transiently.
const TRIES: u32 = 3;

/// Destroys everything in the state of `workspace`.
///
/// # Errors
///
/// If objects remain; with their names.
pub(super) fn destroy_all(workspace: &Workspace, variables: Variables<'_>) -> Result<()> {
    let mut told = String::new();
    for _ in 0..TRIES {
        if is_protected(&state(workspace)?) {
            // Destroys only: nothing that a failure prevented is created now.
            workspace.apply_with(variables, &["-target=planton_secret.given"])?;
        }
        let destroyed = workspace.destroy(variables)?;
        told = destroyed.diagnostics();
        if left(workspace)?.is_empty() {
            return Ok(());
        }
    }
    bail!("{}\n\n{told}", left(workspace)?.join("\n"))
}

/// Returns the addresses in the state, and their names.
///
/// # Errors
///
/// If the state cannot be read.
pub(super) fn left(workspace: &Workspace) -> Result<Vec<String>> {
    let state = state(workspace)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let named = |(resource, attributes): (&Value, &Value)| {
        let address = format!("{}.{}", text(&resource["type"]), text(&resource["name"]));
        format!("{address} ({})", text(&attributes["name"]))
    };
    Ok(instances(&state).map(named).collect())
}

fn is_protected(state: &Value) -> bool {
    instances(state).any(|(_, attributes)| attributes["deletion_protection"] == true)
}

/// Returns the provider's resources with the attributes of each instance.
fn instances(state: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let resources = state["resources"].as_array().into_iter().flatten();
    let managed = resources.filter(|resource| resource["mode"] == "managed");
    let ours = managed.filter(|resource| resource["provider"].to_string().contains("planton"));
    ours.flat_map(|resource| {
        let instances = resource["instances"].as_array().into_iter().flatten();
        instances.map(move |instance| (resource, &instance["attributes"]))
    })
}

fn state(workspace: &Workspace) -> Result<Value> {
    let text = workspace.state_text()?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).context("a state is JSON")
}
