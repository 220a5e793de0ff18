//! Runs the conformance suite of stores.

use async_trait::async_trait;
use planton_core::store::conformance::{self, Gap, Sabotage, Sabotaged};
use planton_core::store::{
    NameRules, NativeVersionId, PayloadEncoding, PutOptions, RemoteName, SecretStore,
    StoreCapability,
};
use planton_vendors::azure::AzureKeyVaultStore;
use serde_json::json;
use xtask::reader;
use xtask::tools::Tools;

use super::support::Place;
use test_support::reading::{Recorded, leave_sealed};

/// The cases that Key Vault does not support.
const KEEPS_NAMES: (&str, Gap) = (
    "put_after_delete_gives_a_new_native_id",
    Gap::KeepsDeletedNames,
);
const NO_VERSION: [(&str, Gap); 2] = [
    (
        "get_deleted_version_is_not_found_never_empty",
        Gap::DeletesNoVersion,
    ),
    ("describe_deleted_version_is_missing", Gap::DeletesNoVersion),
];
const NO_DRIFT: [(&str, Gap); 5] = [
    (
        "get_removed_version_is_not_found",
        Gap::NobodyRemovesOneVersion,
    ),
    (
        "get_replaced_version_is_corrupt_or_not_found",
        Gap::NobodyReplacesAVersion,
    ),
    (
        "describe_removed_version_is_missing",
        Gap::NobodyRemovesOneVersion,
    ),
    (
        "describe_replaced_version_is_not_present",
        Gap::NobodyReplacesAVersion,
    ),
    (
        "delete_of_what_was_removed_succeeds",
        Gap::NobodyRemovesOneVersion,
    ),
];

/// Another principal with rights on the vault.
struct Intruder<'a>(&'a Place);

#[async_trait]
impl Sabotage for Intruder<'_> {
    /// Key Vault cannot delete a single version.
    async fn remove_version(&self, _: &RemoteName, _: &NativeVersionId) -> Sabotaged {
        Sabotaged::Impossible
    }

    async fn remove_object(&self, name: &RemoteName, _: &[NativeVersionId]) {
        self.0.fake.remove_secret(name.as_str()).unwrap();
    }

    /// Key Vault cannot change the value of a version.
    async fn replace_version(&self, _: &RemoteName, _: &NativeVersionId, _: &[u8]) -> Sabotaged {
        Sabotaged::Impossible
    }
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite_within_set_get_list_and_delete() {
    // Tests that need further permissions request them.
    let place = Place::new();
    let store = Recorded::new(place.store());
    let gaps = conformance::run_all(&store, "run").await.unwrap();
    assert_eq!(gaps.all(), [KEEPS_NAMES, NO_VERSION[0], NO_VERSION[1]]);

    let sealed = leave_sealed(&store, "run").await;
    let reading = reader::read(&Tools::locate().unwrap(), &place.as_a_person()).unwrap();
    let mark = "managed-by=terraform-provider-planton".to_owned();
    let about = |_: &RemoteName, put: &PutOptions| {
        vec![
            mark.clone(),
            "planton-organization=acme".to_owned(),
            "planton-environment=prod".to_owned(),
            "planton-secret=db".to_owned(),
            format!("planton-id={}", put.labels["planton-id"]),
            "planton-version=1".to_owned(),
            format!("planton-attempt={}", put.attempt.simple()),
            "application/vnd.planton.sealed".to_owned(),
        ]
    };
    sealed.expect_among(&store, &reading, about).await;
    for object in &reading.objects {
        assert!(object.about.contains(&mark), "{object:?}");
    }

    let gaps = conformance::run_drift(&store, &Intruder(&place), "drift").await;
    assert_eq!(gaps.unwrap().all(), NO_DRIFT);
    let requests = place.fake.requests().unwrap();
    let denied: Vec<_> = requests.iter().filter(|r| r.status == 403).collect();
    assert!(denied.is_empty(), "{denied:?}");
}

#[tokio::test]
async fn the_store_passes_where_deletions_take_their_time_and_lists_of_nothing_are_empty() {
    let place = Place::new();
    place
        .fake
        .control(&json!({"deletion_polls": 2, "absent_versions": 200}))
        .unwrap();
    place.fake.grant(&["purge"]).unwrap();
    for purge in [false, true] {
        let store = place.store_with(&json!({"purge_on_destroy": purge}));
        let prefix = if purge { "purge" } else { "keep" };
        let gaps = conformance::run_all(&store, prefix).await.unwrap();
        // A put without a kept name reads nothing first.
        let anew = (
            "put_of_a_further_version_makes_no_object",
            Gap::MakesObjectsAnew,
        );
        let names = &[if purge { anew } else { KEEPS_NAMES }][..];
        assert_eq!(gaps.all(), [names, &NO_VERSION].concat());
        let drift = format!("{prefix}-drift");
        let gaps = conformance::run_drift(&store, &Intruder(&place), &drift).await;
        assert_eq!(gaps.unwrap().all(), NO_DRIFT);
    }
}

/// <https://learn.microsoft.com/azure/key-vault/secrets/about-secrets>,
/// <https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates>
#[test]
fn the_capability_says_what_key_vault_takes_and_cannot_do() {
    let capability = StoreCapability {
        kind: "azure_key_vault",
        vendor: "Azure Key Vault",
        encoding: PayloadEncoding::Text,
        // Microsoft documents 25 KB without a definition of KB.
        max_payload_bytes: 25_000,
        name: NameRules {
            separator: "--",
            max_bytes: 127,
        },
        max_versions: None,
        deletes_versions: false,
    };
    assert_eq!(AzureKeyVaultStore::capability_of(), capability);
    let store = Place::new().store();
    assert_eq!(*store.capability(), capability);
}
