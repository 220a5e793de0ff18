//! Runs the conformance suite of stores.

use async_trait::async_trait;
use planton_core::store::conformance::{self, Gap, Sabotage, Sabotaged};
use planton_core::store::{
    NameRules, NativeVersionId, PayloadEncoding, PutOptions, RemoteName, StoreCapability,
};
use planton_vendors::gcp::GcpSecretManagerStore;
use serde_json::json;
use xtask::reader;
use xtask::tools::Tools;

use super::support::{Place, number};
use test_support::reading::{Recorded, leave_sealed};

/// Another principal with rights in the project.
struct Intruder(Place);

#[async_trait]
impl Sabotage for Intruder {
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        let path = format!("/{name}/versions/{}:destroy", number(version));
        self.0.ok("POST", &path, &json!({}));
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, _: &[NativeVersionId]) {
        self.0.ok("DELETE", &format!("/{name}"), &json!({}));
    }

    /// A version never changes. Only a whole secret can be created again, which
    /// `store::a_secret_that_was_made_anew_is_told_from_ours` tests.
    async fn replace_version(&self, _: &RemoteName, _: &NativeVersionId, _: &[u8]) -> Sabotaged {
        Sabotaged::Impossible
    }
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite() {
    let place = Place::new();
    let store = Recorded::new(place.store());
    let gaps = conformance::run_all(&store, "all").await.unwrap();
    assert_eq!(gaps.all(), [], "it lacks nothing");

    let sealed = leave_sealed(&store, "all").await;
    let request = json!({
        "vendor": "gcp",
        "project": "acme",
        "endpoint": place.fake.address(),
        "token": place.fake.token().unwrap(),
    });
    let reading = reader::read(&Tools::locate().unwrap(), &request).unwrap();
    let mark = "managed-by=terraform-provider-planton".to_owned();
    let about = |_: &RemoteName, put: &PutOptions| {
        vec![
            mark.clone(),
            "planton-organization=acme".to_owned(),
            "planton-environment=prod".to_owned(),
            "planton-secret=db".to_owned(),
            format!("planton-id={}", put.labels["planton-id"]),
            // An annotation by which the store recognizes a put with a lost response.
            format!("planton-attempt={}", put.attempt),
        ]
    };
    sealed.expect_among(&store, &reading, about).await;
    for object in &reading.objects {
        assert!(object.about.contains(&mark), "{object:?}");
    }
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite_of_drift() {
    let place = Place::new();
    let store = place.store();
    let intruder = Intruder(place);
    let gaps = conformance::run_drift(&store, &intruder, "drift").await;
    let immutable = |function| (function, Gap::NobodyReplacesAVersion);
    assert_eq!(
        gaps.unwrap().all(),
        [
            immutable("get_replaced_version_is_corrupt_or_not_found"),
            immutable("describe_replaced_version_is_not_present"),
        ]
    );
}

/// <https://cloud.google.com/secret-manager/quotas>
#[test]
fn the_capability_says_what_secret_manager_takes() {
    let capability = StoreCapability {
        kind: "gcp_secret_manager",
        vendor: "GCP Secret Manager",
        encoding: PayloadEncoding::Binary,
        max_payload_bytes: 65_536,
        name: NameRules {
            separator: "_",
            max_bytes: 255,
        },
        // Google documents no limit.
        max_versions: None,
        deletes_versions: true,
    };
    assert_eq!(GcpSecretManagerStore::capability_of(), capability);
}
