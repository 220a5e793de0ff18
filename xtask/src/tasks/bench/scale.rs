//! Many secrets on a real OpenBAO, beside as many resources that do nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use xtask::openbao::{KvVersion, OpenBao, ServerOptions};
use xtask::terraform::{Terraform, Variables, Workspace};
use xtask::tools::Tools;

use super::process::MemoryWatch;

const BOUND: Duration = Duration::from_secs(1800);
const PARALLEL: &str = "-parallelism=10";

const SECRETS: &str = r#"
terraform {
  required_providers {
    planton = { source = "plantonhq/planton" }
  }
}

variable "address" { type = string }
variable "size" { type = number }
variable "token" {
  type      = string
  ephemeral = true
}

provider "planton" {
  organization = "bench"
  openbao      = { address = var.address, token = var.token }
}

resource "planton_secret" "many" {
  count            = var.size
  name             = "secret-${count.index}"
  value_wo         = "value of secret ${count.index}"
  value_wo_version = "1"
}
"#;

const BASELINE: &str = r#"
variable "size" { type = number }

resource "terraform_data" "many" {
  count = var.size
  input = "value of secret ${count.index}"
}
"#;

/// The wall times of one configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Of an apply into empty state.
    pub(super) apply: Duration,
    /// Of a plan that finds nothing to do.
    pub(super) plan: Duration,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Of the secrets.
    pub(super) secrets: Times,
    /// Of as many `terraform_data`.
    pub(super) baseline: Times,
    /// The provider's peak memory.
    pub(super) peak_bytes: u64,
}

/// Measures `size` secrets and as many resources that do nothing.
///
/// # Errors
///
/// When a run fails, or the server has less than that many secrets afterwards.
pub(super) fn measure(
    tools: &Tools,
    terraform: &Terraform,
    binary: &Path,
    size: usize,
) -> Result<Scale> {
    let size_text = size.to_string();
    let baseline = times(terraform, binary, BASELINE, &[("size", &size_text)])?;

    let server = OpenBao::start(tools, &ServerOptions::default())?;
    server.api().enable_kv2("planton")?;
    server.api().enable_transit("transit")?;
    let variables = [
        ("size", size_text.as_str()),
        ("address", server.address()),
        ("token", server.root_token()),
    ];
    let watch = MemoryWatch::start(binary)?;
    let secrets = times(terraform, binary, SECRETS, &variables)?;
    let peak_bytes = watch.finish();

    let stored = server.api().list_recursive("planton", KvVersion::V2)?.len();
    ensure!(stored >= size, "only {stored} objects were stored");
    Ok(Scale {
        secrets,
        baseline,
        peak_bytes,
    })
}

fn times(
    terraform: &Terraform,
    binary: &Path,
    configuration: &str,
    variables: Variables<'_>,
) -> Result<Times> {
    let mut workspace = Workspace::new(terraform, binary)?;
    workspace.bound(BOUND);
    workspace.write("main.tf", configuration)?;
    let apply = workspace.apply_with(variables, &[PARALLEL])?.ok()?;
    let plan = workspace.plan_with(variables, &[PARALLEL])?.no_changes()?;
    Ok(Times {
        apply: apply.process.elapsed,
        plan: plan.process.elapsed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_runs() {
        let tools = Tools::locate().expect("tools");
        let terraform = Terraform::all(&tools).remove(0);
        let nobody = Path::new("/nowhere/terraform-provider-planton");
        let times = times(&terraform, nobody, BASELINE, &[("size", "3")]).expect("runs");
        assert!(times.apply > Duration::ZERO && times.plan > Duration::ZERO);
    }
}
