//! Runs the fault suite against GCP Secret Manager. `auth.rs` tests expired tokens.

use async_trait::async_trait;
use planton_core::store::RemoteName;
use planton_vendors::gcp::{GcpConfig, GcpSecretManagerStore, read_credential};
use planton_vendors::http::HttpSettings;
use serde_json::json;
use xtask::faults::{FaultProxy, Match, ProxyOptions};

use super::support::{self, Place};
use test_support::store_faults::{self, Bench, CountVersions, Requests, Step};

/// Counts the versions that are not destroyed.
struct Enabled<'a>(&'a Place);

#[async_trait]
impl CountVersions for Enabled<'_> {
    async fn count(&self, name: &RemoteName) -> usize {
        let path = format!("projects/acme/secrets/{name}/versions");
        let (status, answer) = self.0.fake.call("GET", &path, &json!({})).unwrap();
        if status == 404 {
            return 0;
        }
        assert_eq!(status, 200, "{answer}");
        let versions = answer["versions"].as_array().unwrap().iter();
        versions
            .filter(|version| version["state"] == "ENABLED")
            .count()
    }
}

fn store(place: &Place, proxy: &FaultProxy, settings: HttpSettings) -> GcpSecretManagerStore {
    let settings_of = place.settings(json!({"endpoint": proxy.address()}));
    let config = GcpConfig::from_settings(&settings_of).unwrap();
    let credential = read_credential(&support::credential(&place.key_file)).unwrap();
    GcpSecretManagerStore::new(config, credential, settings).unwrap()
}

/// Returns the request of each verb.
fn requests() -> Requests {
    let of = |method, part| Match::method(method).and(Match::path(part));
    Requests {
        put: vec![
            // The name is taken, so the store reads its owner and looks for our version.
            Step {
                after_lost: 2,
                ..Step::new(of("POST", "/secrets?secretId="))
            },
            // The number is not the next one, so the store lists and reads the versions
            // between, and destroys the duplicate.
            Step {
                after_lost: 3,
                ..Step::new(of("POST", ":addVersion"))
            },
        ],
        get: Step::new(of("GET", ":access")),
        describe: Step::new(of("GET", ":access")),
        delete: Step::new(of("DELETE", "/secrets/")),
    }
}

#[tokio::test]
async fn the_store_passes_the_fault_suite() {
    let place = Place::new();
    let proxy = FaultProxy::start(&ProxyOptions::to(place.fake.address())).unwrap();
    let bench = Bench {
        proxy: &proxy,
        store: &store(&place, &proxy, store_faults::patient(support::hasty())),
        hasty: &store(&place, &proxy, store_faults::hasty(support::hasty())),
        direct: &place.store(),
        versions: &Enabled(&place),
        requests: requests(),
        // A put may take effect after the store has looked for it.
        spares: 1,
        prefix: "planton_faults".to_owned(),
    };
    store_faults::run_all(&bench).await;
}
