//! Measures the life of many secrets on the built-in backend of each platform, on loopback and
//! with a round trip as on a network.

use std::any::Any;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use xtask::latency::LatencyRelay;
use xtask::openbao::{OpenBao, ServerOptions};
use xtask::terraform::{Terraform, Variables, Workspace};
use xtask::tools::Tools;

use super::scale::WEIGHTY;

const BOUND: Duration = Duration::from_secs(1800);

/// The round trip between two data centers of a region's neighborhood.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// Names a `terraform-provider-vault` to compare with.
pub(super) const VAULT_PROVIDER: &str = "VAULT_PROVIDER";

/// The times of one configuration.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// What is measured, and where.
    pub(super) what: String,
    /// The added round trip. `None` where nothing goes over a network.
    pub(super) round_trip: Option<Duration>,
    /// The number of resources.
    pub(super) size: usize,
    /// An apply into empty state, an empty plan, a refresh-only apply, and a destroy.
    pub(super) times: [Duration; 4],
}

/// A running platform.
struct Platform {
    name: &'static str,
    /// The URL of its server, or `None` without a server.
    url: Option<String>,
    /// Writes the argument of the provider block for a URL.
    block: Box<dyn Fn(&str) -> String>,
    environment: Vec<(&'static str, String)>,
    _server: Box<dyn Any>,
}

/// Measures each of `sizes` on each platform, and as many `terraform_data` resources with as
/// much state.
///
/// # Errors
///
/// If a run fails.
pub(super) fn measure(
    tools: &Tools,
    terraform: &Terraform,
    binary: &Path,
    sizes: &[usize],
) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    for &size in sizes {
        let size_text = size.to_string();
        let workspace = Workspace::new(terraform, binary)?;
        let times = life(workspace, WEIGHTY, &[("size", &size_text)])?;
        measured.push(Measured {
            what: "`terraform_data` with equal state".to_owned(),
            round_trip: None,
            size,
            times,
        });
    }
    let starts = [embedded, openbao];
    for start in starts {
        let platform = start(tools)?;
        let here = [None];
        let both = [Some(Duration::ZERO), Some(ROUND_TRIP)];
        let round_trips = match platform.url {
            None => &here[..],
            Some(_) => &both[..],
        };
        for &round_trip in round_trips {
            for &size in sizes {
                let times = one(&platform, terraform, binary, round_trip, size);
                measured.push(Measured {
                    what: format!("secrets on {}", platform.name),
                    round_trip,
                    size,
                    times: times.with_context(|| platform.name)?,
                });
            }
        }
    }
    if let Some(provider) = std::env::var_os(VAULT_PROVIDER) {
        measured.extend(kv(tools, terraform, &PathBuf::from(provider), sizes)?);
    }
    Ok(measured)
}

fn one(
    platform: &Platform,
    terraform: &Terraform,
    binary: &Path,
    round_trip: Option<Duration>,
    size: usize,
) -> Result<[Duration; 4]> {
    let mut workspace = Workspace::new(terraform, binary)?;
    for (name, value) in &platform.environment {
        workspace.env(name, value);
    }
    let (_relay, url) = reached(platform.url.as_deref(), round_trip)?;
    let argument = (platform.block)(&url);
    let configuration = format!(
        r#"
terraform {{
  required_providers {{
    planton = {{ source = "plantonhq/planton" }}
  }}
}}
# An organization of its own, since a size is measured from nothing.
provider "planton" {{
  organization = "bench-{size}-{}"
  {argument}
}}
resource "planton_secret" "many" {{
  count            = {size}
  name             = "secret-${{count.index}}"
  value_wo         = "value of secret ${{count.index}}"
  value_wo_version = "1"
}}
"#,
        round_trip.unwrap_or_default().as_millis()
    );
    life(workspace, &configuration, &[])
}

/// Returns the URL with the round trip added, and the relay that adds it.
fn reached(
    url: Option<&str>,
    round_trip: Option<Duration>,
) -> Result<(Option<LatencyRelay>, String)> {
    let Some(url) = url else {
        return Ok((None, String::new()));
    };
    let round_trip = round_trip.unwrap_or_default();
    if round_trip.is_zero() {
        return Ok((None, url.to_owned()));
    }
    let server = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .context("the URL has no host")?;
    let relay = LatencyRelay::start(server, round_trip)?;
    let url = relay.in_place_of_the_server(url);
    Ok((Some(relay), url))
}

