//! Migrations between two platforms, with a real Terraform before, during and after.

mod canary;
mod cloud_keys;
mod kills;
mod pairs;
mod writers;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use xtask::bucket::{Bucket, BucketService};
use xtask::moto::NewKmsKey;
use xtask::openbao::OpenBao;
use xtask::terraform::Workspace;

use crate::bucket::scene::OnBucket;
use crate::operator::json;
use crate::scene::{AUTOMATION, ORGANIZATION, On, PROVIDER, Scene, read_values_in, terraform_1_11};

/// How long a migration waits before its last listing. The real time is 60 s.
const WAIT: (&str, &str) = ("PLANTON_TEST_MOVE_WAIT_MS", "100");

/// A platform of each type.
enum Place {
    Scene(Box<Scene>),
    Bucket(Box<BucketPlace>),
}

struct BucketPlace {
    on: OnBucket,
    /// The variables of the platform that `on` does not return.
    more: Vec<(&'static str, String)>,
}

impl Place {
    fn embedded() -> Self {
        Self::Scene(Box::new(Scene::new(&terraform_1_11(), On::Embedded)))
    }

    fn openbao() -> Self {
        Self::Scene(Box::new(Scene::new(&terraform_1_11(), On::OpenBao)))
    }

    /// A bucket of this service, whose key is in a file.
    fn bucket(service: BucketService) -> Self {
        Self::Bucket(Box::new(BucketPlace {
            on: OnBucket::new(service),
            more: Vec::new(),
        }))
    }

    /// A bucket in S3 whose only key is in AWS KMS, so that the organization's fingerprint is
    /// required.
    fn bucket_with_aws_kms(fingerprint: &str) -> Self {
        let on = OnBucket::new(BucketService::S3);
        let key = on.moto().create_kms_key(&NewKmsKey::default()).unwrap();
        let endpoint = on.moto().address().to_owned();
        let block = on.aws_kms(&key);
        let argument = format!("aws_kms:key_id={key},region=eu-central-1,endpoint={endpoint}");
        Self::Bucket(Box::new(BucketPlace {
            on: on.encrypted_by(&block),
            more: vec![
                ("PLANTON_BUCKET_KEY", argument),
                ("PLANTON_ORGANIZATION_FINGERPRINT", fingerprint.to_owned()),
            ],
        }))
    }

    fn provider(&self) -> String {
        match self {
            Self::Scene(scene) => scene.provider(""),
            Self::Bucket(bucket) => bucket.on.provider(""),
        }
    }

    /// Returns the variables of the platform.
    fn environment(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Scene(scene) => scene.environment(),
            Self::Bucket(bucket) => {
                let mut variables = bucket.on.environment();
                // A later variable of the same name takes precedence.
                variables.extend(bucket.more.iter().cloned());
                variables
            }
        }
    }

    /// Returns the credentials that no variable of ours has.
    fn credentials(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Scene(_) => Vec::new(),
            Self::Bucket(bucket) => bucket.on.credentials(),
        }
    }

    fn openbao_server(&self) -> &OpenBao {
        match self {
            Self::Scene(scene) => scene.openbao().unwrap(),
            Self::Bucket(_) => panic!("a bucket has no server"),
        }
    }

    fn bucket_of(&self) -> &Bucket<'static> {
        match self {
            Self::Scene(_) => panic!("no bucket"),
            Self::Bucket(place) => &place.on.bucket,
        }
    }

    /// Returns the keys and the contents of all objects; none on a platform without a bucket.
    fn objects(&self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Scene(_) => Vec::new(),
            Self::Bucket(bucket) => bucket.on.bucket.objects().unwrap(),
        }
    }

    /// Returns how a late run learns of this platform.
    fn described(&self) -> String {
        let (_, first) = self.environment().swap_remove(0);
        first
    }

    /// Runs the binary on this platform.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        command.output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROVIDER);
        command.args(arguments).env("PLANTON_ORG", ORGANIZATION);
        for name in AUTOMATION {
            command.env_remove(name);
        }
        command.envs(self.environment());
        command.envs(self.credentials());
        command.stdin(Stdio::null());
        command
    }

    /// Returns the command that moves the organization from here to `target`.
    fn migration(&self, target: &Self, arguments: &[&str]) -> Command {
        let arguments = [&["platform", "migrate"], arguments].concat();
        let mut command = self.command(&arguments);
        for (name, value) in target.environment() {
            command.env(name.replace("PLANTON_", "PLANTON_TARGET_"), value);
        }
        command.envs(target.credentials());
        command.envs(self.pins());
        command.env(WAIT.0, WAIT.1);
        command
    }

    /// Returns what pins the organization; nothing once it was moved.
    fn pins(&self) -> Vec<(&'static str, String)> {
        let status = self.run(&["platform", "status", "--json"], &[]);
        if !status.status.success() {
            return Vec::new();
        }
        let status = json(&status);
        let ids = status["key_ids"].as_array().unwrap().iter();
        let ids: Vec<_> = ids.map(|id| id.as_str().unwrap()).collect();
        let fingerprint = status["fingerprint"].as_str().unwrap();
        vec![
            ("PLANTON_ORGANIZATION_FINGERPRINT", fingerprint.to_owned()),
            ("PLANTON_ALLOWED_KEY_IDS", ids.join(",")),
        ]
    }

    /// Points a workspace to this platform.
    fn configure(&self, workspace: &mut Workspace) {
        workspace.write("provider.tf", &self.provider()).unwrap();
        for (name, value) in self.credentials() {
            workspace.env(name, value);
        }
        if let Self::Bucket(bucket) = self {
            for (name, value) in &bucket.more {
                workspace.env(*name, value);
            }
        }
    }

    /// Creates a workspace on this platform.
    fn workspace(&self, configuration: &str) -> Workspace {
        match self {
            Self::Scene(scene) => scene.workspace(configuration),
            Self::Bucket(bucket) => bucket.on.workspace(configuration),
        }
    }

    /// Returns the current value of a secret.
    fn value(&self, name: &str) -> String {
        self.values(&[name]).remove(name).unwrap()
    }

    /// Returns the current values of these secrets.
    fn values(&self, names: &[&str]) -> BTreeMap<String, String> {
        let mut workspace = self.workspace("");
        self.configure(&mut workspace);
        let names = names.iter();
        let selectors: Vec<_> = names
            .map(|name| (*name, format!("name = {name:?}")))
            .collect();
        read_values_in(&workspace, &selectors)
    }
}
