//! The suite that every store passes.

use async_trait::async_trait;
use serde_json::json;
use terraform_provider_planton::backends::azure::AzureKeyVaultStore;
use terraform_provider_planton::store::conformance::{self, Sabotage, Sabotaged};
use terraform_provider_planton::store::{
    NativeVersionId, PayloadEncoding, RemoteName, SecretStore,
};

use super::support::Place;

/// Somebody else with rights on the vault.
struct Intruder<'a>(&'a Place);

#[async_trait]
impl Sabotage for Intruder<'_> {
    /// Key Vault deletes no single version.
    async fn remove_version(&self, _: &RemoteName, _: &NativeVersionId) -> Sabotaged {
        Sabotaged::Impossible
    }

    async fn remove_object(&self, name: &RemoteName, _: &[NativeVersionId]) -> Sabotaged {
        self.0.fake.remove_secret(name.as_str()).unwrap();
        Sabotaged::Done
    }

    /// Key Vault changes no value of a version.
    async fn replace_version(&self, _: &RemoteName, _: &NativeVersionId, _: &[u8]) -> Sabotaged {
        Sabotaged::Impossible
    }
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite() {
    let place = Place::new();
    let store = place.store();
    conformance::run_all(&store, "run").await.unwrap();
    conformance::run_drift(&store, &Intruder(&place), "drift")
        .await
        .unwrap();
}

#[tokio::test]
async fn the_store_passes_where_deletions_take_their_time_and_lists_of_nothing_are_empty() {
    let place = Place::new();
    place
        .fake
        .control(&json!({"deletion_polls": 2, "absent_versions": 200}))
        .unwrap();
    for purge in [false, true] {
        let store = place.store_with(&json!({"purge_on_destroy": purge}));
        let prefix = if purge { "purge" } else { "keep" };
        conformance::run_all(&store, prefix).await.unwrap();
        conformance::run_drift(&store, &Intruder(&place), &format!("{prefix}-drift"))
            .await
            .unwrap();
    }
}

#[test]
fn the_capability_says_what_key_vault_cannot_do() {
    let capability = AzureKeyVaultStore::capability_of();
    assert_eq!(capability.kind, "azure_key_vault");
    assert_eq!(capability.vendor, "Azure Key Vault");
    assert_eq!(capability.encoding, PayloadEncoding::Text);
    assert_eq!(capability.max_payload_bytes, 25_000);
    assert_eq!(capability.name.separator, "--");
    assert_eq!(capability.name.max_bytes, 127);
    assert_eq!(capability.max_versions, None);
    assert!(!capability.deletes_versions);
    let store = Place::new().store();
    assert_eq!(*store.capability(), capability);
}
