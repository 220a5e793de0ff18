//! The suite that every store passes.

use async_trait::async_trait;
use serde_json::json;
use terraform_provider_planton::store::conformance::{self, Sabotage, Sabotaged};
use terraform_provider_planton::store::{NativeVersionId, RemoteName};

use super::support::Place;

/// Somebody else with rights in the account.
struct Intruder(Place);

#[async_trait]
impl Sabotage for Intruder {
    /// AWS deletes no version, but whoever takes its labels lets AWS do so: its
    /// own with one put, and the one that says "previous" with another.
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        let label = version.as_str().split(':').nth(1).unwrap();
        for _ in 0..2 {
            let label = format!("planton-{label}");
            self.0.intrude(name, &[&label, "AWSCURRENT"]).await;
        }
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, _: &[NativeVersionId]) -> Sabotaged {
        self.0.remove(name).await;
        Sabotaged::Done
    }

    /// Versions are immutable. A whole secret that was replaced is another test.
    async fn replace_version(&self, _: &RemoteName, _: &NativeVersionId, _: &[u8]) -> Sabotaged {
        Sabotaged::Impossible
    }
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite() {
    let place = Place::new().await;
    let prefix = &place.unique[..8];
    let kept = place.store();
    conformance::run_all(&kept, &format!("{prefix}-kept"))
        .await
        .unwrap();
    let gone = place.store_with(json!({"recovery_window_days": 0}));
    conformance::run_all(&gone, &format!("{prefix}-gone"))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_store_passes_the_drift_suite() {
    let place = Place::new().await;
    let (store, prefix) = (place.store(), format!("{}-drift", &place.unique[..8]));
    let intruder = Intruder(place);
    conformance::run_drift(&store, &intruder, &prefix)
        .await
        .unwrap();
}
