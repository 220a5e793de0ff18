//! The page: what was measured, and what does not change from run to run.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use anyhow::Result;
use xtask::terraform::Terraform;

use super::scale::Scale;
use super::{goals, profile, vendors};

/// What a run measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// The Terraform that ran.
    pub(super) terraform: Terraform,
    /// The stripped binary's size.
    pub(super) binary_bytes: u64,
    /// From the exec to the handshake, sorted.
    pub(super) starts: Vec<Duration>,
    /// On the built-in backend, and beside it.
    pub(super) scale: Scale,
    /// On each backend of one's own.
    pub(super) backends: Vec<vendors::Measured>,
}

/// Returns the page of a run.
///
/// # Errors
///
/// When formatting fails, which a text in memory does not.
pub(super) fn page(measured: &Measured) -> Result<String> {
    let mut page = String::from("# Benchmarks\n\n");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    writeln!(
        page,
        "Made by `cargo xtask bench` with {} on {}.\nThe numbers are of one run; ratios travel better \
         than times.\n",
        measured.terraform,
        machine(cores)
    )?;
    summary(&mut page, measured)?;
    let handshake = percentile(&measured.starts, 50);
    let goals = goals::verdict(&goals::Measured {
        handshake,
        binary_bytes: measured.binary_bytes,
        scale: &measured.scale,
        backends: &measured.backends,
    });
    write!(page, "\n## Goals\n\n{goals}\n{BEFORE}")?;
    page.push_str(&profile::section(&measured.scale, cores));
    backends(&mut page, measured)?;
    page.push_str(REQUESTS);
    page.push_str(METHOD);
    page.push_str(SEQUENCES);
    Ok(page)
}

fn summary(page: &mut String, measured: &Measured) -> Result<()> {
    let Measured { starts, scale, .. } = measured;
    let (size, count) = (scale.size, starts.len());
    let median = milliseconds(percentile(starts, 50));
    let slow = milliseconds(percentile(starts, 95));
    let binary = megabytes(measured.binary_bytes);
    let peak = megabytes(scale.peak_bytes);
    writeln!(
        page,
        "| what | measured |\n| --- | --- |\n\
         | exec to handshake, median of {count} | {median} |\n\
         | exec to handshake, 95th percentile | {slow} |\n\
         | stripped binary | {binary:.1} MB |\n\
         | provider's peak memory, {size} secrets | {peak:.1} MB |"
    )?;
    for (what, ours, theirs) in [
        ("apply", &scale.secrets.apply, &scale.baseline.apply),
        ("empty plan", &scale.secrets.plan, &scale.baseline.plan),
    ] {
        writeln!(
            page,
            "| {what}, {size} secrets | {:.2} s, {:.2} times the {:.2} s of `terraform_data` |",
            ours.wall.as_secs_f64(),
            goals::ratio(ours, theirs),
            theirs.wall.as_secs_f64()
        )?;
    }
    Ok(())
}

fn backends(page: &mut String, measured: &Measured) -> Result<()> {
    writeln!(
        page,
        "\n## Backends\n\n{} secrets on each, with the embedded platform.\n\n\
         | backend | provider's peak memory | apply | empty plan |\n| --- | --- | --- | --- |",
        measured.scale.size
    )?;
    for of in &measured.backends {
        writeln!(
            page,
            "| {} | {:.1} MB | {:.2} s | {:.2} s |",
            of.vendor,
            megabytes(of.peak_bytes),
            of.apply.as_secs_f64(),
            of.plan.as_secs_f64()
        )?;
    }
    Ok(())
}

/// History, which no run can measure again.
const BEFORE: &str = "\
Before other backends came in, the binary had 13.0 MB: this page had it so at commits fd2b8fd and
5e20797. The goal was at most 14 MB then.
";

/// Asserted by `tests/acceptance/requests.rs` and
/// `tests/acceptance/backends/requests.rs`: what changes there changes here.
const REQUESTS: &str = "
## Requests

Platform (an OpenBAO) and backend together, for each secret; in parentheses what a process pays once
for all of them (organization, MAC key, the backend's record, its credential, its place, a token).
Asserted exactly by tests, with one secret and with several.

| backend | create | rotate | refresh | ephemeral read | destroy, two versions |
| --- | --- | --- | --- | --- | --- |
| built-in (OpenBAO) | 4 (+6) | 4 (+3) | 2 (+1) | 3 (+2) | 6 (+2) |
| self-hosted OpenBAO | 6 (+9) | 4 (+6) | 2 (+4) | 3 (+4) | 7 (+5) |
| HashiCorp Vault | 6 (+10) | 4 (+7) | 2 (+4) | 3 (+4) | 7 (+5) |
| AWS Secrets Manager | 7 (+9) | 4 (+6) | 2 (+4) | 3 (+4) | 6 (+5) |
| GCP Secret Manager | 7 (+9) | 4 (+6) | 2 (+4) | 3 (+4) | 6 (+5) |
| Azure Key Vault | 7 (+11) | 4 (+8) | 2 (+6) | 3 (+6) | 7 (+7) |

On OpenBAO and Vault a destroy costs one request for each stored version: 5 with one version, and
one more for each further one. On Azure, which keeps all versions and lists 25 at a time, a refresh
costs up to one request more for each further 25.
";

/// What `cargo xtask model` found: another task measures it.
const SEQUENCES: &str = include_str!("sequences.md");

const METHOD: &str = "
## How

- Handshake: the release binary is started as Terraform starts it (magic cookie, protocol 6, a
  client certificate on P-521), and timed from before the exec to its first line on standard output.
- Memory: `VmHWM` of the provider's processes, read every 20 ms; the greatest of an apply and the
  empty plan after it. Above with the secrets on OpenBAO, under Backends with those of each backend;
  not with those on the embedded platform. Linux only.
- Processor time: user and kernel mode, from `/proc`: of Terraform once it has ended, of the children
  that it waited for, of OpenBAO before and after, and of the machine less all of these.
- Scale: one OpenBAO server on loopback with Raft storage, KV v2 and Transit; `count` secrets with a
  trigger, `-parallelism=10`, an apply into empty state and then a plan that is empty. The
  baseline is as many `terraform_data` resources, in the same run with the same Terraform.
- Requests for each secret, under Where the time goes: the answers in OpenBAO's audit log, those of
  the process included.
- Microbenchmarks of single functions: `cargo bench`.
";

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

/// Returns millions of bytes.
#[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn machine(cores: usize) -> String {
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
    use xtask::paths;

    use super::*;

    #[test]
    fn percentiles_of_sorted_times() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(milliseconds(percentile(&times, 50)), "51.0 ms");
        assert_eq!(percentile(&times, 100), Duration::from_millis(100));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn the_page_of_the_last_run_has_the_requests_of_today() {
        let page = fs::read_to_string(paths::repository().join("docs/benchmarks.md"));
        let page = page.expect("the page is there");
        for text in [BEFORE, REQUESTS] {
            assert!(page.contains(text), "not in the page: {text}");
        }
    }
}
