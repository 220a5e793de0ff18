//! The suites that every store and every catalog passes, over OpenBAO.

use async_trait::async_trait;
use serde_json::json;
use terraform_provider_planton::backends::openbao::OpenBaoStore;
use terraform_provider_planton::catalog::{OpenBaoCatalog, conformance as catalog};
use terraform_provider_planton::clients::openbao::{KvV2, PolicyRole};
use terraform_provider_planton::store::conformance::{self, Sabotage, Sabotaged};
use terraform_provider_planton::store::{NativeVersionId, RemoteName};

use super::support::Place;

/// Somebody else with rights on the mount.
pub(crate) struct Intruder(pub(crate) KvV2);

/// The path of a version inside the KV mount.
fn path(name: &RemoteName, id: &NativeVersionId) -> String {
    let (slot, _) = id.as_str().split_once('@').unwrap();
    format!("{name}/{slot}")
}

#[async_trait]
impl Sabotage for Intruder {
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        self.0.soft_delete(&path(name, version)).await.unwrap();
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, versions: &[NativeVersionId]) -> Sabotaged {
        for version in versions {
            self.0.delete_metadata(&path(name, version)).await.unwrap();
        }
        Sabotaged::Done
    }

    async fn replace_version(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
        payload: &[u8],
    ) -> Sabotaged {
        let text = std::str::from_utf8(payload).unwrap();
        let path = path(name, version);
        self.0
            .write(&path, &json!({ "envelope": text }), 1)
            .await
            .unwrap();
        Sabotaged::Done
    }
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite() {
    let place = Place::new().await;
    let client = place.client();
    let store = OpenBaoStore::platform(&client, &place.scope);
    conformance::run_all(&store, "platform").await.unwrap();
    let intruder = Intruder(client.kv());
    conformance::run_drift(&store, &intruder, "platform-drift")
        .await
        .unwrap();
}

#[tokio::test]
async fn the_catalog_passes_the_conformance_suite() {
    let place = Place::new().await;
    let client = place.client();
    let store = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Apply);
    catalog::run_all(&store, "run").await;
}
