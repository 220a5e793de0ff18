//! Keys of AWS KMS in the emulator, as their administrator handles them.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Moto;

/// A key to create.
#[derive(Clone, Debug)]
pub struct NewKmsKey<'a> {
    /// Its Region.
    pub region: &'a str,
    /// Its key spec.
    pub spec: &'a str,
    /// Its key usage.
    pub usage: &'a str,
    /// The origin of its key material.
    pub origin: &'a str,
    /// Whether it may have replicas in other Regions.
    pub multi_region: bool,
}

impl Default for NewKmsKey<'_> {
    fn default() -> Self {
        Self {
            region: Moto::REGION,
            spec: "SYMMETRIC_DEFAULT",
            usage: "ENCRYPT_DECRYPT",
            origin: "AWS_KMS",
            multi_region: false,
        }
    }
}

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmsKeyState {
    /// Usable.
    Enabled,
    /// Disabled.
    Disabled,
    /// Scheduled for deletion.
    PendingDeletion,
    /// Without key material.
    PendingImport,
    /// Deleted for good.
    Deleted,
}

impl Moto {
    /// The Regions in which it has KMS.
    pub const KMS_REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];

    /// Creates a key in KMS, and returns its ARN.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn create_kms_key(&self, key: &NewKmsKey<'_>) -> Result<String> {
        self.kms_arn(&json!({
            "do": "create",
            "region": key.region,
            "spec": key.spec,
            "usage": key.usage,
            "origin": key.origin,
            "multi_region": key.multi_region,
        }))
    }

    /// Replicates a multi-Region key to `region`, and returns the replica's ARN.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn replicate_kms_key(&self, arn: &str, region: &str) -> Result<String> {
        self.kms_arn(&json!({"do": "replicate", "arn": arn, "region": region}))
    }

    /// Points an alias at a key, in the key's Region.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn alias_kms_key(&self, name: &str, arn: &str) -> Result<()> {
        self.tell("kms", &json!({"do": "alias", "name": name, "arn": arn}))
    }

    /// Brings a key into a state.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn set_kms_key_state(&self, arn: &str, state: KmsKeyState) -> Result<()> {
        let state = format!("{state:?}");
        self.tell("kms", &json!({"do": "state", "arn": arn, "state": state}))
    }

    /// Gives a key new key material. The former one still decrypts.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn rotate_kms_key(&self, arn: &str) -> Result<()> {
        self.tell("kms", &json!({"do": "rotate", "arn": arn}))
    }

    /// Removes all key material but the newest. AWS never does; so a test sees what is
    /// under the newest.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn forget_former_kms_material(&self, arn: &str) -> Result<()> {
        self.tell("kms", &json!({"do": "forget", "arn": arn}))
    }

    /// Enables automatic rotation of a key.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn enable_kms_rotation(&self, arn: &str) -> Result<()> {
        self.tell("kms", &json!({"do": "automatic", "arn": arn}))
    }

    /// Sets the statements of a key's policy, besides the default one that lets the
    /// account's own policies decide.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn set_kms_key_policy(&self, arn: &str, statements: &[Value]) -> Result<()> {
        let told = json!({"do": "policy", "arn": arn, "statements": statements});
        self.tell("kms", &told)
    }

    fn kms_arn(&self, told: &Value) -> Result<String> {
        let answer = self.command("kms", told)?;
        let arn = answer["arn"].as_str().context("reading the key's ARN")?;
        Ok(arn.to_owned())
    }
}
