//! Resources of other providers, to compare with. A variable names each provider's binary.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xtask::latency::LatencyRelay;
use xtask::openbao::{OpenBao, ServerOptions};
use xtask::paths;
use xtask::terraform::{Terraform, Workspace};
use xtask::tools::Tools;

use super::platforms::{Measured, ROUND_TRIP, RoundTrip, life};
use crate::tasks::{cargo, run};

/// Names a `terraform-provider-vault`.
pub(super) const VAULT_PROVIDER: &str = "VAULT_PROVIDER";

/// Names a `terraform-provider-random`.
pub(super) const RANDOM_PROVIDER: &str = "RANDOM_PROVIDER";

/// Measures what is at hand.
///
/// # Errors
///
/// If a run fails.
pub(super) fn measure(
    tools: &Tools,
    terraform: &Terraform,
    sizes: &[usize],
) -> Result<Vec<Measured>> {
    let example = example()?;
    let mut measured = local(terraform, &ID, &example, sizes)?;
    measured.extend(local(terraform, &WIDE, &example, sizes)?);
    if let Some(provider) = std::env::var_os(RANDOM_PROVIDER) {
        measured.extend(local(terraform, &RANDOM, &PathBuf::from(provider), sizes)?);
    }
    if let Some(provider) = std::env::var_os(VAULT_PROVIDER) {
        measured.extend(kv(tools, terraform, &PathBuf::from(provider), sizes)?);
    }
    Ok(measured)
}

/// Says which provider was not at hand.
pub(super) fn missing(measured: &[Measured]) -> String {
    let peers = [
        ("vault_kv_secret_v2", VAULT_PROVIDER),
        (RANDOM.resource, RANDOM_PROVIDER),
    ];
    let missing = peers
        .iter()
        .filter(|(resource, _)| !measured.iter().any(|of| of.what.contains(resource)));
    let lines = missing.map(|(resource, variable)| {
        format!("\n`{resource}` was not measured in this run: {variable} names its provider.\n")
    });
    lines.collect()
}

/// A resource of a provider without any network.
struct Local {
    source: &'static str,
    resource: &'static str,
    arguments: &'static str,
}

const RANDOM: Local = Local {
    source: "hashicorp/random",
    resource: "random_id",
    arguments: "byte_length = 16",
};

/// The example of the plugin runtime. This resource has the attributes of `random_id`.
const ID: Local = Local {
    source: "plantonhq/example",
    resource: "example_id",
    arguments: "byte_length = 16",
};

/// This one has the attributes of a secret, so it shows what their number costs Terraform. The
/// arguments are those of [`scale::MANY`](super::scale::MANY).
const WIDE: Local = Local {
    source: "plantonhq/example",
    resource: "example_wide",
    arguments: r#"name             = "secret-${count.index}"
  value_wo         = "value of secret ${count.index}"
  value_wo_version = "1""#,
};

/// Builds the example. The second package keeps the features of the dependencies, so that
/// none is compiled again.
fn example() -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--example", "random"]);
    build.args(["--package", "planton-plugin"]);
    run(build.args(["--package", "terraform-provider-planton"]))?;
    Ok(paths::target().join("release/examples/random"))
}

fn local(
    terraform: &Terraform,
    kind: &Local,
    provider: &Path,
    sizes: &[usize],
) -> Result<Vec<Measured>> {
    let Local {
        source,
        resource,
        arguments,
    } = kind;
    let local = source.rsplit('/').next().unwrap_or(source);
    let mut measured = Vec::new();
    for &size in sizes {
        let workspace = Workspace::with_provider(terraform, source, provider)?;
        let configuration = format!(
            r#"
terraform {{
  required_providers {{
    {local} = {{ source = {source:?} }}
  }}
}}
resource {resource:?} "many" {{
  count = {size}
  {arguments}
}}
"#
        );
        measured.push(Measured {
            what: format!("`{resource}`, no network"),
            round_trip: RoundTrip::NoNetwork,
            size,
            life: life(workspace, &configuration, size, &[])?,
        });
    }
    Ok(measured)
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
    let host = server.address().trim_start_matches("http://");
    let relay = LatencyRelay::start(host, ROUND_TRIP)?;
    let mut measured = Vec::new();
    for round_trip in [RoundTrip::Loopback, RoundTrip::Simulated] {
        for &size in sizes {
            let address = match round_trip {
                RoundTrip::Simulated => relay.in_place_of_the_server(server.address()),
                _ => server.address().to_owned(),
            };
            let mut workspace = Workspace::with_provider(terraform, "hashicorp/vault", provider)?;
            let configuration = kv_configuration(&address, size);
            workspace.env("VAULT_TOKEN", server.root_token());
            measured.push(Measured {
                what: "`vault_kv_secret_v2` on OpenBAO".to_owned(),
                round_trip,
                size,
                life: life(workspace, &configuration, size, &[])?,
            });
        }
    }
    Ok(measured)
}

fn kv_configuration(address: &str, size: usize) -> String {
    format!(
        r#"
terraform {{
  required_providers {{
    vault = {{ source = "hashicorp/vault" }}
  }}
}}
provider "vault" {{
  address          = {address:?}
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
    )
}
