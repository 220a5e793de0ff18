//! Reads with each vendor's own client what the provider has written.

use std::process::Command;
use std::time::Duration;

use planton_core::catalog::{CatalogStore, RecordKey, Revision, StoredRecord};
use planton_core::store::{PutOptions, RemoteName, SecretStore};
use serde_json::{Value, json};
use uuid::Uuid;
use xtask::bucket::BucketService;
use xtask::process;
use xtask::tools::Tools;

use super::support::{PREFIX, Place};

const PAYLOAD: &[u8] = b"PSE1 sealed";

/// The SHA-256 of the payload.
const DIGEST: &str = "86563991ce994496477006e59c3dc39e363fc174f70012598600ec395992f63a";

//= docs/format.md#20-places
//= type=test
//# A writer MUST write a record at the place of its platform in this table, with `mac` in
//# lower-case hexadecimal.
//= docs/format.md#20-places
//= type=test
//# In a bucket, a writer MUST write an envelope at the place and in the form of this table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto_sees_records_and_versions_at_their_places() {
    sees_records_and_versions_at_their_places(BucketService::S3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn googles_client_sees_records_and_versions_at_their_places() {
    sees_records_and_versions_at_their_places(BucketService::Gcs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azures_identity_sees_records_and_versions_at_their_places() {
    sees_records_and_versions_at_their_places(BucketService::Azure).await;
}

async fn sees_records_and_versions_at_their_places(service: BucketService) {
    let place = Place::new(service);
    let record = StoredRecord {
        body: "{\"text\":\"one\"}".to_owned(),
        mac: "00ff".to_owned(),
    };
    let key = RecordKey::new("secrets/org/db");
    let catalog = place.catalog();
    catalog
        .write(&key, &record, Revision::ABSENT)
        .await
        .unwrap();
    let name = RemoteName::new("planton/acme/org/db-0badcafe".to_owned());
    let options = PutOptions {
        version: 7,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: [("environment".to_owned(), "prod".to_owned())].into(),
    };
    let put = place
        .store()
        .put(&name, PAYLOAD, options.clone())
        .await
        .unwrap();

    let mut seen = read(&place);
    let stored = seen[1]["content"].take();
    let stored: Value = serde_json::from_str(stored.as_str().unwrap()).unwrap();
    let write_id = stored["write_id"].clone();
    Uuid::parse_str(write_id.as_str().unwrap()).unwrap();
    let expected = json!({
        "revision": 1,
        "write_id": write_id,
        "body": record.body,
        "mac": "00ff",
    });
    assert_eq!(stored, expected);
    let attempt = options.attempt.simple();
    assert_eq!(put.as_str(), format!("7-{attempt}-{}", &DIGEST[..32]));
    assert_eq!(seen[0]["metadata"]["plantonsha256"], DIGEST);
    assert_eq!(seen[0]["metadata"]["plantonlabels"], "environment=prod");
    let root = format!("{PREFIX}/acme");
    assert_eq!(seen[0]["key"], format!("{root}/objects/{name}/7-{attempt}"));
    assert_eq!(seen[0]["content"], "PSE1 sealed");
    assert_eq!(seen[1]["key"], format!("{root}/records/{key}.json"));
    assert_eq!(seen.len(), 2);
}

/// Returns key, content and metadata of each object, in order.
fn read(place: &Place) -> Vec<Value> {
    let tools = Tools::locate().unwrap();
    let mut python = Command::new(tools.python());
    python.args([
        "-c",
        place.service().reader(),
        place.way.endpoint(),
        place.way.name(),
    ]);
    python.envs(place.way.ambient_variables());
    if let Some(gcp) = place.way.server().gcp() {
        python.env("TOKEN", gcp.token().unwrap());
    }
    if let Some(azure) = place.way.server().azure() {
        python.env("AUTHORITY", azure.vault_url());
        python.env("REQUESTS_CA_BUNDLE", place.way.ca_file().unwrap());
    }
    let finished = process::run(&mut python, Duration::from_secs(120)).unwrap();
    serde_json::from_str(&finished.ok().unwrap().stdout).unwrap()
}
