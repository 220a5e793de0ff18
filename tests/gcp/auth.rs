//! Who we are: a key file, Application Default Credentials, another account.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use terraform_provider_planton::store::{
    Deletion, NativeVersionId, SecretStore, StoreCredential, StoreErrorKind,
};
use xtask::gcp::GcpFault;
use xtask::process;

use super::support::{
    EMAIL, PAYLOAD, Place, about, all_of, counted, credential, name, open, version,
};

const OTHER: &str = "store@acme.iam.gserviceaccount.com";

/// What a test tells its child; absent in a test that is none.
const CHILD: &str = "PLANTON_TEST_GCP_ENDPOINT";

#[tokio::test]
async fn a_key_file_signs_its_own_tokens_and_google_believes_them() {
    let place = Place::new();
    let store = place.store();
    let put = store.put(name(), PAYLOAD, version(1, &[]));
    let (put, requests) = counted(&store, put).await;
    put.unwrap();
    assert_eq!(requests, 2, "none for a token");
    let by = |operation: &str| (operation.to_owned(), EMAIL.to_owned());
    let expected = [by("CreateSecret"), by("AddSecretVersion")];
    assert_eq!(place.fake.requests().unwrap(), expected);
}

#[tokio::test]
async fn a_key_that_google_does_not_know_is_unauthenticated() {
    let elsewhere = Place::new();
    let place = Place::new();
    let mut of_another: Value = serde_json::from_str(&place.key_file).unwrap();
    of_another["client_email"] = json!(OTHER);
    for key_file in [elsewhere.key_file.clone(), of_another.to_string()] {
        let settings = place.settings(json!({}));
        let store = open(&settings, &credential(&key_file)).unwrap();
        let put = store.put(name(), PAYLOAD, version(1, &[]));
        let (put, requests) = counted(&store, put).await;
        let error = put.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unauthenticated);
        assert_eq!(error.setting(), Some("service_account_key_json"));
        assert!(error.remedy().unwrap().contains("its key was not deleted"));
        assert_eq!(requests, 2, "once more with another token");
    }
}

#[tokio::test]
async fn a_store_builds_one_client_and_signs_one_token_for_all_its_operations() {
    let place = Place::settled();
    let store = place.store();
    let mut ids: Vec<NativeVersionId> = Vec::new();
    for number in 1..=4 {
        let kept: Vec<&NativeVersionId> = ids.iter().collect();
        let put = store.put(name(), PAYLOAD, version(number, &kept)).await;
        let id = put.unwrap();
        assert_eq!(store.get(name(), &id).await.unwrap(), PAYLOAD);
        store.describe(name(), about(&id)).await.unwrap();
        ids.push(id);
    }
    let object = Deletion::Object { versions: ids };
    store.delete(name(), object).await.unwrap();
    assert_eq!(store.requests(), 5 + 4 + 4 + 1);
    assert_eq!(place.fake.requests().unwrap().len(), 14);
    assert_eq!(place.fake.connections().unwrap(), 1);
    assert_eq!(place.fake.tokens().unwrap().len(), 1);
    assert_eq!(place.fake.token_requests().unwrap(), 0);

    // Another store has its own: both would show.
    let other = place.store();
    other.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    assert_eq!(place.fake.connections().unwrap(), 2);
}

#[tokio::test]
async fn a_token_that_has_run_out_is_replaced() {
    let place = Place::new();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    place
        .fake
        .fault("AccessSecretVersion", 1, GcpFault::ExpireToken)
        .unwrap();
    let (read, requests) = counted(&store, store.get(name(), &id)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 2));
}

#[tokio::test]
async fn another_account_is_asked_for_once() {
    let place = Place::new();
    let store = place.store_with(json!({"impersonate_service_account": OTHER}));
    let put = store.put(name(), PAYLOAD, version(1, &[]));
    let (id, requests) = counted(&store, put).await;
    let id = id.unwrap();
    assert_eq!(requests, 3, "a token, create, add");
    let (read, requests) = counted(&store, store.get(name(), &id)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 1));
    let by = |operation: &str, who: &str| (operation.to_owned(), who.to_owned());
    let expected = [
        by("GenerateAccessToken", EMAIL),
        by("CreateSecret", OTHER),
        by("AddSecretVersion", OTHER),
        by("AccessSecretVersion", OTHER),
    ];
    assert_eq!(place.fake.requests().unwrap(), expected);
    // Its token is not known any more: another is asked for.
    place.fake.forget_tokens().unwrap();
    let (read, requests) = counted(&store, store.get(name(), &id)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 3));
}

#[tokio::test]
async fn an_account_that_may_not_be_impersonated_is_never_taken_for_a_missing_secret() {
    let place = Place::new();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    for (status, kind) in [
        ("NOT_FOUND", StoreErrorKind::PermissionDenied),
        ("PERMISSION_DENIED", StoreErrorKind::PermissionDenied),
        ("FAILED_PRECONDITION", StoreErrorKind::PermissionDenied),
        ("UNAUTHENTICATED", StoreErrorKind::Unauthenticated),
    ] {
        place.fake.deny_impersonation(status).unwrap();
        let store = place.store_with(json!({"impersonate_service_account": OTHER}));
        let error = store.get(name(), &id).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!(error.operation(), "GenerateAccessToken");
        if kind == StoreErrorKind::PermissionDenied {
            let remedy = error.remedy().unwrap();
            assert!(remedy.contains("roles/iam.serviceAccountTokenCreator"));
            assert!(remedy.contains(OTHER));
        }
    }
}

