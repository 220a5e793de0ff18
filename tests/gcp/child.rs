//! Runs a test in a process of its own, whose environment has the ambient credentials.

use std::process::Command;
use std::time::Duration;

use planton_core::store::{SecretStore, StoreCredential};
use serde_json::json;
use xtask::process;

use super::support::{PAYLOAD, Place, all_of, name, open, version};

/// The variable with the fake's address, set in a child only.
pub(super) const CHILD: &str = "PLANTON_TEST_GCP_ENDPOINT";

/// The variable with the account that a child impersonates.
pub(super) const AS: &str = "PLANTON_TEST_GCP_ACCOUNT";

/// Runs the test with this path again, in a process with these variables and no others of
/// Google's.
pub(super) fn in_a_child(test: &str, place: &Place, variables: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env_remove("GOOGLE_APPLICATION_CREDENTIALS")
        .env_remove("GOOGLE_CLOUD_QUOTA_PROJECT")
        .env_remove("GCE_METADATA_HOST")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .env("HOME", home.path())
        .env(CHILD, place.fake.address())
        .envs(variables.iter().copied());
    let finished = process::run(&mut command, Duration::from_secs(120)).unwrap();
    let finished = finished.ok().unwrap();
    assert!(finished.stdout.contains("1 passed"), "{finished:?}");
    finished.stdout
}

/// In a child: puts a version with the ambient credentials, reads it three times, and
/// prints the result.
pub(super) async fn ambient(endpoint: &str) {
    let settings = serde_json::from_value(json!({
        "kind": "gcp_secret_manager",
        "name_prefix": "planton",
        "configuration": {
            "project_id": "acme",
            "endpoint": endpoint,
            "impersonate_service_account": std::env::var(AS).ok(),
        },
    }));
    let store = open(&settings.unwrap(), &StoreCredential::new()).unwrap();
    match store.put(name(), PAYLOAD, version(1, &[])).await {
        Ok(id) => {
            println!("put with {} requests", store.requests());
            for _ in 0..3 {
                assert_eq!(store.get(name(), &id).await.unwrap(), PAYLOAD);
            }
        }
        Err(error) => println!(
            "{:?} at {:?}: {}",
            error.kind(),
            error.setting(),
            all_of(&error)
        ),
    }
    println!("{store:?}");
}

/// Writes a credential file, and returns its path.
pub(super) fn write(folder: &tempfile::TempDir, content: &str) -> String {
    let path = folder.path().join("credential.json");
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}
