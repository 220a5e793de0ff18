//! Searches for a planted credential in everything that can be shown.

use planton_core::store::{SecretStore, StoreErrorKind};
use planton_vendors::aws::{AwsConfig, AwsCredential};
use serde_json::json;
use xtask::canary::Canary;
use xtask::moto::Fault;

use super::support::{PAYLOAD, Place, open, shown, version};

#[tokio::test]
async fn neither_debug_output_nor_any_error_shows_the_key_or_the_token() {
    let mut place = Place::new().await;
    let key = Canary::alphanumeric("secret_access_key");
    let token = Canary::alphanumeric("session_token");
    place.secret_key = key.value().to_owned();
    let id = place.key_id.clone();
    let mut credential = place.credential();
    let planted = token.value().into();
    credential.insert("session_token".to_owned(), planted);
    let settings = place.settings(json!({}));
    let name = place.name();
    let mut seen = String::new();

    // The key is unknown to AWS, whose response repeats the token.
    place
        .moto
        .allow_key(&id, "another", Some(token.value()))
        .unwrap();
    let store = open(&settings, &credential).unwrap();
    let refused = store.put(&name, PAYLOAD, version(1, &[])).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unauthenticated);
    assert!(
        shown(&refused).contains("InvalidSignatureException"),
        "{refused:?}"
    );
    seen.push_str(&shown(&refused));

    place
        .moto
        .allow_key(&id, key.value(), Some(token.value()))
        .unwrap();
    store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    seen.push_str(&format!("{store:?}"));
    let config = AwsConfig::from_settings(&settings).unwrap();
    let parts = AwsCredential::from_parts(&config, &credential).unwrap();
    seen.push_str(&format!("{config:?} {parts:?}"));

    // An error's message is never shown, whatever its code.
    for (status, code) in [
        (400, "AccessDeniedException"),
        (400, "InvalidRequestException"),
        (403, "Unheard-Of"),
        (500, "InternalServiceError"),
    ] {
        let message = format!("User: {} Token: {}", key.value(), token.value());
        let other = place.named("other");
        place
            .moto
            .inject(&Fault {
                action: "CreateSecret",
                name: other.as_str(),
                status,
                code,
                message: &message,
                times: if status == 500 { 8 } else { 1 },
                ..Fault::default()
            })
            .unwrap();
        let refused = store.put(&other, PAYLOAD, version(1, &[])).await;
        let refused = shown(&refused.unwrap_err());
        assert!(refused.contains(code) || code == "Unheard-Of", "{refused}");
        seen.push_str(&refused);
    }
    for canary in [&key, &token] {
        canary
            .absent_from("what was shown", seen.as_bytes())
            .unwrap();
    }
}
