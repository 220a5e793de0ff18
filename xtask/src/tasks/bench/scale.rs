//! Measures many secrets on a real OpenBAO, and the same number of `terraform_data` resources.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xtask::openbao::{KvVersion, OpenBao, ServerOptions};
use xtask::process::{ProcessorTime, busy_time};
use xtask::terraform::{Outcome, Terraform, Variables, Workspace};
use xtask::tools::Tools;

use super::baseline::{Weighty, state_bytes};
use super::process::{MemoryWatch, median};

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

/// Many secrets with a trigger.
pub(super) const MANY: &str = r#"
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

/// The time of one run of Terraform.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// The wall time.
    pub(super) wall: Duration,
    /// Processor time of Terraform itself.
    pub(super) terraform: Duration,
    /// Processor time of the provider's processes that Terraform started.
    pub(super) provider: Duration,
    /// The share of the server.
    pub(super) server: Served,
    /// Processor time of everything else on this machine during the run.
    pub(super) others: Duration,
}

/// A server's work in total, or for one run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Served {
    /// Its processor time.
    pub(super) processor: Duration,
    /// The number of requests that it answered.
    pub(super) requests: usize,
}

/// The times of one configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Runs {
    /// An apply into empty state.
    pub(super) apply: Spent,
    /// An empty plan.
    pub(super) plan: Spent,
    /// The stored state for each resource, in bytes.
    pub(super) state_bytes: usize,
}

/// The results.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scale {
    /// The number of resources in each configuration.
    pub(super) size: usize,
    /// The secrets on OpenBAO.
    pub(super) secrets: Runs,
    /// The secrets on the embedded platform, which has no server.
    pub(super) embedded: Runs,
    /// The same number of `terraform_data` resources.
    pub(super) baseline: Runs,
    /// The same number of `terraform_data` resources with equal state.
    pub(super) weighty: Runs,
    /// The provider's peak memory, with the secrets on OpenBAO.
    pub(super) peak_bytes: u64,
}

/// Measures `size` secrets on both platforms, and the baselines of the same size.
///
/// # Errors
///
/// If a run fails, or the server holds fewer than `size` secrets afterwards.
pub(super) fn measure(
    tools: &Tools,
    terraform: &Terraform,
    binary: &Path,
    size: usize,
) -> Result<Scale> {
    let size_text = size.to_string();
    let nobody = || Ok(Served::default());
    let variables = [("size", size_text.as_str())];
    let baseline = runs(terraform, binary, BASELINE, size, &variables, &nobody)?;

    let folder = tempfile::tempdir().context("a folder for the embedded platform")?;
    let platform = folder.path().join("platform").display().to_string();
    let variables = [("size", size_text.as_str()), ("folder", platform.as_str())];
    let configuration = format!("{EMBEDDED}{MANY}");
    let embedded = runs(terraform, binary, &configuration, size, &variables, &nobody)?;

    let weighty = Weighty::with_state_of(terraform, binary, embedded.state_bytes)?.configuration;
    let variables = [("size", size_text.as_str())];
    let weighty = runs(terraform, binary, &weighty, size, &variables, &nobody)?;

    let server = OpenBao::start(tools, &ServerOptions::default())?;
    server.api().enable_kv2("planton")?;
    server.api().enable_transit("transit")?;
    let variables = [
        ("size", size_text.as_str()),
        ("address", server.address()),
        ("token", server.root_token()),
    ];
    let served = || served(&server);
    let watch = MemoryWatch::start(binary)?;
    let configuration = format!("{OPENBAO}{MANY}");
    let secrets = runs(terraform, binary, &configuration, size, &variables, &served)?;
    let peak_bytes = watch.finish()?;
    for run in [secrets.apply, embedded.apply] {
        // Covers only the processes that Terraform waited for.
        ensure!(!run.provider.is_zero(), "no processor time of the provider");
    }

    let stored = server.api().list_recursive("planton", KvVersion::V2)?.len();
    ensure!(stored >= size, "only {stored} objects were stored");
    Ok(Scale {
        size,
        secrets,
        embedded,
        baseline,
        weighty,
        peak_bytes,
    })
}

fn served(server: &OpenBao) -> Result<Served> {
    let pid = server.pid().context("the server's process")?;
    let audit = server.audit_log()?;
    let entries = audit.lines().map(serde_json::from_str::<Value>);
    let entries = entries.collect::<Result<Vec<_>, _>>();
    let entries = entries.context("reading the audit log")?;
    Ok(Served {
        processor: ProcessorTime::of(pid)?.own,
        requests: entries.iter().filter(|it| it["type"] == "response").count(),
    })
}

fn runs(
    terraform: &Terraform,
    binary: &Path,
    configuration: &str,
    size: usize,
    variables: Variables<'_>,
    served: &dyn Fn() -> Result<Served>,
) -> Result<Runs> {
    let mut workspace = Workspace::new(terraform, binary)?;
    workspace.bound(BOUND);
    workspace.write("main.tf", configuration)?;
    Ok(Runs {
        apply: spent(served, || {
            workspace.apply_with(variables, &[PARALLEL])?.ok()
        })?,
        plan: median(
            || {
                spent(served, || {
                    workspace.plan_with(variables, &[PARALLEL])?.no_changes()
                })
            },
            |spent| spent.wall,
        )?,
        state_bytes: state_bytes(&workspace, size)?,
    })
}

fn spent(
    served: &dyn Fn() -> Result<Served>,
    run: impl FnOnce() -> Result<Outcome>,
) -> Result<Spent> {
    let before = served()?;
    let busy = busy_time()?;
    let process = run()?.process;
    let busy = busy_time()?.saturating_sub(busy);
    let after = served()?;
    let processor = process.processor.context("Terraform's processor time")?;
    let server = Served {
        processor: after.processor.saturating_sub(before.processor),
        requests: after.requests.saturating_sub(before.requests),
    };
    let ours = processor.own + processor.children + server.processor;
    Ok(Spent {
        wall: process.elapsed,
        terraform: processor.own,
        provider: processor.children,
        server,
        others: busy.saturating_sub(ours),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_baseline_runs() {
        let tools = Tools::locate().expect("tools");
        let terraform = Terraform::all(&tools).remove(0);
        let nobody = Path::new("/nowhere/terraform-provider-planton");
        let idle = || Ok(Served::default());
        let runs = runs(&terraform, nobody, BASELINE, 3, &[("size", "3")], &idle).expect("runs");
        assert!(runs.state_bytes > 100, "{runs:?}");
        for run in [runs.apply, runs.plan] {
            assert!(run.wall > Duration::ZERO);
            assert!(run.terraform > Duration::ZERO, "{run:?}");
        }
    }
}
