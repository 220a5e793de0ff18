//! Runs the conformance suite of stores.

use async_trait::async_trait;
use planton_core::store::conformance::{self, Gap, Sabotage, Sabotaged};
use planton_core::store::{
    NameRules, NativeVersionId, PayloadEncoding, PutOptions, RemoteName, StoreCapability,
};
use planton_vendors::aws::AwsSecretsManagerStore;
use serde_json::json;
use xtask::reader;
use xtask::tools::Tools;

use super::support::{Place, REGION};
use test_support::reading::{Recorded, leave_sealed};

/// AWS never deletes a single version on request.
const NO_VERSION: [(&str, Gap); 2] = [
    (
        "get_deleted_version_is_not_found_never_empty",
        Gap::DeletesNoVersion,
    ),
    ("describe_deleted_version_is_missing", Gap::DeletesNoVersion),
];

/// Another principal with rights in the account.
struct Intruder(Place);

#[async_trait]
impl Sabotage for Intruder {
    /// AWS deletes a version once it has no label. One put takes our label, another takes
    /// the label "previous".
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        let label = version.as_str().split(':').nth(1).unwrap();
        for _ in 0..2 {
            let label = format!("planton-{label}");
            self.0.intrude(name, &[&label, "AWSCURRENT"]).await;
        }
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, _: &[NativeVersionId]) {
        self.0.remove(name).await;
    }

    /// Versions are immutable. A replaced secret has a test of its own.
    async fn replace_version(&self, _: &RemoteName, _: &NativeVersionId, _: &[u8]) -> Sabotaged {
        Sabotaged::Impossible
    }
}

#[tokio::test]
async fn the_store_passes_the_conformance_suite() {
    // Everything works within the policy that the guide prints.
    let place = Place::new().await;
    let prefix = format!("planton/{}", place.unique);
    // A secret keeps its name during its recovery window.
    let keeps_name = (
        "put_after_delete_gives_a_new_native_id",
        Gap::KeepsDeletedNames,
    );
    let kept = Recorded::new(place.store());
    let below = format!("{prefix}/k");
    let gaps = conformance::run_all(&kept, &below).await;
    assert_eq!(
        gaps.unwrap().all(),
        [keeps_name, NO_VERSION[0], NO_VERSION[1]]
    );
    expect_ciphertext_only(&place, &kept, &below).await;

    let gone = Recorded::new(place.store_with(json!({"recovery_window_days": 0})));
    let below = format!("{prefix}/g");
    let gaps = conformance::run_all(&gone, &below).await;
    assert_eq!(gaps.unwrap().all(), NO_VERSION);
    expect_ciphertext_only(&place, &gone, &below).await;
}

/// Leaves a sealed version too, and lets boto3 read everything below a prefix.
async fn expect_ciphertext_only(
    place: &Place,
    store: &Recorded<AwsSecretsManagerStore>,
    prefix: &str,
) {
    let sealed = leave_sealed(store, prefix).await;
    let reader_key = format!("AKIAREADER{}", place.unique.to_uppercase());
    place.moto.allow_key(&reader_key, "console", None).unwrap();
    let request = json!({
        "vendor": "aws",
        "region": REGION,
        "endpoint": place.moto.address(),
        "key": reader_key,
        "secret": "console",
        "prefix": prefix,
    });
    let reading = reader::read(&Tools::locate().unwrap(), &request).unwrap();
    // A description and no tags: tags need a grant that the guide does not request.
    let about = |name: &RemoteName, put: &PutOptions| {
        vec![format!(
            "Sealed by terraform-provider-planton as {name}; planton-environment=prod, \
             planton-id={}, planton-organization=acme, planton-secret=db",
            put.labels["planton-id"]
        )]
    };
    sealed.expect_among(store, &reading, about).await;
    for object in &reading.objects {
        let mark = format!("Sealed by terraform-provider-planton as {}", object.name);
        let [about] = &object.about[..] else {
            panic!("there are tags: {object:?}");
        };
        assert!(about.starts_with(&mark), "{object:?}");
    }
}

#[tokio::test]
async fn the_store_passes_the_drift_suite() {
    let place = Place::new().await;
    let (store, prefix) = (place.store(), format!("planton/{}/d", place.unique));
    let intruder = Intruder(place);
    let gaps = conformance::run_drift(&store, &intruder, &prefix).await;
    let immutable = |function| (function, Gap::NobodyReplacesAVersion);
    assert_eq!(
        gaps.unwrap().all(),
        [
            immutable("get_replaced_version_is_corrupt_or_not_found"),
            immutable("describe_replaced_version_is_not_present"),
        ]
    );
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
#[test]
fn the_capability_says_what_secrets_manager_takes() {
    let capability = StoreCapability {
        kind: "aws_secrets_manager",
        vendor: "AWS Secrets Manager",
        encoding: PayloadEncoding::Binary,
        max_payload_bytes: 65_536,
        name: NameRules {
            separator: "/",
            max_bytes: 512,
        },
        // AWS itself uses three of the 20 labels.
        max_versions: Some(17),
        deletes_versions: false,
    };
    assert_eq!(AwsSecretsManagerStore::capability_of(), capability);
}
