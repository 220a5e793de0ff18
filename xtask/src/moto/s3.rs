//! Buckets of S3, as their owner sees them.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Moto;
#[cfg(feature = "faults")]
use crate::bucket::Metadata;

impl Moto {
    /// Creates a bucket without versions.
    ///
    /// # Errors
    ///
    /// If the name is taken or invalid, or the emulator does not answer.
    pub fn create_bucket(&self, bucket: &str) -> Result<()> {
        self.tell("s3", &json!({"do": "create", "bucket": bucket}))
    }

    /// Creates a bucket that keeps versions.
    ///
    /// # Errors
    ///
    /// As [`create_bucket`](Self::create_bucket).
    pub fn create_versioned_bucket(&self, bucket: &str) -> Result<()> {
        let told = json!({"do": "create", "bucket": bucket, "versioned": true});
        self.tell("s3", &told)
    }

    /// Returns the keys and the contents of all objects of a bucket, in order.
    ///
    /// # Errors
    ///
    /// If there is no such bucket, or the emulator does not answer.
    pub fn objects(&self, bucket: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let listed = self.command("s3", &json!({"do": "list", "bucket": bucket}))?;
        let listed = listed.as_array().context("no list")?.iter();
        listed
            .map(|pair| {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let key = text(&pair[0]).context("no key")?;
                let content = text(&pair[1]).context("no content")?;
                Ok((key, STANDARD.decode(content).context("no base64")?))
            })
            .collect()
    }

    /// Replaces the content of an object.
    ///
    /// # Errors
    ///
    /// As [`objects`](Self::objects), and if there is no such object.
    #[cfg(feature = "faults")]
    pub fn overwrite_object(
        &self,
        bucket: &str,
        key: &str,
        content: &[u8],
        metadata: Metadata,
    ) -> Result<()> {
        let told = json!({
            "do": "overwrite",
            "bucket": bucket,
            "key": key,
            "content": STANDARD.encode(content),
            "keeps_metadata": metadata == Metadata::Kept,
        });
        self.tell("s3", &told)
    }

    /// Sets the lifecycle rules of a bucket, in the form of S3's XML.
    ///
    /// # Errors
    ///
    /// As [`objects`](Self::objects), and for invalid rules.
    pub fn set_lifecycle(&self, bucket: &str, rules: &Value) -> Result<()> {
        self.tell(
            "s3",
            &json!({"do": "lifecycle", "bucket": bucket, "rules": rules}),
        )
    }

    /// Deletes an object.
    ///
    /// # Errors
    ///
    /// As [`objects`](Self::objects).
    pub fn remove_object(&self, bucket: &str, key: &str) -> Result<()> {
        let told = json!({"do": "remove", "bucket": bucket, "key": key});
        self.tell("s3", &told)
    }
}
