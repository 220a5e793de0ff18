//! Azure's own client of keys, and the second implementation of the format, beside the KEK.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use planton_envelope::WrappedKey;
use serde_json::{Value, json};
use test_support::keys::{context, data_key, is_same, seal_under};
use xtask::azure::AzureFake;
use xtask::process;
use xtask::tools::Tools;

use super::kms_support::KeyPlace;

const SCRIPT: &str = include_str!("official_keys.py");

/// The second implementation gets a token, and never a data key.
//= docs/format.md#28-kek-in-azure-key-vault
//= type=test
//# A writer MUST encrypt `DEK ‖ binding` with RSAES-OAEP, SHA-256 and MGF1 with SHA-256, which
//# Key Vault calls `RSA-OAEP-256`, and write the ciphertext as `wrapped`.
#[tokio::test]
async fn azures_own_client_and_the_second_implementation_open_what_the_provider_wraps() {
    let place = KeyPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let own = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), own).await.unwrap();
    let sealed = seal_under(kek.as_ref(), "correct horse").await;
    let bound = |number| hex::encode(data_key(number).with_binding(&own.binding).expose());
    let seen = ask(&json!({
        "tenant_id": AzureFake::TENANT,
        "client_id": AzureFake::CLIENT,
        "client_secret": place.place.secret.value(),
        "vault_url": place.place.fake.vault_url(),
        "ca_file": place.place.fake.ca_file(),
        "key": "planton",
        "kek_id": kek.id().id,
        "wrapped": hex::encode(wrapped.as_bytes()),
        "bound": bound(9),
        "envelope": hex::encode(&sealed.envelope),
        "context": sealed.context,
    }));
    assert_eq!(seen["id"], kek.id().id);
    assert_eq!(seen["type"], "RSA");
    assert_eq!(seen["opened"], bound(7));
    assert_eq!(seen["value"], "correct horse");
    assert_eq!(seen["other_version_refused"], true);
    let theirs = hex::decode(seen["wrapped"].as_str().unwrap()).unwrap();
    let opened = kek.unwrap(&WrappedKey::new(theirs), own).await.unwrap();
    assert!(is_same(&opened, &data_key(9)));
}

fn ask(task: &Value) -> Value {
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
        .env("REQUESTS_CA_BUNDLE", task["ca_file"].as_str().unwrap())
        .env("NO_PROXY", "127.0.0.1");
    let finished = process::run(&mut python, Duration::from_secs(120)).unwrap();
    serde_json::from_str(&finished.ok().unwrap().stdout).unwrap()
}
