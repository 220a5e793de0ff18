//! No value is anywhere that a run on a bucket leaves behind.

use serde_json::json;
use xtask::bucket::BucketService;
use xtask::canary::Canary;

use super::scene::OnBucket;
use crate::canary::{CREDENTIAL, expect_no_part_of, live, planted, read, search};
use crate::scene::{On, Scene, terraform_1_11};

#[test]
fn acc_bucket_of_s3_holds_no_value_and_no_credential() {
    holds_no_value_and_no_credential(BucketService::S3);
}

#[test]
fn acc_bucket_of_gcs_holds_no_value_and_no_credential() {
    holds_no_value_and_no_credential(BucketService::Gcs);
}

#[test]
fn acc_bucket_of_azure_holds_no_value_and_no_credential() {
    holds_no_value_and_no_credential(BucketService::Azure);
}

fn holds_no_value_and_no_credential(service: BucketService) {
    let scene = Scene::new(&terraform_1_11(), On::Bucket(service));
    let on = scene.bucket().unwrap();
    // In Azure, no request to the service with the blobs shows a rule.
    let shows_rules = service != BucketService::Azure;
    if shows_rules {
        on.bucket.expire("").unwrap();
    }
    let (_, credential) = on.bucket.credential();
    let mut searched = planted();
    let part = Canary::of("the credential of the bucket", secret_part(&credential));
    searched.planted.push(part);
    // The provider block contains the credential, as a user's would not.
    let block = scene.provider("");
    let given = json!(credential).to_string();
    assert!(block.contains(&given), "{block}");
    let by_variable = block.replace(&given, "var.credential") + CREDENTIAL;
    let credentials = [("credential", credential.as_str())];
    let workspace = live(
        &scene,
        &by_variable,
        &credentials,
        &mut searched,
        |searched| {
            searched.add("the bucket", content(on));
        },
    );
    let told = searched.outputs_with("Lifecycle Rule Deletes Objects");
    assert_eq!(told.len(), usize::from(shows_rules), "once: {told:?}");
    let key_file = std::fs::read(on.key_file()).unwrap();
    expect_no_part_of(&key_file, "the bucket", &content(on));
    let state = read(&workspace, "terraform.tfstate");
    expect_no_part_of(&key_file, "the state", &state);
    search(&searched, &[workspace.root()]);
}

fn content(on: &OnBucket) -> Vec<u8> {
    let objects = on.objects().into_iter();
    objects
        .flat_map(|(key, body)| [key.as_bytes(), b"\n", &body, b"\n"].concat())
        .collect()
}

/// Returns a part of a credential that is nowhere else: of a key file in JSON, the second line
/// of its private key.
pub(crate) fn secret_part(credential: &str) -> &str {
    match credential.split_once("PRIVATE KEY-----\\n") {
        Some((_, key)) => key.split("\\n").nth(1).unwrap(),
        None => credential,
    }
}