fn life(
    mut workspace: Workspace,
    configuration: &str,
    variables: Variables<'_>,
) -> Result<[Duration; 4]> {
    workspace.bound(BOUND);
    workspace.write("main.tf", configuration)?;
    let apply = workspace.apply(variables)?.ok()?;
    let plan = workspace.plan(variables)?.no_changes()?;
    let refresh = workspace.apply_with(variables, &["-refresh-only"])?.ok()?;
    let destroy = workspace.destroy(variables)?.ok()?;
    Ok([
        apply.process.elapsed,
        plan.process.elapsed,
        refresh.process.elapsed,
        destroy.process.elapsed,
    ])
}

fn embedded(_: &Tools) -> Result<Platform> {
    let folder = tempfile::tempdir().context("a folder for the embedded platform")?;
    let path = folder.path().join("platform");
    Ok(Platform {
        name: "the embedded platform",
        url: None,
        block: Box::new(move |_| format!("embedded = {{ path = {path:?} }}")),
        environment: Vec::new(),
        _server: Box::new(folder),
    })
}

fn openbao(tools: &Tools) -> Result<Platform> {
    let server = OpenBao::start(tools, &ServerOptions::default())?;
    server.api().enable_kv2("planton")?;
    server.api().enable_transit("transit")?;
    let token = server.root_token().to_owned();
    Ok(Platform {
        name: "OpenBAO (real server)",
        url: Some(server.address().to_owned()),
        block: Box::new(move |url| format!("openbao = {{ address = {url:?}, token = {token:?} }}")),
        environment: Vec::new(),
        _server: Box::new(server),
    })
}

/// Measures `vault_kv_secret_v2` with write-only values on an OpenBAO.
fn kv(
    tools: &Tools,
    terraform: &Terraform,
    provider: &Path,
    sizes: &[usize],
) -> Result<Vec<Measured>> {
    let server = OpenBao::start(tools, &ServerOptions::default())?;
    server.api().enable_kv2("secret")?;
    let mut measured = Vec::new();
    for round_trip in [Duration::ZERO, ROUND_TRIP] {
        for &size in sizes {
            let (_relay, url) = reached(Some(server.address()), Some(round_trip))?;
            let mut workspace = Workspace::with_provider(terraform, "hashicorp/vault", provider)?;
            let configuration = format!(
                r#"
terraform {{
  required_providers {{
    vault = {{ source = "hashicorp/vault" }}
  }}
}}
provider "vault" {{
  address          = {url:?}
  skip_child_token = true
}}
resource "vault_kv_secret_v2" "many" {{
  count                = {size}
  mount                = "secret"
  name                 = "secret-${{count.index}}"
  delete_all_versions  = true
  data_json_wo         = jsonencode({{ value = "value of secret ${{count.index}}" }})
  data_json_wo_version = 1
}}
"#
            );
            workspace.env("VAULT_TOKEN", server.root_token());
            measured.push(Measured {
                what: "`vault_kv_secret_v2` on OpenBAO".to_owned(),
                round_trip: Some(round_trip),
                size,
                times: life(workspace, &configuration, &[])?,
            });
        }
    }
    Ok(measured)
}

/// Returns the section of docs/benchmarks.md.
///
/// # Errors
///
/// If formatting fails. Formatting into a string does not fail.
pub(super) fn section(measured: &[Measured]) -> Result<String> {
    let mut text = String::from(
        "\n## Platforms\n\nSeconds, with the built-in backend. A round trip of 20 ms is simulated. \
         `terraform_data` has as much state, and\nno provider of its own.\n\n\
         | Resources | Round trip | Number | Apply | Empty plan | Refresh | Destroy |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for of in measured {
        let round_trip = match of.round_trip {
            None => "–".to_owned(),
            Some(Duration::ZERO) => "loopback".to_owned(),
            Some(time) => format!("{} ms", time.as_millis()),
        };
        let times = of.times.map(|time| format!("{:.2}", time.as_secs_f64()));
        writeln!(
            text,
            "| {} | {round_trip} | {} | {} |",
            of.what,
            of.size,
            times.join(" | ")
        )?;
    }
    if !measured.iter().any(|of| of.what.contains("vault_kv")) {
        writeln!(
            text,
            "\n`vault_kv_secret_v2` was not measured in this run: {VAULT_PROVIDER} names its provider."
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_where_it_was_measured_and_what_is_missing_is_said() {
        let of = |round_trip| Measured {
            what: "secrets on X".to_owned(),
            round_trip,
            size: 7,
            times: [1_000, 2_500, 3_000, 4_250].map(Duration::from_millis),
        };
        let measured = [None, Some(Duration::ZERO), Some(ROUND_TRIP)].map(of);
        let text = section(&measured).expect("formats");
        for shown in ["–", "loopback", "20 ms"] {
            let row = format!("| secrets on X | {shown} | 7 | 1.00 | 2.50 | 3.00 | 4.25 |\n");
            assert!(text.contains(&row), "{text}");
        }
        assert!(text.contains("not measured in this run"), "{text}");
    }
}
