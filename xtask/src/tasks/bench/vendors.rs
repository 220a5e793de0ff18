//! Measures the provider's memory and time with many secrets on each type of backend.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use xtask::azure::{AzureFake, AzureFakeOptions};
use xtask::gcp::GcpFake;
use xtask::moto::Moto;
use xtask::openbao::{OpenBao, ServerOptions};
use xtask::terraform::{Terraform, Workspace};
use xtask::tools::Tools;

use super::process::{MemoryWatch, elapsed, median};

const BOUND: Duration = Duration::from_secs(900);

/// The result for one vendor.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// The vendor, and the server or stand-in that ran.
    pub(super) vendor: &'static str,
    /// The provider's peak memory.
    pub(super) peak_bytes: u64,
    /// The time of an apply into empty state.
    pub(super) apply: Duration,
    /// The time of an empty plan.
    pub(super) plan: Duration,
}

/// A running server, and the configuration that connects to it.
struct Vendor {
    name: &'static str,
    block: String,
    secret: String,
    environment: Vec<(&'static str, String)>,
    _server: Box<dyn std::any::Any>,
}

/// Measures `size` secrets on each vendor's server or stand-in, with the embedded
/// platform.
///
/// # Errors
///
/// If a run fails.
pub(super) fn measure(
    tools: &Tools,
    terraform: &Terraform,
    binary: &Path,
    size: usize,
) -> Result<Vec<Measured>> {
    let starts = [openbao, aws, gcp, azure];
    let measured = starts.iter().map(|start| {
        let vendor = start(tools)?;
        one(&vendor, terraform, binary, size).with_context(|| vendor.name)
    });
    measured.collect()
}

fn one(vendor: &Vendor, terraform: &Terraform, binary: &Path, size: usize) -> Result<Measured> {
    let mut workspace = Workspace::new(terraform, binary)?;
    workspace.bound(BOUND);
    for (name, value) in &vendor.environment {
        workspace.env(name, value);
    }
    let folder = tempfile::tempdir().context("a folder for the embedded platform")?;
    let platform = folder.path().join("platform").display().to_string();
    let configuration = format!(
        r#"
terraform {{
  required_providers {{
    planton = {{ source = "plantonhq/planton" }}
  }}
}}
variable "backend_secret" {{
  type      = string
  ephemeral = true
}}
provider "planton" {{
  organization = "bench"
  embedded     = {{ path = {platform:?} }}
}}
resource "planton_secret_backend" "own" {{
  name = "own"
{}
}}
resource "planton_secret" "many" {{
  count            = {size}
  name             = "secret-${{count.index}}"
  backend          = planton_secret_backend.own.name
  value_wo         = "value of secret ${{count.index}}"
  value_wo_version = "1"
}}
"#,
        vendor.block
    );
    workspace.write("main.tf", &configuration)?;
    let variables = [("backend_secret", vendor.secret.as_str())];
    let watch = MemoryWatch::start(binary)?;
    let apply = workspace.apply(&variables)?.ok()?;
    let plan = median(|| workspace.plan(&variables)?.no_changes(), elapsed)?;
    let peak_bytes = watch.finish()?;
    Ok(Measured {
        vendor: vendor.name,
        peak_bytes,
        apply: apply.process.elapsed,
        plan: plan.process.elapsed,
    })
}

fn openbao(tools: &Tools) -> Result<Vendor> {
    let server = OpenBao::start(tools, &ServerOptions::default())?;
    server.api().enable_kv2("secret")?;
    Ok(Vendor {
        name: "OpenBAO (real server)",
        block: format!(
            "  openbao = {{ address = {:?}, token_wo = var.backend_secret }}",
            server.address()
        ),
        secret: server.root_token().to_owned(),
        environment: Vec::new(),
        _server: Box::new(server),
    })
}

fn aws(tools: &Tools) -> Result<Vendor> {
    let (key, secret) = (
        "AKIAPLANTONBENCH0001",
        "benchSecretAccessKey0000000000000000000",
    );
    let server = Moto::start(tools)?;
    server.allow_key(key, secret, None)?;
    Ok(Vendor {
        name: "AWS Secrets Manager (moto behind a front)",
        block: format!(
            "  aws_secrets_manager = {{ region = \"eu-central-1\", endpoint = {:?}, access_key_id = \
             {key:?}, secret_access_key_wo = var.backend_secret }}",
            server.address()
        ),
        secret: secret.to_owned(),
        environment: Vec::new(),
        _server: Box::new(server),
    })
}

fn gcp(tools: &Tools) -> Result<Vendor> {
    let server = GcpFake::start(tools)?;
    Ok(Vendor {
        name: "GCP Secret Manager (fake)",
        block: format!(
            "  gcp_secret_manager = {{ project_id = \"acme-prod\", endpoint = {:?}, \
             service_account_key_json_wo = var.backend_secret }}",
            server.address()
        ),
        secret: server.key_file("bench@acme-prod.iam.gserviceaccount.com")?,
        environment: Vec::new(),
        _server: Box::new(server),
    })
}

fn azure(tools: &Tools) -> Result<Vendor> {
    let options = AzureFakeOptions::default();
    let secret = options.client_secret.clone();
    let server = AzureFake::start(tools, options)?;
    Ok(Vendor {
        name: "Azure Key Vault (fake)",
        block: format!(
            "  azure_key_vault = {{ vault_url = {0:?}, authority_host = {0:?}, tenant_id = {1:?}, \
             client_id = {2:?}, client_secret_wo = var.backend_secret }}",
            server.vault_url(),
            AzureFake::TENANT,
            AzureFake::CLIENT,
        ),
        secret,
        environment: vec![("SSL_CERT_FILE", server.ca_file().display().to_string())],
        _server: Box::new(server),
    })
}
