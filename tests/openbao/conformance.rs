//! Runs the conformance suites of stores and catalogs on OpenBAO.

use async_trait::async_trait;
use planton_core::catalog::conformance as catalog;
use planton_core::store::conformance::{self, Sabotage, Sabotaged};
use planton_core::store::{
    NameRules, NativeVersionId, PayloadEncoding, RemoteName, SecretStore, StoreCapability,
};
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::client::{KvV2, PolicyRole};
use serde_json::json;

use super::own_conformance::expect_ciphertext_only;
use super::support::Place;
use test_support::reading::Recorded;

/// Another principal with rights on the mount.
pub(crate) struct Intruder(pub(crate) KvV2);

/// Returns the path of a version inside the KV mount.
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

    async fn remove_object(&self, name: &RemoteName, versions: &[NativeVersionId]) {
        for version in versions {
            self.0.delete_metadata(&path(name, version)).await.unwrap();
        }
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
    let store = Recorded::new(OpenBaoStore::platform(&client, &place.scope));
    let gaps = conformance::run_all(&store, "platform").await.unwrap();
    // Each version has its own path, so there is no object that could be missing.
    let anew = (
        "put_of_a_further_version_makes_no_object",
        conformance::Gap::MakesObjectsAnew,
    );
    assert_eq!(gaps.all(), [anew]);
    expect_ciphertext_only(&place, None, &store, "platform").await;
    let intruder = Intruder(client.kv());
    let gaps = conformance::run_drift(&store, &intruder, "platform-drift").await;
    assert_eq!(gaps.unwrap().all(), []);
    assert_eq!(*store.capability(), capability("platform", "OpenBAO"));
}

/// The provider's own limits. KV accepts about 1 MiB, and longer names than any other
/// backend. <https://openbao.org/docs/internals/limits/>
pub(crate) fn capability(kind: &'static str, vendor: &'static str) -> StoreCapability {
    StoreCapability {
        kind,
        vendor,
        encoding: PayloadEncoding::Text,
        max_payload_bytes: 65_536,
        name: NameRules {
            separator: "/",
            max_bytes: 512,
        },
        max_versions: None,
        deletes_versions: true,
    }
}

#[tokio::test]
async fn the_catalog_passes_the_conformance_suite() {
    let place = Place::new().await;
    let client = place.client();
    let store = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Apply);
    catalog::run_all(&store, "run").await;
}
