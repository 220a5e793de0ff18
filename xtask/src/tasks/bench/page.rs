//! Renders docs/benchmarks.md from the results and the fixed text.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use anyhow::Result;
use xtask::terraform::Terraform;

use super::scale::Scale;
use super::{goals, platforms, profile, throughput, vendors};

/// The results of a run.
#[derive(Debug)]
pub(super) struct Measured {
    /// The Terraform in use.
    pub(super) terraform: Terraform,
    /// The stripped binary's size.
    pub(super) binary_bytes: u64,
    /// The times from the exec to the handshake, sorted.
    pub(super) starts: Vec<Duration>,
    /// The results on the built-in backend, and of the baselines.
    pub(super) scale: Scale,
    /// The results on each registered backend.
    pub(super) backends: Vec<vendors::Measured>,
    /// The results on the built-in backend of each platform.
    pub(super) platforms: Vec<platforms::Measured>,
    /// The throughput of sealing and opening.
    pub(super) throughput: Vec<throughput::Measured>,
}

/// Returns the page of a run.
///
/// # Errors
///
/// If formatting fails. Formatting into a string does not fail.
pub(super) fn page(measured: &Measured) -> Result<String> {
    let mut page = String::from("# Benchmarks\n\n");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    writeln!(
        page,
        "`cargo xtask bench` generates this page. This run used {} on {}.\nThe numbers come from a \
         single run. Compare ratios, not times.\n",
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
    page.push_str(&platforms::section(&measured.platforms)?);
    page.push_str(&throughput::section(&measured.throughput)?);
    page.push_str(REQUESTS);
    page.push_str(METHOD);
    page.push_str(SEQUENCES);
    Ok(page)
}

/// Returns the section with this heading.
pub(super) fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let start = page.find(&format!("\n{heading}\n"))?;
    let section = page.get(start..)?;
    let end = section
        .match_indices("\n## ")
        .map(|(at, _)| at)
        .find(|at| *at > 1);
    section.get(..end.unwrap_or(section.len()))
}

