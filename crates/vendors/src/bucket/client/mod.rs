//! The client of one bucket: `object_store` over the HTTP client of this project.
//!
//! The crate signs, encodes and parses. Retries, deadlines, TLS and counters are those of
//! [`crate::http`], and every answer is classified by [`fault`]: see docs/adr/0022.

mod credentials;
mod exchange;
mod fault;
mod http_service;
mod open;
mod own_requests;
mod requests;

#[cfg(test)]
pub(super) mod scripted;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::OnceCell;

pub(super) use fault::{Fault, FaultKind, Response};
use open::OpenBucket;
pub(super) use own_requests::FoundConfiguration;
pub(super) use requests::{Condition, Listed, ListedPage, Tag, Write};

use super::advice::Observations;
use super::settings::BucketSettings;
use crate::http::{HttpClient, HttpSettings};

/// A client of one bucket. Clones share connections, credentials and counters.
#[derive(Clone, Debug)]
pub(super) struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: BucketSettings,
    http: HttpClient,
    http_settings: HttpSettings,
    opened: OnceCell<OpenBucket>,
    observations: Observations,
}

impl Client {
    /// Creates a client over `http`, which was built from `http_settings`. No I/O.
    pub(super) fn new(
        settings: BucketSettings,
        http: HttpClient,
        http_settings: HttpSettings,
    ) -> Self {
        Self(Arc::new(Inner {
            settings,
            http,
            http_settings,
            opened: OnceCell::new(),
            observations: Observations::default(),
        }))
    }

    /// Returns the settings.
    pub(super) fn settings(&self) -> &BucketSettings {
        &self.0.settings
    }

    /// Returns the HTTP client.
    #[cfg(test)]
    pub(super) fn http(&self) -> &HttpClient {
        &self.0.http
    }

    /// Returns the policy for the repetition of requests.
    pub(super) fn retry(&self) -> &crate::http::RetryPolicy {
        &self.0.http_settings.retry
    }

    /// Returns what answers have shown of the bucket's configuration.
    pub(super) fn observations(&self) -> &Observations {
        &self.0.observations
    }

    /// Returns the bucket, whose credential chain and Region are resolved at first use.
    async fn opened(&self) -> Result<&OpenBucket, Fault> {
        let inner = &self.0;
        let open = || OpenBucket::open(&inner.settings, &inner.http, &inner.http_settings);
        inner.opened.get_or_try_init(open).await
    }
}