#[tokio::test]
async fn a_key_file_of_another_cloud_needs_that_clouds_endpoint() {
    let place = Place::new();
    let mut file: Value = serde_json::from_str(&place.key_file).unwrap();
    file["universe_domain"] = json!("example.cloud");
    let credential = credential(&file.to_string());
    let mut settings = place.settings(json!({}));
    assert!(open(&settings, &credential).is_ok());
    settings.configuration.remove("endpoint");
    let error = open(&settings, &credential).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert_eq!(error.path(), "endpoint");
}

/// Runs one test of this file again, in a process whose environment has what
/// `variables` says and nothing else of Google.
fn in_a_child(test: &str, place: &Place, variables: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("auth::{test}"), "--nocapture"])
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

/// In a child: puts a version with what the environment offers, reads it three
/// times, and says how it went.
async fn ambient(endpoint: &str) {
    let settings = serde_json::from_value(json!({
        "kind": "gcp_secret_manager",
        "name_prefix": "planton",
        "configuration": {"project_id": "acme", "endpoint": endpoint},
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
}

fn write(folder: &tempfile::TempDir, content: &str) -> String {
    let path = folder.path().join("credential.json");
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn the_environments_key_file_serves() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, &place.key_file);
    let variables = [("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
    let said = in_a_child("the_environments_key_file_serves", &place, &variables);
    assert!(said.contains("put with 2 requests"), "{said}");
    let by: Vec<_> = place.fake.requests().unwrap();
    assert!(
        by.iter().all(|(_, who)| who == EMAIL) && by.len() == 5,
        "{by:?}"
    );
    assert_eq!(place.fake.token_requests().unwrap(), 0);
}

#[tokio::test]
async fn the_environments_user_serves() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let user = place.fake.user_file("somebody").unwrap();
    let file = write(&folder, &user.to_string());
    let variables = [("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
    let said = in_a_child("the_environments_user_serves", &place, &variables);
    assert!(said.contains("put with 2 requests"), "{said}");
    let by: Vec<_> = place.fake.requests().unwrap();
    assert!(
        by.iter().all(|(_, who)| who == "user:somebody") && by.len() == 5,
        "{by:?}"
    );
    assert_eq!(place.fake.token_requests().unwrap(), 1, "one token for all");
}

#[tokio::test]
async fn a_user_whom_google_does_not_know_is_unauthenticated_and_asks_for_nothing_else() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let place = Place::new();
    let test = "a_user_whom_google_does_not_know_is_unauthenticated_and_asks_for_nothing_else";
    let user = place.fake.user_file("somebody").unwrap();
    for (asked, part) in (1..).zip(["client_id", "client_secret", "refresh_token"]) {
        let folder = tempfile::tempdir().unwrap();
        let mut wrong = user.clone();
        wrong[part] = json!("hunter2");
        let file = write(&folder, &wrong.to_string());
        let variables = [("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
        let said = in_a_child(test, &place, &variables);
        let told = "Unauthenticated at Some(\"service_account_key_json\"): ";
        assert!(said.contains(told), "{part}: {said}");
        assert!(said.contains("Application Default Credentials"), "{said}");
        assert!(
            said.contains("it was revoked, has run out"),
            "{part}: {said}"
        );
        assert!(
            !said.contains("hunter2") && !said.contains("invalid_"),
            "{said}"
        );
        // Refused for good: not tried again.
        assert_eq!(place.fake.token_requests().unwrap(), asked, "{part}");
    }
    assert_eq!(place.fake.requests().unwrap(), []);
}

#[tokio::test]
async fn an_environment_without_a_credential_is_told_what_to_do() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let place = Place::new();
    let test = "an_environment_without_a_credential_is_told_what_to_do";
    // Nobody listens there: as away from Google Cloud, with no name to look up.
    let nowhere = [("http_proxy", "http://127.0.0.1:1")];
    let said = in_a_child(test, &place, &nowhere);
    assert!(said.contains("Unauthenticated at "), "{said}");
    assert!(said.contains("No credential was found."), "{said}");
    assert!(
        said.contains("gcloud auth application-default login"),
        "{said}"
    );

    let nothing = [("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")];
    let said = in_a_child(test, &place, &nothing);
    assert!(said.contains("Unauthenticated at "), "{said}");
    assert!(said.contains("cannot be read"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let file = write(
        &folder,
        r#"{"type":"authorized_user","client_id":"hunter2","client_secret":["hunter2"]}"#,
    );
    let broken = [("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
    let said = in_a_child(test, &place, &broken);
    assert!(said.contains("Unauthenticated at "), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(place.fake.requests().unwrap(), []);
}
