//! What the owner of a bucket does with the vendor's console.

use anyhow::{Context, Result};

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
