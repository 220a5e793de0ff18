//! What the owner of a bucket does with the vendor's console.

use anyhow::{Context, Result, bail};
use serde_json::{Map, json};

use super::{Bucket, Server};

/// What becomes of an object's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// It stays.
    Kept,
    /// It goes.
    Dropped,
}

impl Bucket<'_> {
    /// Returns the keys and the contents of all objects, in order.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn objects(&self) -> Result<Vec<(String, Vec<u8>)>> {
        match &self.server.0 {
            Server::S3(moto) => moto.objects(&self.name),
            Server::Gcs { fake, .. } => Ok(fake.objects(&self.name)),
            Server::Azure(account) => account.objects(&self.name),
        }
    }

    /// Replaces the content of an object and drops its metadata, as an upload with the
    /// vendor's console does.
    ///
    /// # Errors
    ///
    /// As [`overwrite`](Self::overwrite).
    pub fn replace(&self, key: &str, content: &[u8]) -> Result<()> {
        self.put(key, content, Metadata::Dropped)
    }

    /// Replaces the content of an object and keeps its metadata.
    ///
    /// # Errors
    ///
    /// If there is no such object, or the server does not answer.
    pub fn overwrite(&self, key: &str, content: &[u8]) -> Result<()> {
        self.put(key, content, Metadata::Kept)
    }

    fn put(&self, key: &str, content: &[u8], metadata: Metadata) -> Result<()> {
        match &self.server.0 {
            Server::S3(moto) => moto.overwrite_object(&self.name, key, content, metadata),
            Server::Gcs { fake, .. } => {
                let was_there = fake.overwrite(&self.name, key, content, metadata);
                was_there.then_some(()).context("there is no such object")
            }
            Server::Azure(account) => account.overwrite(&self.name, key, content, metadata),
        }
    }

    /// Adds a lifecycle rule that deletes all objects with this prefix after a day. No server
    /// here carries it out.
    ///
    /// # Errors
    ///
    /// In Azure, whose rules are not a part of the service with the blobs; and if the server
    /// does not answer.
    pub fn expire(&self, prefix: &str) -> Result<()> {
        match &self.server.0 {
            Server::S3(moto) => {
                let rules = json!([{
                    "ID": "expire", "Status": "Enabled", "Filter": {"Prefix": prefix},
                    "Expiration": {"Days": "1"},
                }]);
                moto.set_lifecycle(&self.name, &rules)
            }
            Server::Gcs { fake, .. } => {
                let rule = json!({
                    "action": {"type": "Delete"},
                    "condition": {"age": 1, "matchesPrefix": [prefix]},
                });
                let lifecycle = json!({ "rule": [rule] });
                let fields = Map::from_iter([("lifecycle".to_owned(), lifecycle)]);
                fake.configure(&self.name, fields);
                Ok(())
            }
            Server::Azure(_) => bail!("a rule of Azure is a resource of the account"),
        }
    }

    /// Deletes an object, as a person with the vendor's console.
    ///
    /// # Errors
    ///
    /// If there is no such object, or the server does not answer.
    pub fn remove(&self, key: &str) -> Result<()> {
        match &self.server.0 {
            Server::S3(moto) => moto.remove_object(&self.name, key),
            Server::Gcs { fake, .. } => {
                let was_there = fake.remove(&self.name, key);
                was_there.then_some(()).context("there is no such object")
            }
            Server::Azure(account) => account.remove(&self.name, key),
        }
    }
}
