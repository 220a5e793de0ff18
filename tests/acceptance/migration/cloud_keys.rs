//! Buckets whose key is in the KMS of their vendor, as the source and as the target.

use serde_json::json;
use xtask::bucket::BucketService;

use super::{BucketPlace, Place};
use crate::backends;
use crate::bucket::scene::OnBucket;
use crate::operator::told;
use crate::steps::{Steps, has};

/// A secret on the platform, and one on a registered backend with a sealed credential.
fn configuration(place: &backends::Place) -> String {
    let secrets = r#"
resource "planton_secret" "built_in" {
  name             = "built-in"
  value_wo         = "built-in ${var.rotation}"
  value_wo_version = var.rotation
}
resource "planton_secret" "registered" {
  name             = "registered"
  backend          = planton_secret_backend.own.name
  value_wo         = "registered ${var.rotation}"
  value_wo_version = var.rotation
}
"#;
    [backends::declared(place), secrets.to_owned()].concat()
}

impl Place {
    /// A bucket in Google Cloud Storage whose only key is in GCP KMS.
    fn gcs_with_gcp_kms(fingerprint: &str) -> Self {
        const RINGS: &str = "projects/acme-prod/locations/europe-west3/keyRings";
        let on = OnBucket::new(BucketService::Gcs);
        let fake = on.bucket.server().gcp().unwrap();
        for (path, body) in [
            (format!("{RINGS}?keyRingId=migration"), json!({})),
            (
                format!("{RINGS}/migration/cryptoKeys?cryptoKeyId=main"),
                json!({"purpose": "ENCRYPT_DECRYPT"}),
            ),
        ] {
            let (status, answer) = fake.call("POST", &path, &body).unwrap();
            assert_eq!(status, 200, "{answer}");
        }
        let key = format!("{RINGS}/migration/cryptoKeys/main");
        let address = fake.address().to_owned();
        let block = format!("gcp_kms = {{ key_name = {key:?}, endpoint = {address:?} }}");
        let argument = format!("gcp_kms:key_name={key},endpoint={address}");
        Self::with_key(on, &block, argument, fingerprint)
    }

    /// A container in Azure Blob Storage whose only key is in a Key Vault.
    fn azure_with_key_vault(fingerprint: &str) -> Self {
        let on = OnBucket::new(BucketService::Azure);
        let fake = on.bucket.server().azure().unwrap();
        let created = json!({"kty": "RSA"});
        fake.key("POST", "keys/migration/create", &created).unwrap();
        let address = fake.vault_url();
        let key = format!("{address}/keys/migration");
        let block =
            format!("azure_key_vault_key = {{ key_url = {key:?}, authority_host = {address:?} }}");
        let argument = format!("azure_key_vault_key:key_url={key},authority_host={address}");
        Self::with_key(on, &block, argument, fingerprint)
    }

    /// A bucket that names its key by `block`, and by `argument` in a variable.
    fn with_key(on: OnBucket, block: &str, argument: String, fingerprint: &str) -> Self {
        Self::Bucket(Box::new(BucketPlace {
            on: on.encrypted_by(block),
            more: vec![
                ("PLANTON_BUCKET_KEY", argument),
                ("PLANTON_ORGANIZATION_FINGERPRINT", fingerprint.to_owned()),
            ],
        }))
    }
}

#[test]
fn acc_migration_between_buckets_with_keys_in_gcp_kms_and_azure_key_vault_and_back() {
    let registered = backends::Place::aws();
    let (embedded, openbao) = (Place::embedded(), Place::openbao());
    let mut workspace = embedded.workspace(&configuration(&registered));
    let mut variables = vec![("backend_secret", registered.secret.as_str())];
    workspace.applied(&variables);
    let [(_, fingerprint), _] = &embedded.pins()[..] else {
        panic!("the organization exists");
    };
    let gcs = Place::gcs_with_gcp_kms(fingerprint);
    let azure = Place::azure_with_key_vault(fingerprint);
    // Two buckets are of one type, so another platform is between them.
    let way = [&embedded, &gcs, &openbao, &azure, &embedded, &gcs];
    let rotations: Vec<String> = (2..).take(way.len()).map(|it| it.to_string()).collect();
    for (versions, (pair, rotation)) in (1..).zip(way.windows(2).zip(&rotations)) {
        let (source, target) = (pair[0], pair[1]);
        let moved = source.migration(target, &["--apply"]).output().unwrap();
        has(
            &told(&moved, 0),
            &[
                "The migration is complete",
                &target.described(),
                // Each hop adds a version.
                &format!("wrapped {versions} version"),
            ],
        );
        target.configure(&mut workspace);
        for (name, value) in registered.environment() {
            workspace.env(name, value);
        }
        workspace.unchanged(&variables);
        has(&told(&target.run(&["verify"], &[]), 0), &["verified"]);
        // Writes with the sealed credential, and opens what was written before and after.
        let before = variables.iter().find(|(name, _)| *name == "rotation");
        let before = before.map_or("1", |(_, rotation)| *rotation).to_owned();
        expect_values(target, &before);
        variables.retain(|(name, _)| *name != "rotation");
        variables.push(("rotation", rotation));
        workspace.settled(&variables);
        expect_values(target, rotation);
    }
    workspace.destroyed(&variables);
}

fn expect_values(place: &Place, rotation: &str) {
    let values = place.values(&["built-in", "registered"]);
    let expected = [
        ("built-in", format!("built-in {rotation}")),
        ("registered", format!("registered {rotation}")),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(values, expected.into());
}
