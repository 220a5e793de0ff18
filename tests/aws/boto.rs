//! Reads stored versions with AWS's own client.

use std::process::Command;
use std::time::Duration;

use planton_core::store::{PutOptions, SecretStore};
use serde_json::Value;
use xtask::process;
use xtask::tools::Tools;

use super::support::{Place, REGION, version};

const SCRIPT: &str = r#"
import base64, boto3, json, os, sys
client = boto3.client("secretsmanager", endpoint_url=sys.argv[1], region_name=sys.argv[2])
secret = client.describe_secret(SecretId=sys.argv[3])
value = client.get_secret_value(SecretId=sys.argv[3], VersionId=sys.argv[4])
newest = client.get_secret_value(SecretId=sys.argv[3])
print(json.dumps({
    "name": secret["Name"],
    "description": secret["Description"],
    "tags": secret.get("Tags"),
    "stages": secret["VersionIdsToStages"],
    "binary": base64.b64encode(value["SecretBinary"]).decode(),
    "string": value.get("SecretString"),
    "newest": newest["VersionId"],
}))
"#;

//= docs/format.md#20-places
//= type=test
//# On AWS Secrets Manager, a writer MUST write an envelope at the place and in the form of
//# this table.
#[tokio::test]
async fn boto3_sees_the_name_the_description_the_sealed_bytes_and_the_labels() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let sealed: Vec<u8> = [b"PSE1".as_slice(), &(0..=255).collect::<Vec<u8>>()].concat();
    let labels = [("team", "data")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let options = PutOptions {
        labels: labels.into(),
        ..version(1, &[])
    };
    let first = store.put(&name, &sealed, options).await.unwrap();
    let second = store.put(&name, b"PSE1 two", version(2, &[&first])).await;
    let second = second.unwrap();
    let part = |id: &str, at: usize| id.split(':').nth(at).unwrap().to_owned();
    let (first, second) = (first.as_str(), second.as_str());
    let tools = Tools::locate().unwrap();
    let mut python = Command::new(tools.python());
    python
        .args(["-c", SCRIPT, place.moto.address(), REGION])
        .args([name.as_str(), &part(first, 0)])
        .env("AWS_ACCESS_KEY_ID", &place.key_id)
        .env("AWS_SECRET_ACCESS_KEY", &place.secret_key);
    let finished = process::run(&mut python, Duration::from_secs(90)).unwrap();
    let seen: Value = serde_json::from_str(&finished.ok().unwrap().stdout).unwrap();
    assert_eq!(seen["name"], name.as_str());
    assert_eq!(
        seen["description"],
        format!("Sealed by terraform-provider-planton as {name}; team=data")
    );
    assert_eq!(seen["tags"], Value::Null);
    use base64::Engine;
    let binary = base64::engine::general_purpose::STANDARD.encode(&sealed);
    assert_eq!(seen["binary"], binary);
    assert_eq!(seen["string"], Value::Null);
    assert_eq!(seen["newest"], part(second, 0));
    let label = |id: &str| format!("planton-{}", part(id, 1));
    let stages = serde_json::json!({
        part(first, 0): [label(first), "AWSPREVIOUS"],
        part(second, 0): [label(second), "AWSCURRENT"],
    });
    assert_eq!(seen["stages"], stages);
}
