//! Measures thousands of secrets in one state, and an organization with many records.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use xtask::openbao::{OpenBao, ServerOptions};
use xtask::process;
use xtask::terraform::{Terraform, Workspace};
use xtask::tools::Tools;

use super::page::megabytes;
use super::places::{self, Start};
use super::platforms::{self, RoundTrip};
use super::process::MemoryWatch;
use crate::tasks::{cargo, run};

/// The number of secrets in one state.
const SECRETS: usize = 5_000;

/// The number of secrets of an organization that no state of the run has.
const RECORDS: usize = 100_000;

/// The number of secrets in the state of a plan in that organization.
const OWN: usize = 100;

const BOUND: Duration = Duration::from_secs(3600);
const ORGANIZATION: &str = "bench-large";

/// The results.
#[derive(Debug)]
pub(super) struct Large {
    lives: Vec<platforms::Measured>,
    /// The peak memory of the provider with [`SECRETS`].
    peak_bytes: u64,
    organizations: Vec<Organization>,
}

/// The results in one organization with many records.
#[derive(Debug)]
struct Organization {
    platform: &'static str,
    steps: Vec<Step>,
    /// The peak memory of the provider and of the operator commands.
    peak_bytes: u64,
}

/// One step, and its number of requests to the platform.
#[derive(Debug)]
struct Step {
    what: &'static str,
    time: Duration,
    requests: Option<usize>,
}

/// Measures.
///
/// # Errors
///
/// If a run fails.
pub(super) fn measure(tools: &Tools, terraform: &Terraform, binary: &Path) -> Result<Large> {
    let backend = OpenBao::start(tools, &ServerOptions::default())?;
    backend.api().enable_kv2("secret")?;
    let mut organizations = Vec::new();
    for many in [Many::embedded()?, Many::openbao(tools)?] {
        organizations.push(many.measure(terraform, binary, &backend)?);
    }
    let watch = MemoryWatch::start(binary)?;
    let starts: [Start; 2] = [places::embedded, places::openbao];
    let lives = platforms::measure_at(
        tools,
        terraform,
        binary,
        &[SECRETS],
        (&starts, &[RoundTrip::Loopback]),
    )?;
    Ok(Large {
        lives,
        peak_bytes: watch.finish()?,
        organizations,
    })
}

/// A platform for many records.
struct Many {
    name: &'static str,
    server: Option<OpenBao>,
    folder: TempDir,
}

impl Many {
    fn embedded() -> Result<Self> {
        Ok(Self {
            name: "the embedded platform",
            server: None,
            folder: tempfile::tempdir().context("a folder for the embedded platform")?,
        })
    }

    fn openbao(tools: &Tools) -> Result<Self> {
        let server = OpenBao::start(tools, &ServerOptions::default())?;
        server.api().enable_kv2("planton")?;
        server.api().enable_transit("transit")?;
        Ok(Self {
            name: "OpenBAO (real server)",
            server: Some(server),
            ..Self::embedded()?
        })
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let organization = ("PLANTON_ORG", ORGANIZATION.to_owned());
        let platform = match &self.server {
            Some(server) => vec![
                ("PLANTON_ADDR", server.address().to_owned()),
                ("PLANTON_TOKEN", server.root_token().to_owned()),
            ],
            None => {
                let folder = self.folder.path().join("platform");
                vec![("PLANTON_DATA_DIR", folder.display().to_string())]
            }
        };
        platform.into_iter().chain([organization]).collect()
    }

    fn measure(
        self,
        terraform: &Terraform,
        binary: &Path,
        backend: &OpenBao,
    ) -> Result<Organization> {
        let mut workspace = Workspace::new(terraform, binary)?;
        workspace.bound(BOUND);
        for (name, value) in self.variables() {
            workspace.env(name, value);
        }
        let backend = [
            ("address", backend.address()),
            ("token", backend.root_token()),
        ];
        workspace.write("main.tf", CONFIGURATION)?;
        let own = OWN.to_string();
        let own = [backend[0], backend[1], ("own", own.as_str())];
        let mut steps = vec![self.step("making the records, 32 at once", || {
            let mut fill = cargo();
            fill.args(["bench", "--quiet", "--package", "planton-vendors"]);
            fill.args(["--bench", "records"]).envs(self.variables());
            run(fill.env("PLANTON_BENCH_SECRETS", RECORDS.to_string()))
        })?];
        let watch = MemoryWatch::start(binary)?;
        workspace.apply(&own)?.ok()?;
        steps.push(
            self.step("empty plan of 100 of them and an unused backend", || {
                workspace.plan(&own)?.no_changes().map(drop)
            })?,
        );
        steps.push(self.step("deletion of the unused backend", || {
            let target = "-target=planton_secret_backend.unused";
            let arguments = ["destroy", "-auto-approve", "-input=false", target];
            workspace.run_with(&arguments, &own)?.ok().map(drop)
        })?);
        for (what, arguments) in [
            ("`verify`", &["verify", "--json"][..]),
            ("`gc`, a dry run", &["gc", "--json"][..]),
        ] {
            steps.push(self.step(what, || {
                let mut command = Command::new(binary);
                command.args(arguments).envs(self.variables());
                process::run(&mut command, BOUND)?.ok().map(drop)
            })?);
        }
        Ok(Organization {
            platform: self.name,
            steps,
            peak_bytes: watch.finish()?,
        })
    }

