//! A key on a fake of Cloud KMS, and the administrator's requests.

use std::time::{Duration, Instant};

use planton_core::kek::KekSettings;
use planton_core::store::StoreCredential;
use planton_vendors::KekConnector;
use planton_vendors::http::OperationContext;
use serde_json::{Value, json};
use test_support::keys::Declared;

use super::support::{Place, credential, hasty};

pub(crate) const RING: &str = "projects/acme/locations/europe-west3/keyRings/planton";

/// A fake with the key `secrets`.
pub(crate) struct KmsPlace {
    pub(crate) place: Place,
}

impl KmsPlace {
    pub(crate) fn new() -> Self {
        let empty = Self {
            place: Place::new(),
        };
        let rings = RING.rsplit_once('/').unwrap().0;
        empty.ok("POST", &format!("{rings}?keyRingId=planton"), &json!({}));
        empty.create_key("secrets", &json!({"purpose": "ENCRYPT_DECRYPT"}));
        empty
    }

    pub(crate) fn name() -> String {
        format!("{RING}/cryptoKeys/secrets")
    }

    pub(crate) fn create_key(&self, id: &str, key: &Value) {
        let path = format!("{RING}/cryptoKeys?cryptoKeyId={id}");
        self.ok("POST", &path, key);
    }

    /// Creates a key in a ring of another project, with the location and name of the ring.
    pub(crate) fn create_key_in(&self, project: &str, id: &str) {
        let ring = RING.replace("projects/acme", &format!("projects/{project}"));
        let rings = ring.rsplit_once('/').unwrap().0;
        self.ok("POST", &format!("{rings}?keyRingId=planton"), &json!({}));
        let path = format!("{ring}/cryptoKeys?cryptoKeyId={id}");
        self.ok("POST", &path, &json!({"purpose": "ENCRYPT_DECRYPT"}));
    }

    /// Acts as the administrator of the keys.
    pub(crate) fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.place.fake.call(method, path, body).unwrap();
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// Gives the key a new primary version.
    pub(crate) fn rotate(&self) {
        let name = Self::name();
        let made = self.ok("POST", &format!("{name}/cryptoKeyVersions"), &json!({}));
        let number = made["name"].as_str().unwrap().rsplit('/').next().unwrap();
        let body = json!({"cryptoKeyVersionId": number});
        self.ok("POST", &format!("{name}:updatePrimaryVersion"), &body);
    }

    pub(crate) fn set_state(&self, version: u64, state: &str) {
        let version = format!("{}/cryptoKeyVersions/{version}", Self::name());
        match state {
            "ENABLED" | "DISABLED" => {
                let path = format!("{version}?updateMask=state");
                self.ok("PATCH", &path, &json!({"state": state}));
            }
            "DESTROY_SCHEDULED" => {
                self.ok("POST", &format!("{version}:destroy"), &json!({}));
            }
            other => panic!("{other}"),
        }
    }

    pub(crate) fn restore(&self, version: u64) {
        let path = format!("{}/cryptoKeyVersions/{version}:restore", Self::name());
        self.ok("POST", &path, &json!({}));
        self.set_state(version, "ENABLED");
    }

    pub(crate) fn declared(&self) -> Declared {
        self.declared_with(json!({}))
    }

    /// Returns the key with some settings changed.
    pub(crate) fn declared_with(&self, changes: Value) -> Declared {
        Declared {
            connector: KekConnector::new(hasty()),
            settings: self.settings(changes),
            credential: self.credential(),
        }
    }

    pub(crate) fn credential(&self) -> StoreCredential {
        credential(&self.place.key_file)
    }

    pub(crate) fn settings(&self, changes: Value) -> KekSettings {
        let address = self.place.fake.address();
        let mut configuration = json!({"key_name": Self::name(), "endpoint": address});
        for (name, value) in changes.as_object().unwrap() {
            configuration[name] = value.clone();
        }
        KekSettings {
            kind: "gcp_kms".to_owned(),
            configuration: serde_json::from_value(configuration).unwrap(),
        }
    }

    /// Returns the operations since the last `from` ones of the provider's account.
    pub(crate) fn operations(&self) -> Vec<String> {
        let requests = self.place.fake.requests().unwrap();
        let ours = requests
            .into_iter()
            .filter(|(_, who)| who == super::support::EMAIL);
        ours.map(|(operation, _)| operation).collect()
    }
}

pub(crate) fn within(time: Duration) -> OperationContext {
    OperationContext {
        deadline: Some(Instant::now() + time),
        ..OperationContext::default()
    }
}
