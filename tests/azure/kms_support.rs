//! A key in a fake vault, and the administrator's requests.

use std::time::{Duration, Instant};

use planton_core::kek::KekSettings;
use planton_core::store::StoreCredential;
use planton_vendors::KekConnector;
use planton_vendors::http::OperationContext;
use serde_json::{Value, json};
use test_support::keys::Declared;
use xtask::azure::AzureFake;

use super::support::Place;

/// A vault with the RSA key `planton`.
pub(crate) struct KeyPlace {
    pub(crate) place: Place,
}

impl KeyPlace {
    pub(crate) fn new() -> Self {
        let place = Self {
            place: Place::new(),
        };
        place.create("planton", &json!({"kty": "RSA"}));
        place
    }

    /// Creates a key, or a further version of it, and returns its address.
    pub(crate) fn create(&self, name: &str, key: &Value) -> String {
        let path = format!("keys/{name}/create");
        let made = self.place.fake.key("POST", &path, key).unwrap();
        made["key"]["kid"].as_str().unwrap().to_owned()
    }

    pub(crate) fn rotate(&self) {
        let fake = &self.place.fake;
        fake.key("POST", "keys/planton/rotate", &json!({})).unwrap();
    }

    /// Changes the attributes or the operations of a version.
    pub(crate) fn update(&self, kid: &str, changes: &Value) {
        let (_, path) = kid.split_once("/keys/").unwrap();
        let path = format!("keys/{path}");
        self.place.fake.key("PATCH", &path, changes).unwrap();
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/keys/{name}", self.place.fake.vault_url())
    }

    pub(crate) fn declared(&self) -> Declared {
        self.declared_with(json!({}))
    }

    /// Returns the key with some settings changed.
    pub(crate) fn declared_with(&self, changes: Value) -> Declared {
        Declared {
            connector: KekConnector::new(self.place.http()),
            settings: self.settings(changes),
            credential: self.credential(),
        }
    }

    pub(crate) fn credential(&self) -> StoreCredential {
        [("client_secret".to_owned(), self.place.secret.value().into())].into()
    }

    pub(crate) fn settings(&self, changes: Value) -> KekSettings {
        let mut configuration = json!({
            "key_url": self.url("planton"),
            "authority_host": self.place.fake.vault_url(),
            "tenant_id": AzureFake::TENANT,
            "client_id": AzureFake::CLIENT,
        });
        for (name, value) in changes.as_object().unwrap() {
            configuration[name] = value.clone();
        }
        KekSettings {
            kind: "azure_key_vault_key".to_owned(),
            configuration: serde_json::from_value(configuration).unwrap(),
        }
    }

    /// Denies exactly these permissions.
    pub(crate) fn deny(&self, permissions: &[&str]) {
        let denied = permissions.iter().map(|name| (*name, "ForbiddenByRbac"));
        let denied: std::collections::BTreeMap<_, _> = denied.collect();
        self.place.fake.control(&json!({"deny": denied})).unwrap();
    }

    /// Returns the last part of the path of each request to the vault, with its status.
    pub(crate) fn requests(&self) -> Vec<(String, u16)> {
        let requests = self.place.fake.requests().unwrap().into_iter();
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        requests
            .map(|request| (last(&request.path), request.status))
            .collect()
    }
}

pub(crate) fn within(time: Duration) -> OperationContext {
    OperationContext {
        deadline: Some(Instant::now() + time),
        ..OperationContext::default()
    }
}

/// Returns the version in the address of a key's version.
pub(crate) fn version(kid: &str) -> String {
    kid.rsplit('/').next().unwrap().to_owned()
}
