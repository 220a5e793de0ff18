//! A fake for each test, and stores that use it.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use planton_core::store::{
    Absence, DescribeOptions, NativeVersionId, PutOptions, RemoteName, StoreCredential, StoreError,
    StoreSettings,
};
use planton_vendors::azure::{AzureConfig, AzureKeyVaultStore};
use planton_vendors::http::{HttpSettings, Proxies, RetryPolicy, Roots};
use serde_json::{Value, json};
use uuid::Uuid;
use xtask::azure::{AzureFake, AzureFakeOptions};
use xtask::canary::Canary;
use xtask::tools::Tools;

pub(crate) const PAYLOAD: &[u8] = b"pse1.UFNFMQ";

/// A vault, and the secret that opens it.
pub(crate) struct Place {
    pub(crate) fake: AzureFake,
    pub(crate) secret: Canary,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut AzureFakeOptions)) -> Self {
        let secret = Canary::new("the client secret");
        let mut options = AzureFakeOptions {
            client_secret: secret.value().to_owned(),
            ..AzureFakeOptions::default()
        };
        change(&mut options);
        let fake = AzureFake::start(&Tools::locate().unwrap(), options).unwrap();
        Self { fake, secret }
    }

    /// Returns the settings of a record that uses the application.
    pub(crate) fn configuration(&self) -> Value {
        json!({
            "vault_url": self.fake.vault_url(),
            "authority_host": self.fake.vault_url(),
            "tenant_id": AzureFake::TENANT,
            "client_id": AzureFake::CLIENT,
        })
    }

    /// Returns the arguments that make the vendor's own client act as another principal.
    pub(crate) fn as_a_person(&self) -> Value {
        json!({
            "vendor": "azure",
            "vault": self.fake.vault_url(),
            "authority": self.fake.vault_url(),
            "tenant": AzureFake::TENANT,
            "client": AzureFake::CLIENT,
            "secret": self.secret.value(),
            "ca_file": self.fake.ca_file(),
        })
    }

    pub(crate) fn store(&self) -> AzureKeyVaultStore {
        self.store_with(&json!({}))
    }

    /// Returns a store with some settings changed.
    pub(crate) fn store_with(&self, changes: &Value) -> AzureKeyVaultStore {
        self.store_with_secret(changes, self.secret.value())
    }

    pub(crate) fn store_with_secret(&self, changes: &Value, secret: &str) -> AzureKeyVaultStore {
        let mut configuration = self.configuration();
        for (name, value) in changes.as_object().unwrap() {
            configuration[name] = value.clone();
        }
        let credential = StoreCredential::from([("client_secret".to_owned(), secret.into())]);
        open(&configuration, &credential, self.http()).unwrap()
    }

    /// Returns settings that trust the fake only.
    pub(crate) fn http(&self) -> HttpSettings {
        HttpSettings {
            roots: Roots::Pem(self.fake.ca_pem().unwrap()),
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

    /// Returns the number of a secret's versions.
    pub(crate) fn versions(&self, name: &RemoteName) -> usize {
        let state = self.fake.state().unwrap();
        let versions = &state["secrets"][name.as_str().to_lowercase()];
        versions.as_array().map_or(0, Vec::len)
    }

    /// Checks an error's text with all sources, and that no secret is in it.
    pub(crate) fn assert_clean(&self, error: &StoreError) {
        let mut text = format!("{error} {error:?}");
        let mut source = error.source();
        while let Some(beneath) = source {
            text = format!("{text} {beneath} {beneath:?}");
            source = beneath.source();
        }
        self.secret
            .absent_from("an error", text.as_bytes())
            .unwrap();
        assert!(!text.contains("fake-"), "a token is in an error: {text}");
        assert!(!text.contains("pse1."), "a payload is in an error: {text}");
    }
}

pub(crate) fn open(
    configuration: &Value,
    credential: &StoreCredential,
    http: HttpSettings,
) -> Result<AzureKeyVaultStore, StoreError> {
    let config = AzureConfig::from_settings(&StoreSettings {
        kind: "azure_key_vault".to_owned(),
        name_prefix: "planton".to_owned(),
        configuration: serde_json::from_value(configuration.clone()).unwrap(),
    })?;
    AzureKeyVaultStore::new(config, credential, http)
}

pub(crate) fn name(last: &str) -> RemoteName {
    RemoteName::new(format!("planton--acme--org--{last}"))
}

pub(crate) fn first() -> PutOptions {
    PutOptions {
        version: 1,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

pub(crate) fn next(keep: &[&NativeVersionId]) -> PutOptions {
    PutOptions {
        version: 1 + keep.len() as u64,
        keep: keep.iter().copied().cloned().collect(),
        ..first()
    }
}

pub(crate) fn about(version: &NativeVersionId) -> DescribeOptions {
    DescribeOptions {
        version: version.clone(),
        others: Vec::new(),
        absence: Absence::Quick,
    }
}

/// Collects the provider's own log events. `protocol::log` drops those of other crates.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<String>>);

impl Events {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Fields<'a>(&'a mut String);
        impl tracing::field::Visit for Fields<'_> {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!(" {field}={value:?}"));
            }
        }
        if event.metadata().target().starts_with("planton_") {
            let mut text = self.0.lock().unwrap();
            event.record(&mut Fields(&mut text));
            text.push('\n');
        }
    }
}
