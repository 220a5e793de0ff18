//! A planted key appears in no error, no Debug text, and no request to Google.

use planton_core::store::{SecretStore, StoreError};
use planton_vendors::gcp::read_credential;
use serde_json::{Value, json};
use xtask::canary::Canary;
use xtask::gcp::GcpFault;

use super::support::{PAYLOAD, Place, about, all_of, credential, name, open, version};

fn absent(canaries: &[Canary], place: &str, text: &str) {
    for canary in canaries {
        canary.absent_from(place, text.as_bytes()).unwrap();
    }
}

#[test]
fn a_broken_key_file_is_in_no_error() {
    let place = Place::new();
    let good: Value = serde_json::from_str(&place.key_file).unwrap();
    let canary = [Canary::new("part of a key file")];
    let value = canary[0].value();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{value}\n-----END PRIVATE KEY-----\n");
    let with = |name: &str, value: Value| {
        let mut file = good.clone();
        file[name] = value;
        file.to_string()
    };
    let files = [
        value.to_owned(),
        json!(value).to_string(),
        json!({"type": value}).to_string(),
        with("private_key", json!(value)),
        with("private_key", json!(pem)),
        with("private_key", json!({"a": value})),
        format!("{{\"private_key\": \"{value}"),
    ];
    for file in files {
        let error = read_credential(&credential(&file)).unwrap_err();
        absent(&canary, "an error", &all_of(&error));
    }
}

#[tokio::test]
async fn the_key_and_the_payload_are_in_no_error_and_no_debug_text() {
    let place = Place::settled();
    let file: Value = serde_json::from_str(&place.key_file).unwrap();
    let key = file["private_key"].as_str().unwrap();
    let middle = key.lines().nth(5).unwrap();
    let payload = Canary::alphanumeric("payload");
    let canaries = [Canary::of("private key", middle), payload.clone()];
    let credential = credential(&place.key_file);
    absent(&canaries, "the credential", &format!("{credential:?}"));
    let read = read_credential(&credential).unwrap();
    absent(&canaries, "what was read", &format!("{read:?}"));

    let account = "store@acme.iam.gserviceaccount.com";
    for more in [json!({}), json!({"impersonate_service_account": account})] {
        let store = open(&place.settings(more.clone()), &credential).unwrap();
        absent(&canaries, "a new store", &format!("{store:?}"));
        let bytes = payload.value().as_bytes();
        let name =
            planton_core::store::RemoteName::new(format!("s{}", more.as_object().unwrap().len()));
        let id = store.put(&name, bytes, version(1, &[])).await.unwrap();
        // The store has a token by now, and Google's crate has the key.
        absent(&canaries, "a used store", &format!("{store:?}"));
        let mut errors: Vec<StoreError> = Vec::new();
        for status in [
            "INVALID_ARGUMENT",
            "PERMISSION_DENIED",
            "INTERNAL",
            "UNAUTHENTICATED",
        ] {
            let fault = GcpFault::Refuse(status, None);
            place.fake.fault("*", 100, fault).unwrap();
            let put = store.put(&name, bytes, version(2, &[&id]));
            errors.push(put.await.unwrap_err());
            errors.push(store.get(&name, &id).await.unwrap_err());
            errors.push(store.describe(&name, about(&id)).await.unwrap_err());
            place.fake.clear_faults().unwrap();
        }
        for error in &errors {
            absent(&canaries, "an error", &all_of(error));
        }
    }
}

#[tokio::test]
async fn a_tokens_bytes_are_in_no_debug_text() {
    let place = Place::new();
    let store = place.store_with(json!({
        "impersonate_service_account": "store@acme.iam.gserviceaccount.com",
    }));
    store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    let tokens = place.fake.tokens().unwrap();
    assert!(
        tokens.len() >= 2,
        "one that was signed, one that was given out"
    );
    let text = format!("{store:?}");
    for token in tokens {
        let canary = Canary::of("token", &token);
        canary.absent_from("a used store", text.as_bytes()).unwrap();
    }
}
