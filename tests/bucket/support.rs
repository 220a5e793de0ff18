//! A bucket for each test, and clients of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use planton_core::names::Slug;
use planton_vendors::bucket::{Bucket, BucketCatalog, BucketSettings, BucketStore};
use planton_vendors::http::{HttpSettings, Proxies, RetryPolicy, Roots};
use xtask::bucket::{Bucket as Way, BucketServer, BucketService};
use xtask::faults::{FaultProxy, Match, Weakness};

use super::stores::{self, Service};

/// The prefix of all keys of the tests in a bucket.
pub(crate) const PREFIX: &str = "terraform/planton";

/// A new bucket, and a way to it.
pub(crate) struct Place {
    pub(crate) way: Way<'static>,
}

impl Place {
    pub(crate) fn new(service: BucketService) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let way = BucketServer::shared(service)
            .create(&format!("state-{number}"))
            .unwrap();
        Self { way }
    }

    /// Creates a bucket that keeps versions.
    pub(crate) fn versioned_s3() -> Self {
        let server = BucketServer::shared(BucketService::S3);
        let moto = server.moto().unwrap();
        moto.create_versioned_bucket("versioned").unwrap();
        Self {
            way: server.existing("versioned").unwrap(),
        }
    }

    /// Returns a way to the same bucket through a proxy of its own.
    pub(crate) fn behind_proxy(&self) -> Self {
        let way = self.way.behind_proxy().unwrap();
        Self { way }
    }

    pub(crate) fn weakened(&self, weakness: Weakness) -> Self {
        let way = self.way.weakened(weakness).unwrap();
        Self { way }
    }

    pub(crate) fn proxy(&self) -> &FaultProxy {
        self.way.proxy().unwrap()
    }

    pub(crate) fn service(&self) -> &'static dyn Service {
        stores::of(self.way.server().service())
    }

    /// Matches writes with a condition.
    pub(crate) fn writes(&self) -> [Match; 2] {
        [self.service().creations(), self.service().updates()]
    }

    /// Opens the bucket as another process, with its own caches and connections.
    pub(crate) fn open(&self) -> Bucket {
        self.open_with(self.http())
    }

    pub(crate) fn open_with(&self, http: HttpSettings) -> Bucket {
        let configuration = self.way.configuration(PREFIX).into_iter().collect();
        let (secret, value) = self.way.credential();
        let credential = [(secret.to_owned(), value.as_str().into())].into();
        let settings = BucketSettings::read(&configuration, &credential).unwrap();
        Bucket::open(&settings, http).unwrap()
    }

    /// Returns settings that trust the servers on the way only, with short delays.
    pub(crate) fn http(&self) -> HttpSettings {
        let authorities = self.way.ca_file().map(std::fs::read_to_string);
        HttpSettings {
            roots: match authorities {
                Some(pem) => Roots::Pem(pem.unwrap()),
                None => Roots::Nobody,
            },
            proxies: Proxies::Ignored,
            retry: RetryPolicy {
                base_delay: Duration::from_millis(1),
                max_delay: Duration::from_millis(20),
                ..RetryPolicy::default()
            },
            request_log: None,
            ..HttpSettings::default()
        }
    }

    pub(crate) fn catalog(&self) -> BucketCatalog {
        BucketCatalog::new(&self.open(), organization())
    }

    pub(crate) fn store(&self) -> BucketStore {
        BucketStore::new(&self.open(), organization())
    }

    pub(crate) fn store_on(&self, bucket: &Bucket) -> BucketStore {
        BucketStore::new(bucket, organization())
    }

    pub(crate) fn store_with(&self, http: HttpSettings) -> BucketStore {
        BucketStore::new(&self.open_with(http), organization())
    }

    /// Returns the keys of all objects with `part` in their key.
    pub(crate) fn keys(&self, part: &str) -> Vec<String> {
        let objects = self.way.objects().unwrap().into_iter();
        let keys = objects.map(|(key, _)| key);
        keys.filter(|key| key.contains(part)).collect()
    }
}

pub(crate) fn organization() -> Slug {
    Slug::parse("acme").unwrap()
}