    fn step(&self, what: &'static str, run: impl FnOnce() -> Result<()>) -> Result<Step> {
        let before = self.server.as_ref().map(OpenBao::audit_log_bytes);
        let before = before.transpose()?;
        let begun = std::time::Instant::now();
        run().context(what)?;
        let time = begun.elapsed();
        let requests = match (&self.server, before) {
            (Some(server), Some(before)) => Some(responses(&server.audit_log_since(before)?)?),
            _ => None,
        };
        Ok(Step {
            what,
            time,
            requests,
        })
    }
}

/// Counts the responses in a part of an audit log.
fn responses(audit: &str) -> Result<usize> {
    let mut responses = 0;
    for line in audit.lines() {
        let entry: Value = serde_json::from_str(line).context("reading the audit log")?;
        responses += usize::from(entry["type"] == "response");
    }
    ensure!(responses > 0, "no response in the audit log");
    Ok(responses)
}

const CONFIGURATION: &str = r#"
terraform {
  required_providers {
    planton = { source = "plantonhq/planton" }
  }
}

variable "address" { type = string }
variable "own" { type = number }
variable "token" {
  type      = string
  ephemeral = true
}

provider "planton" {}

resource "planton_secret_backend" "unused" {
  name    = "unused"
  openbao = { address = var.address, token_wo = var.token }
}

resource "planton_secret" "own" {
  count            = var.own
  name             = "own-${count.index}"
  backend          = "platform"
  value_wo         = "value of secret ${count.index}"
  value_wo_version = "1"
}
"#;

/// The heading of the section.
pub(super) const HEADING: &str = "## Thousands";

/// Returns the section of docs/benchmarks.md.
///
/// # Errors
///
/// If formatting fails. Formatting into a string does not fail.
pub(super) fn section(measured: &Large) -> Result<String> {
    let mut text = format!(
        "\n{HEADING}\n\n`cargo xtask bench --large` generates this section.\n\n\
         {SECRETS} secrets in one state, as in the section about platforms. The provider's peak memory was \
         {:.1} MB.\n\n",
        megabytes(measured.peak_bytes)
    );
    text.push_str(&platforms::table(&measured.lives)?);
    writeln!(
        text,
        "\nAn organization of {RECORDS} secrets, and {OWN} more in the state of the plan:\n\n\
         | Platform | Step | Seconds | Requests |\n| --- | --- | --- | --- |"
    )?;
    for of in &measured.organizations {
        for step in &of.steps {
            let requests = step
                .requests
                .map_or("–".to_owned(), |count| count.to_string());
            let seconds = step.time.as_secs_f64();
            writeln!(
                text,
                "| {} | {} | {seconds:.2} | {requests} |",
                of.platform, step.what
            )?;
        }
    }
    for of in &measured.organizations {
        writeln!(
            text,
            "\nOn {}, the peak memory of the provider and of the commands was {:.1} MB.",
            of.platform,
            megabytes(of.peak_bytes)
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_has_each_step_with_its_requests() {
        let step = |requests| Step {
            what: "`verify`",
            time: Duration::from_millis(1_500),
            requests,
        };
        let text = section(&Large {
            lives: Vec::new(),
            peak_bytes: 20_000_000,
            organizations: vec![Organization {
                platform: "OpenBAO",
                steps: vec![step(Some(7)), step(None)],
                peak_bytes: 30_000_000,
            }],
        });
        let text = text.expect("formats");
        for row in ["| OpenBAO | `verify` | 1.50 | 7 |\n", "| 1.50 | – |\n"] {
            assert!(text.contains(row), "{text}");
        }
        for memory in ["20.0 MB", "On OpenBAO, the peak memory", "30.0 MB"] {
            assert!(text.contains(memory), "{text}");
        }
    }

    #[test]
    fn the_responses_of_an_audit_log_are_counted() {
        let log = "{\"type\":\"request\"}\n{\"type\":\"response\"}\n";
        assert_eq!(responses(log).expect("counts"), 1);
        assert!(responses("").is_err());
    }
}
