//! A platform in a bucket of Amazon S3, Google Cloud Storage or Azure Blob Storage.
//!
//! Records are written with a condition on the ETag or the generation, and sealed versions
//! as immutable objects. See docs/adr/0022.

mod advice;
mod catalog;
mod client;
mod conditional;
mod configuration;
mod errors;
mod fields;
mod location;
mod marks;
mod organizations;
mod policy;
mod probe;
mod settings;
mod store;

pub use advice::Advice;
pub use catalog::BucketCatalog;
pub use fields::{BUCKET_FIELDS, example_urls};
pub use location::{BucketLocation, BucketVendor, InvalidLocation};
pub use organizations::{FoundRecord, SearchedRecords};
pub use settings::{BucketProblem, BucketSettings};
pub use store::BucketStore;

use client::Client;

#[cfg(test)]
use crate::http::RequestCounter;
use crate::http::{HttpClient, HttpSettings, Proxies, Roots};
use planton_core::catalog::CatalogError;
use planton_core::names::Slug;

/// The client of a bucket. Clones share connections, credentials and counters.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
}

impl Bucket {
    /// Opens a bucket. Sends no request: the credential chain runs at first use.
    ///
    /// # Errors
    ///
    /// [`BucketProblem`] if the HTTP client cannot be built, such as without the system's
    /// certificates.
    pub fn open(settings: &BucketSettings, mut http: HttpSettings) -> Result<Self, BucketProblem> {
        if let Some(endpoint) = &settings.endpoint {
            if endpoint.is_loopback() {
                // A token for this machine must not pass a proxy.
                http.proxies = Proxies::Ignored;
            }
            // Without TLS no roots are needed, and loading the system's roots is slow.
            let is_plain = !endpoint.is_encrypted() && !settings.access.uses_tls();
            if is_plain && matches!(http.roots, Roots::Platform) {
                http.roots = Roots::Nobody;
            }
        }
        let client = HttpClient::new(&http)
            .map_err(|error| BucketProblem::new("endpoint", error.to_string()))?;
        Ok(Self {
            client: Client::new(settings.clone(), client, http),
        })
    }

    /// Returns the location.
    #[must_use]
    pub fn location(&self) -> &BucketLocation {
        self.client.settings().location()
    }

    /// Checks with parallel writes that the conditions of writes hold, and removes what it
    /// wrote. Beside it, reads the configuration for the [`advice`](Self::advice). A caller probes a bucket at the first use of an organization only.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if more than one of several writers wins, or if the store drops
    /// metadata; otherwise as the writes fail.
    pub async fn probe(&self, organization: &Slug) -> Result<(), CatalogError> {
        probe::probe(&self.client, organization).await
    }

    /// Returns what the answers so far have shown of the bucket's versioning, lifecycle rules,
    /// archive tiers and soft delete. Sends no request.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        self.client.observations().advice(self.location())
    }

    /// Returns the advice once, if this process has probed the bucket.
    #[must_use]
    pub fn advice_of_probe(&self) -> Vec<Advice> {
        match self.client.observations().is_due() {
            true => self.advice(),
            false => Vec::new(),
        }
    }

    /// Returns the counter of all requests, including those for tokens.
    #[cfg(test)]
    fn requests(&self) -> RequestCounter {
        self.client.http().requests().clone()
    }
}