/// Returns the page with this section in place of the former one with its heading, or before
/// the section about requests.
pub(super) fn replaced(page: &str, section: &str) -> String {
    let heading = section.trim_start().lines().next().unwrap_or_default();
    let (before, rest) = page
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| {
            let at = page.find("\n## Requests\n").unwrap_or(page.len());
            page.split_at(at)
        });
    let after = rest.find("\n## ").map_or("", |at| &rest[at..]);
    format!("{before}{section}{after}")
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
        "| Measurement | Result |\n| --- | --- |\n\
         | Exec to handshake, median of {count} | {median} |\n\
         | Exec to handshake, 95th percentile | {slow} |\n\
         | Stripped binary | {binary:.1} MB |\n\
         | Peak memory of the provider, {size} secrets | {peak:.1} MB |"
    )?;
    for (what, ours, theirs) in [
        ("Apply", &scale.secrets.apply, &scale.baseline.apply),
        ("Empty plan", &scale.secrets.plan, &scale.baseline.plan),
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
        "\n## Backends\n\n{} secrets on each registered backend, with the embedded platform.\n\n\
         | Backend | Peak memory of the provider | Apply | Empty plan |\n| --- | --- | --- | --- |",
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

/// An earlier measurement, which a run of today cannot repeat.
const BEFORE: &str = "\
The binary was 13.0 MB at commits fd2b8fd and 5e20797, before the other backends were added. The goal
at that time was at most 14 MB.
";

/// The request counts. `tests/acceptance/requests.rs` and
/// `tests/acceptance/backends/requests.rs` assert them; change both together.
const REQUESTS: &str = "
## Requests

Requests for each secret, to the platform (OpenBAO) and the backend together. The number in
parentheses counts requests that a process sends once: organization, MAC key, the backend's record,
credential and marker, and a token. Tests assert these numbers exactly, with one secret and with
several.

| Backend | Create | Rotate | Refresh | Ephemeral read | Destroy, two versions |
| --- | --- | --- | --- | --- | --- |
| built-in (OpenBAO) | 4 (+6) | 4 (+3) | 2 (+1) | 3 (+2) | 6 (+2) |
| self-hosted OpenBAO | 6 (+9) | 4 (+6) | 2 (+4) | 3 (+4) | 7 (+5) |
| HashiCorp Vault | 6 (+10) | 4 (+7) | 2 (+4) | 3 (+4) | 7 (+5) |
| AWS Secrets Manager | 7 (+9) | 4 (+6) | 2 (+4) | 3 (+4) | 6 (+5) |
| GCP Secret Manager | 7 (+9) | 4 (+6) | 2 (+4) | 3 (+4) | 6 (+5) |
| Azure Key Vault | 7 (+11) | 4 (+8) | 2 (+6) | 3 (+6) | 7 (+7) |

On OpenBAO and Vault, a destroy deletes each stored version in a request of its own. With one version
it takes 5 requests in total on the built-in backend, and 6 on a registered one. Azure keeps all
versions and
[lists 25 per page](https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/get-secret-versions/get-secret-versions).
A refresh there sends up to one more request for each further 25 versions.

Concurrent creations share the requests that wrap their data keys. Terraform's default parallelism of
10 keeps at most ten creations in flight, so 1,000 creations need at least 100 such requests. One
`terraform apply` sends about 280 (\"Where the time goes\" counts them among all requests): Terraform
writes its state between two creations, so fewer than ten are usually ready to wrap at once. Ten
concurrent callers with nothing between their creations send about 120. A longer wait for others
would save requests and make the apply slower.

A rewrap of 1,000 versions on the built-in backend (OpenBAO) reads 1,000 records and 1,000 envelopes,
writes 1,000 of each, deletes 1,000 superseded envelopes, and sends 10 batched rewraps. Besides, it
reads the organization's record at most 22 times, and writes at most 24 fences for reads that must
not be stale. Tests assert these numbers.
";

/// The results of `cargo xtask model`, which this task does not run.
const SEQUENCES: &str = include_str!("sequences.md");

const METHOD: &str = "
## How

- Handshake: the benchmark starts the release binary as Terraform does, with the magic cookie,
  protocol 6 and a P-521 client certificate. It measures the time from before the exec to the first
  line on standard output.
- Memory: `VmHWM` of the provider's processes, sampled every 20 ms. The result is the maximum over an
  apply and the empty plan after it. The first table covers the built-in backend on OpenBAO, and the
  Backends table covers each registered backend. The built-in backend on the embedded platform is not
  measured. Linux only.
- Processor time: user and kernel time from `/proc`. Terraform's is read after it exits, and the
  provider's is that of Terraform's child processes. OpenBAO's is the difference between start and
  end. All else is the machine's time minus the other three.
- Scale: one OpenBAO server on loopback with Raft storage, KV v2 and Transit. The configuration has
  `count` secrets with a trigger. The benchmark runs an apply into empty state with `-parallelism=10`,
  and then three empty plans. The baseline is the same number of `terraform_data` resources, in the same
  run with the same Terraform.
- Empty plan: the median of three, in all sections. The first one after an apply takes up to a third longer.
- Platforms: for each, an apply into empty state, empty plans, a refresh-only apply and a destroy with
  Terraform's own parallelism. A relay delays the bytes of each direction by half of the round trip, and
  those of a new connection by a whole one more. `VAULT_PROVIDER` names a `terraform-provider-vault`,
  whose `vault_kv_secret_v2` is then measured with write-only values on the same kind of server.
  `RANDOM_PROVIDER` names a `terraform-provider-random`. `example_id` and
  `example_wide` are resources of `crates/plugin/examples/random`, which does no I/O. They have the
  attributes of `random_id` and of a secret: the cost of any provider with as many attributes.
- Requests for each secret under \"Where the time goes\": the responses in OpenBAO's audit log,
  including those that a process pays once.
- Throughput: `cargo bench --package planton-envelope`, which Criterion samples. The result is the mean.
";

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

/// Converts bytes to megabytes.
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
    fn a_section_is_replaced_and_the_others_stay() {
        let section = "\n## Part\n\nnew\n";
        let expected = format!("# Page\n{section}\n## Requests\n\nmany\n");
        let page = "# Page\n\n## Part\n\nold\n\n## Requests\n\nmany\n";
        assert_eq!(replaced(page, section), expected);
        let without = "# Page\n\n## Requests\n\nmany\n";
        assert_eq!(replaced(without, section), expected);
    }

    #[test]
    fn a_section_ends_where_the_next_one_begins() {
        let page = "# Page\n\n## Part\n\nold\n\n## Requests\n\nmany\n";
        assert_eq!(section(page, "## Part"), Some("\n## Part\n\nold\n"));
        assert_eq!(
            section(page, "## Requests"),
            Some("\n## Requests\n\nmany\n")
        );
        assert_eq!(section(page, "## Other"), None);
    }

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
