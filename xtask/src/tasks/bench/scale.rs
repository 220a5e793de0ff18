//! Many secrets on a real OpenBAO, beside as many resources that do nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use xtask::openbao::{KvVersion, OpenBao, ServerOptions};
use xtask::terraform::{Terraform, Variables, Workspace};
use xtask::tools::Tools;

use super::process::{MemoryWatch, processor_time};

const BOUND: Duration = Duration::from_secs(1800);
const PARALLEL: &str = "-parallelism=10";

const OPENBAO: &str = r#"
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
"#;

const EMBEDDED: &str = r#"
terraform {
  required_providers {
    planton = { source = "plantonhq/planton" }
  }
}

variable "folder" { type = string }
variable "size" { type = number }

provider "planton" {
  organization = "bench"
  embedded     = { path = var.folder }
}
"#;

const MANY: &str = r#"
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

/// As much state for each resource as a secret has, some 1.7 KB: Terraform writes
/// the whole state again whenever a resource is done.
const WEIGHTY: &str = r#"
variable "size" { type = number }

resource "terraform_data" "many" {
  count = var.size
  input = join("", [for i in range(40) : "0123456789abcdef"])
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
    /// Of the secrets on the embedded platform: the same without a server.
    pub(super) embedded: Times,
    /// Processor time that the server took for the secrets.
    pub(super) server: Times,
    /// Of as many `terraform_data`.
    pub(super) baseline: Times,
    /// Of as many `terraform_data` with as much state.
    pub(super) weighty: Times,
    /// The provider's peak memory.
    pub(super) peak_bytes: u64,
}

/// Measures `size` secrets on both platforms, and as many resources that do nothing.
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
    let idle = || Ok(Duration::ZERO);
    let variables = [("size", size_text.as_str())];
    let (baseline, _) = times(terraform, binary, BASELINE, &variables, &idle)?;
    let (weighty, _) = times(terraform, binary, WEIGHTY, &variables, &idle)?;

    let folder = tempfile::tempdir().context("a folder for the embedded platform")?;
    let platform = folder.path().join("platform").display().to_string();
    let variables = [("size", size_text.as_str()), ("folder", platform.as_str())];
    let configuration = format!("{EMBEDDED}{MANY}");
    let (embedded, _) = times(terraform, binary, &configuration, &variables, &idle)?;

    let server = OpenBao::start(tools, &ServerOptions::default())?;
    server.api().enable_kv2("planton")?;
    server.api().enable_transit("transit")?;
    let variables = [
        ("size", size_text.as_str()),
        ("address", server.address()),
        ("token", server.root_token()),
    ];
    let pid = server.pid().context("the server's process")?;
    let watch = MemoryWatch::start(binary)?;
    let configuration = format!("{OPENBAO}{MANY}");
    let spent = || processor_time(pid);
    let (secrets, server_time) = times(terraform, binary, &configuration, &variables, &spent)?;
    let peak_bytes = watch.finish();

    let stored = server.api().list_recursive("planton", KvVersion::V2)?.len();
    ensure!(stored >= size, "only {stored} objects were stored");
    Ok(Scale {
        secrets,
        embedded,
        server: server_time,
        baseline,
        weighty,
        peak_bytes,
    })
}

fn times(
    terraform: &Terraform,
    binary: &Path,
    configuration: &str,
    variables: Variables<'_>,
    spent: &dyn Fn() -> Result<Duration>,
) -> Result<(Times, Times)> {
    let mut workspace = Workspace::new(terraform, binary)?;
    workspace.bound(BOUND);
    workspace.write("main.tf", configuration)?;
    let before = spent()?;
    let apply = workspace.apply_with(variables, &[PARALLEL])?.ok()?;
    let between = spent()?;
    let plan = workspace.plan_with(variables, &[PARALLEL])?.no_changes()?;
    let after = spent()?;
    let elapsed = Times {
        apply: apply.process.elapsed,
        plan: plan.process.elapsed,
    };
    let spent = Times {
        apply: between.saturating_sub(before),
        plan: after.saturating_sub(between),
    };
    Ok((elapsed, spent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_runs() {
        let tools = Tools::locate().expect("tools");
        let terraform = Terraform::all(&tools).remove(0);
        let nobody = Path::new("/nowhere/terraform-provider-planton");
        let idle = || Ok(Duration::ZERO);
        let times = times(&terraform, nobody, BASELINE, &[("size", "3")], &idle);
        let (times, _) = times.expect("runs");
        assert!(times.apply > Duration::ZERO && times.plan > Duration::ZERO);
    }
}
