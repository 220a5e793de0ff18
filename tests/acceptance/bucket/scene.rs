//! A bucket as the platform of an organization, and machines that share it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use planton_plugin::Value;
use serde_json::Value as Json;
use tempfile::TempDir;
use xtask::bucket::{Bucket, BucketServer, BucketService};
use xtask::faults::Weakness;
use xtask::moto::Moto;
use xtask::terraform::{Terraform, Workspace};

use crate::scene::{
    AUTOMATION, ORGANIZATION, PROVIDER, provider_block, read_values_in, terraform_1_11,
};

/// Prefix of all keys in the bucket.
const PREFIX: &str = "terraform/planton";

/// A new bucket, and one machine that uses it.
#[derive(Debug)]
pub(crate) struct OnBucket {
    pub(crate) bucket: Bucket<'static>,
    machine: TempDir,
    terraform: Terraform,
    encryption: Option<String>,
    /// Lines of the provider block that pin the organization.
    pins: String,
}

impl OnBucket {
    /// Creates a bucket, for a key file on the machine.
    pub(crate) fn new(service: BucketService) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let bucket = BucketServer::shared(service)
            .create(&format!("acc-{number}"))
            .unwrap();
        Self {
            bucket,
            machine: TempDir::new().unwrap(),
            terraform: terraform_1_11(),
            encryption: None,
            pins: String::new(),
        }
    }

    /// Runs this Terraform.
    pub(crate) fn with(self, terraform: &Terraform) -> Self {
        Self {
            terraform: terraform.clone(),
            ..self
        }
    }

    /// Uses the key of this block in the place of the key file.
    pub(crate) fn encrypted_by(self, encryption: &str) -> Self {
        Self {
            encryption: Some(encryption.to_owned()),
            ..self
        }
    }

    /// Adds these lines to the provider block.
    pub(super) fn pinned(self, pins: String) -> Self {
        Self { pins, ..self }
    }

    /// Returns another machine, without a key file.
    pub(super) fn other_machine(&self) -> Self {
        Self {
            bucket: self.bucket.behind_proxy().unwrap(),
            machine: TempDir::new().unwrap(),
            terraform: self.terraform.clone(),
            encryption: self.encryption.clone(),
            pins: self.pins.clone(),
        }
    }

    /// Returns the same bucket as a store whose conditional writes do not hold.
    pub(super) fn weakened(&self, weakness: Weakness) -> Self {
        Self {
            bucket: self.bucket.weakened(weakness).unwrap(),
            machine: TempDir::new().unwrap(),
            terraform: self.terraform.clone(),
            encryption: self.encryption.clone(),
            pins: self.pins.clone(),
        }
    }

    pub(crate) fn moto(&self) -> &'static Moto {
        self.bucket.server().moto().unwrap()
    }

    /// Returns the block of a key in the AWS KMS beside the bucket. The access key of the S3
    /// server may use it.
    pub(crate) fn aws_kms(&self, key_id: &str) -> String {
        let (_, secret) = self.bucket.credential();
        format!(
            "aws_kms = {{ key_id = {key_id:?}, region = \"eu-central-1\", access_key_id = \
             \"AKIABUCKETS\", secret_access_key = {secret:?}, endpoint = {:?} }}",
            self.moto().address()
        )
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.machine.path().join("planton.key")
    }

    /// Returns the provider block, with `more` lines in it.
    pub(crate) fn provider(&self, more: &str) -> String {
        self.provider_with(&self.bucket.arguments(PREFIX), more)
    }

    /// Returns the provider block with these arguments of the bucket.
    pub(super) fn provider_with(&self, arguments: &str, more: &str) -> String {
        let file = format!("key_file = {{ path = {:?} }}", self.key_file());
        let encryption = self.encryption.as_ref().unwrap_or(&file);
        let block = format!("bucket = {{\n{arguments}encryption = {{\n{encryption}\n}}\n}}");
        provider_block(&block, &format!("{}\n{more}", self.pins))
    }

    pub(crate) fn workspace(&self, configuration: &str) -> Workspace {
        let workspace = self.bare_workspace();
        workspace.write("provider.tf", &self.provider("")).unwrap();
        workspace.write("main.tf", configuration).unwrap();
        workspace
    }

    /// Creates a workspace without any configuration.
    pub(crate) fn bare_workspace(&self) -> Workspace {
        let mut workspace = Workspace::new(&self.terraform, Path::new(PROVIDER)).unwrap();
        for name in AUTOMATION {
            workspace.env_remove(name);
        }
        for (name, value) in self.bucket.variables() {
            workspace.env(name, value);
        }
        workspace
    }

    /// Returns the current value of a secret, as an ephemeral resource reads it.
    pub(super) fn value(&self, name: &str) -> String {
        let workspace = self.workspace("");
        let selector = [(name, format!("name = {name:?}"))];
        let mut values = read_values_in(&workspace, &selector);
        values.remove(name).unwrap()
    }

    /// Returns the keys and the bodies of all objects of the platform, without the prefix.
    pub(crate) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let root = format!("{PREFIX}/{ORGANIZATION}/");
        let objects = self.bucket.objects().unwrap().into_iter();
        objects
            .map(|(key, body)| {
                let rest = key.strip_prefix(&root);
                (rest.unwrap_or_else(|| panic!("{key}")).to_owned(), body)
            })
            .collect()
    }

    /// Returns the key of an object in the bucket.
    pub(crate) fn key(&self, object: &str) -> String {
        format!("{PREFIX}/{ORGANIZATION}/{object}")
    }

    /// Returns the organization's records, by key.
    pub(crate) fn records(&self) -> BTreeMap<String, Json> {
        let objects = self.objects().into_iter();
        let records = objects.filter_map(|(key, body)| {
            let key = key.strip_prefix("records/")?.strip_suffix(".json")?;
            let stored: Json = serde_json::from_slice(&body).unwrap();
            let body = stored["body"].as_str().unwrap();
            Some((key.to_owned(), serde_json::from_str(body).unwrap()))
        });
        records.collect()
    }

    /// Returns the sealed versions.
    pub(crate) fn versions(&self) -> Vec<String> {
        let all = self.objects().into_keys();
        all.filter(|key| key.starts_with("objects/")).collect()
    }

    /// Returns the sealed version of this identifier, which has the digest at its end.
    pub(crate) fn version_of(&self, native_id: &str) -> String {
        let (leaf, _) = native_id.rsplit_once('-').unwrap();
        let mut all = self.versions().into_iter();
        all.find(|version| version.ends_with(leaf)).unwrap()
    }

    /// Returns the value of the `bucket` block.
    pub(crate) fn block(&self) -> Value {
        let (secret, value) = self.bucket.credential();
        let arguments = self.bucket.configuration(PREFIX).into_iter();
        let arguments = arguments.map(|(name, value)| {
            let text = value.as_str().unwrap().to_owned();
            (name, Value::string(text))
        });
        let path = Value::string(self.key_file().display().to_string());
        let encryption = Value::object([("key_file", Value::object([("path", path)]))]);
        Value::object(arguments)
            .with(secret, value)
            .with("encryption", encryption)
    }

    /// Returns the environment variables that replace the platform's arguments, with the key
    /// file as the key. They contain no credential.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PLANTON_BUCKET_URL", self.bucket.url(PREFIX)),
            ("PLANTON_BUCKET_ENDPOINT", self.bucket.endpoint().to_owned()),
            (
                "PLANTON_BUCKET_KEY",
                format!("key_file:{}", self.key_file().display()),
            ),
        ]
    }

    /// Returns the variables of a credential, as the vendor's own tools read them, and of the
    /// authorities to trust.
    pub(crate) fn credentials(&self) -> Vec<(&'static str, String)> {
        let mut all = self.bucket.ambient_variables();
        all.extend(self.bucket.variables());
        if let Some(azure) = self.bucket.server().azure() {
            all.push(("AZURE_AUTHORITY_HOST", azure.vault_url()));
        }
        if let ("service_account_key_json", key) = self.bucket.credential() {
            let file = self.machine.path().join("service-account.json");
            std::fs::write(&file, key).unwrap();
            all.push(("GOOGLE_APPLICATION_CREDENTIALS", file.display().to_string()));
        }
        all
    }

    /// Runs the binary with the variables of the platform, without a terminal. The key is the
    /// key file, unless `variables` name another.
    pub(super) fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(PROVIDER);
        command.args(arguments).env("PLANTON_ORG", ORGANIZATION);
        for name in AUTOMATION {
            command.env_remove(name);
        }
        command.envs(self.environment());
        command.envs(self.credentials());
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null()).output().unwrap()
    }
}
