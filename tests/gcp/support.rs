//! A fake for each test, and functions that inspect it.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::LazyLock;
use std::time::Duration;

use planton_core::store::{
    Absence, DescribeOptions, NativeVersionId, PutOptions, RemoteName, StoreCredential, StoreError,
    StoreSettings,
};
use planton_vendors::gcp::{GcpConfig, GcpSecretManagerStore, read_credential};
use planton_vendors::http::{HttpSettings, RetryPolicy};
use serde_json::{Value, json};
use uuid::Uuid;
use xtask::gcp::GcpFake;
use xtask::tools::Tools;

pub(crate) const PAYLOAD: &[u8] = b"PSE1 sealed";
pub(crate) const EMAIL: &str = "ci@acme.iam.gserviceaccount.com";

/// A project on a fake of its own.
pub(crate) struct Place {
    pub(crate) fake: GcpFake,
    pub(crate) key_file: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let fake = GcpFake::start(&Tools::locate().unwrap()).unwrap();
        let key_file = fake.key_file(EMAIL).unwrap();
        Self { fake, key_file }
    }

    /// Returns a place whose resources are old.
    pub(crate) fn settled() -> Self {
        let place = Self::new();
        let hour = Duration::from_secs(3600);
        place.fake.set_clock_behind(hour).unwrap();
        place
    }

    pub(crate) fn store(&self) -> GcpSecretManagerStore {
        self.store_with(json!({}))
    }

    pub(crate) fn store_with(&self, more: Value) -> GcpSecretManagerStore {
        let credential = credential(&self.key_file);
        open(&self.settings(more), &credential).unwrap()
    }

    pub(crate) fn settings(&self, more: Value) -> StoreSettings {
        let mut configuration = json!({"project_id": "acme", "endpoint": self.fake.address()});
        for (name, value) in more.as_object().unwrap() {
            configuration[name] = value.clone();
        }
        StoreSettings {
            kind: "gcp_secret_manager".to_owned(),
            name_prefix: "planton".to_owned(),
            configuration: serde_json::from_value(configuration).unwrap(),
        }
    }

    /// Acts as a person with the console.
    pub(crate) fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("projects/acme/secrets{path}");
        let (status, answer) = self.fake.call(method, &path, body).unwrap();
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    pub(crate) fn versions(&self) -> Vec<(u64, String)> {
        let path = format!("/{}/versions", name());
        let answer = self.ok("GET", &path, &json!({}));
        let versions = answer["versions"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        versions
            .map(|version| {
                let name = text(&version["name"]);
                let (_, number) = name.rsplit_once('/').unwrap();
                (number.parse().unwrap(), text(&version["state"]))
            })
            .collect()
    }
}

pub(crate) fn open(
    settings: &StoreSettings,
    credential: &StoreCredential,
) -> Result<GcpSecretManagerStore, StoreError> {
    let config = GcpConfig::from_settings(settings)?;
    GcpSecretManagerStore::new(config, read_credential(credential)?, hasty())
}

pub(crate) fn credential(key_file: &str) -> StoreCredential {
    [("service_account_key_json".to_owned(), key_file.into())].into()
}

/// Returns short timeouts, for tests that expect an outage.
pub(crate) fn hasty() -> HttpSettings {
    HttpSettings {
        retry: RetryPolicy {
            base_delay: Duration::from_millis(1),
            max_delay: Duration::from_millis(5),
            ..RetryPolicy::default()
        },
        request_log: None,
        ..HttpSettings::default()
    }
}

pub(crate) fn name() -> &'static RemoteName {
    static NAME: LazyLock<RemoteName> =
        LazyLock::new(|| RemoteName::new("planton_acme_org_db-0badcafe".to_owned()));
    &NAME
}

pub(crate) fn version(version: u64, keep: &[&NativeVersionId]) -> PutOptions {
    PutOptions {
        version,
        attempt: Uuid::new_v4(),
        keep: keep.iter().copied().cloned().collect(),
        labels: BTreeMap::new(),
    }
}

pub(crate) fn about(version: &NativeVersionId) -> DescribeOptions {
    DescribeOptions {
        version: version.clone(),
        others: Vec::new(),
        absence: Absence::Quick,
    }
}

/// Returns the result of `operation`, and its requests.
pub(crate) async fn counted<T>(
    store: &GcpSecretManagerStore,
    operation: impl Future<Output = T>,
) -> (T, u64) {
    let before = store.requests();
    let outcome = operation.await;
    (outcome, store.requests() - before)
}

/// Returns the version number of an identifier.
pub(crate) fn number(id: &NativeVersionId) -> u64 {
    let (number, _) = id.as_str().split_once('@').unwrap();
    number.parse().unwrap()
}

/// Returns every text of an error and its sources.
pub(crate) fn all_of(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?} {:?}", error.remedy());
    let mut source = error.source();
    while let Some(beneath) = source {
        text = format!("{text} {beneath} {beneath:?}");
        source = beneath.source();
    }
    text
}
