use async_trait::async_trait;
use serde_json::json;
use terraform_provider_planton::store::conformance::{self, Sabotage, Sabotaged};
use terraform_provider_planton::store::{NativeVersionId, RemoteName, SecretStore};

use super::support::{Place, number};

/// Somebody else with rights in the project.
struct Intruder(Place);

#[async_trait]
impl Sabotage for Intruder {
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        let path = format!("/{name}/versions/{}:destroy", number(version));
        self.0.ok("POST", &path, &json!({}));
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, _: &[NativeVersionId]) -> Sabotaged {
        self.0.ok("DELETE", &format!("/{name}"), &json!({}));
        Sabotaged::Done
    }

    /// A version never changes: only a whole secret can be made anew, and
    /// `store::a_secret_that_was_made_anew_is_told_from_ours` does.
    async fn replace_version(&self, _: &RemoteName, _: &NativeVersionId, _: &[u8]) -> Sabotaged {
        Sabotaged::Impossible
    }
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite() {
    let place = Place::new();
    let store = place.store();
    conformance::run_all(&store, "all").await.unwrap();
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite_of_drift() {
    let place = Place::new();
    let store = place.store();
    let intruder = Intruder(place);
    let outcome = conformance::run_drift(&store, &intruder, "drift").await;
    outcome.unwrap();
    assert_eq!(store.capability().kind, "gcp_secret_manager");
}
