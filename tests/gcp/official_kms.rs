//! Google's own client, and the second implementation of the format, beside the KEK.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use planton_envelope::WrappedKey;
use serde_json::{Value, json};
use test_support::keys::{context, data_key, is_same, seal_under};
use xtask::process;
use xtask::tools::Tools;

use super::kms_support::KmsPlace;

const SCRIPT: &str = include_str!("official_kms.py");

/// The second implementation gets a token, and never a data key.
#[tokio::test]
async fn googles_own_client_and_the_second_implementation_open_what_the_provider_wraps() {
    let place = KmsPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let context = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), context).await.unwrap();
    let sealed = seal_under(kek.as_ref(), "correct horse").await;
    let task = json!({
        "address": place.place.fake.address(),
        "name": KmsPlace::name(),
        "binding": hex::encode(context.binding.as_bytes()),
        "wrapped": hex::encode(wrapped.as_bytes()),
        "data_key": hex::encode(data_key(9).expose()),
        "envelope": hex::encode(&sealed.envelope),
        "context": sealed.context,
    });
    let seen = ask(&place, &task);
    assert_eq!(seen["opened"], hex::encode(data_key(7).expose()));
    assert_eq!(seen["used_primary"], true);
    assert_eq!(seen["purpose"], "ENCRYPT_DECRYPT");
    assert_eq!(seen["primary"], "ENABLED");
    assert_eq!(seen["value"], "correct horse");
    assert_eq!(seen["other_version_refused"], true);
    let version = seen["version"].as_u64().unwrap().to_be_bytes();
    let ciphertext = hex::decode(seen["ciphertext"].as_str().unwrap()).unwrap();
    let theirs = WrappedKey::new([&[1][..], &version, &ciphertext].concat());
    let opened = kek.unwrap(&theirs, context).await.unwrap();
    assert!(is_same(&opened, &data_key(9)));
}

fn ask(place: &KmsPlace, task: &Value) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("task.json");
    std::fs::write(&file, task.to_string()).unwrap();
    let mut python = Command::new(Tools::locate().unwrap().python());
    python
        .args(["-c", SCRIPT])
        .arg(&file)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", root.join("tests/vectors"))
        .env("TOKEN", place.place.fake.token().unwrap());
    let finished = process::run(&mut python, Duration::from_secs(120)).unwrap();
    serde_json::from_str(&finished.ok().unwrap().stdout).unwrap()
}
