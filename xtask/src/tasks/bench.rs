//! Measures what a practitioner waits for and pays: start-up, size, memory, and
//! a thousand secrets on a real OpenBAO.

mod process;
mod scale;
mod vendors;

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use xtask::paths;
use xtask::tools::Tools;

use super::{Profile, build_provider, some_terraform, step};

const HANDSHAKES: usize = 50;

/// Measures, and writes docs/benchmarks.md.
///
/// # Errors
///
/// When a measurement fails.
pub(crate) fn run(secrets: usize) -> Result<()> {
    let tools = step("Tools", Tools::install)?;
    let terraform = some_terraform()?;
    let binary = step("Release build", || build_provider(Profile::Release))?;
    let size = fs::metadata(&binary).context("the binary's size")?.len();
    let starts = step("Handshakes", || {
        process::handshakes(&tools, &binary, HANDSHAKES)
    })?;
    let scale = step("Scale", || {
        scale::measure(&tools, &terraform, &binary, secrets)
    })?;

    let backends = step("Backends", || {
        vendors::measure(&tools, &terraform, &binary, secrets)
    })?;

    let mut page = String::from("# Benchmarks\n\n");
    writeln!(
        page,
        "Made by `cargo xtask bench` with {terraform} on {}.",
        machine()
    )?;
    writeln!(
        page,
        "The numbers are of one run; ratios travel better than times.\n"
    )?;
    writeln!(page, "| what | measured |\n| --- | --- |")?;
    let median = milliseconds(percentile(&starts, 50));
    let slow = milliseconds(percentile(&starts, 95));
    writeln!(
        page,
        "| exec to handshake, median of {HANDSHAKES} | {median} |"
    )?;
    writeln!(page, "| exec to handshake, 95th percentile | {slow} |")?;
    writeln!(page, "| stripped binary | {:.1} MB |", megabytes(size))?;
    let peak = megabytes(scale.peak_bytes);
    writeln!(
        page,
        "| provider's peak memory, {secrets} secrets | {peak:.1} MB |"
    )?;
    for (what, ours, theirs) in [
        ("apply", scale.secrets.apply, scale.baseline.apply),
        ("empty plan", scale.secrets.plan, scale.baseline.plan),
    ] {
        let (ours, theirs) = (ours.as_secs_f64(), theirs.as_secs_f64());
        writeln!(
            page,
            "| {what}, {secrets} secrets | {ours:.2} s, {:.2} times the {theirs:.2} s of \
             `terraform_data` |",
            ours / theirs
        )?;
    }
    for (what, times) in [
        ("`terraform_data` with as much state", scale.weighty),
        ("the same secrets on the embedded platform", scale.embedded),
        (
            "OpenBAO's processor time, of the secrets on it",
            scale.server,
        ),
    ] {
        let (apply, plan) = (times.apply.as_secs_f64(), times.plan.as_secs_f64());
        writeln!(
            page,
            "| {what} | apply {apply:.2} s, empty plan {plan:.2} s |"
        )?;
    }
    page.push_str(&verdict(&scale));
    writeln!(
        page,
        "\n## Backends\n\n{secrets} secrets on each, with the embedded platform; goal: at most 100 MB \
         resident.\n\n| backend | provider's peak memory | apply | empty plan |\n| --- | --- | --- | --- |"
    )?;
    for of in &backends {
        writeln!(
            page,
            "| {} | {:.1} MB | {:.2} s | {:.2} s |",
            of.vendor,
            megabytes(of.peak_bytes),
            of.apply.as_secs_f64(),
            of.plan.as_secs_f64()
        )?;
    }
    page.push_str(REQUESTS);
    page.push_str(METHOD);
    let file = paths::repository().join("docs/benchmarks.md");
    fs::create_dir_all(paths::repository().join("docs")).context("creating docs")?;
    fs::write(&file, &page).with_context(|| format!("writing {}", file.display()))?;
    eprintln!("\n{page}");
    Ok(())
}

/// Says of each goal whether it is met.
fn verdict(scale: &scale::Scale) -> String {
    let ratio = |ours: Duration, theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
    let told = |what: &str, ratio: f64, goal: f64| {
        let met = if ratio <= goal { "met" } else { "missed" };
        format!("- {what}: at most {goal:.1} times `terraform_data`; {ratio:.2}, {met}.\n")
    };
    let (ours, theirs) = (scale.secrets, scale.baseline);
    format!(
        "\n## Goals\n\n{}{}\nWhere the time of the apply goes: Terraform writes the whole state again \
         whenever a resource is done, so the time grows with the square of what all resources keep \
         there: as many `terraform_data` that keep as much take nearly as long, and so do the same \
         secrets on the embedded platform, which has no server. A creation is six requests one after another, a refresh is two.\n",
        told("apply", ratio(ours.apply, theirs.apply), 2.0),
        told("empty plan", ratio(ours.plan, theirs.plan), 2.5),
    )
}

/// Asserted by `tests/acceptance/requests.rs` and
/// `tests/acceptance/backends/requests.rs`: what changes there changes here.
const REQUESTS: &str = "
## Requests

Platform (an OpenBAO) and backend together, for each secret; in parentheses what a process pays once
for all of them (organization, MAC key, the backend's record, its credential, its place, a token).
Asserted exactly by tests, with one secret and with several.

| backend | create | rotate | refresh | ephemeral read | destroy, two versions |
| --- | --- | --- | --- | --- | --- |
| built-in (OpenBAO) | 6 (+4) | 4 (+3) | 2 (+1) | 3 (+2) | 6 (+2) |
| self-hosted OpenBAO | 5 (+9) | 4 (+6) | 2 (+4) | 3 (+4) | 6 (+5) |
| HashiCorp Vault | 5 (+10) | 4 (+7) | 2 (+4) | 3 (+4) | 6 (+5) |
| AWS Secrets Manager | 6 (+9) | 4 (+6) | 2 (+4) | 3 (+4) | 5 (+5) |
| GCP Secret Manager | 6 (+9) | 4 (+6) | 2 (+4) | 3 (+4) | 5 (+5) |
| Azure Key Vault | 6 (+11) | 4 (+8) | 2 (+6) | 3 (+6) | 6 (+7) |
";

const METHOD: &str = "
## How

- Handshake: the release binary is started as Terraform starts it (magic cookie, protocol 6, a
  client certificate on P-521), and timed from before the exec to its first line on standard output.
- Memory: `VmHWM` of the provider's process, the greatest of all runs below. Linux only.
- Scale: one OpenBAO server on loopback with Raft storage, KV v2 and Transit; `count` secrets with a
  trigger, `-parallelism=10`, an apply into empty state and then a plan that is empty. The
  baseline is as many `terraform_data` resources, in the same run with the same Terraform.
- Microbenchmarks of single functions: `cargo bench`.
";

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unnamed processor", |(_, model)| model);
    format!(
        "{} {}, {cores} cores of {model}",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_sorted_times() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(milliseconds(percentile(&times, 50)), "51.0 ms");
        assert_eq!(percentile(&times, 100), Duration::from_millis(100));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
