//! Tests the challenges of a vault, and the addresses that may receive a token.

use planton_core::store::{NativeVersionId, SecretStore, StoreCredential, StoreErrorKind};
use planton_vendors::http::{HttpSettings, Roots};
use serde_json::json;

use super::support::{PAYLOAD, Place, about, name, next, open};

#[tokio::test]
async fn a_challenge_for_another_resource_gets_no_token() {
    let place = Place::new();
    for resource in [
        "https://management.azure.com",
        "https://vault.azure.net.example.com",
        "http://vault.azure.net",
        "nonsense",
    ] {
        place
            .fake
            .control(&json!({"challenge_resource": resource}))
            .unwrap();
        let store = place.store();
        let id = NativeVersionId::new("0".repeat(32));
        let error = store.describe(&name("any"), about(&id)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{resource}");
        assert!(error.remedy().unwrap().contains("vault_url"), "{error:?}");
        place.assert_clean(&error);
    }
    assert_eq!(place.fake.tokens_issued().unwrap(), 0);
    let requests = place.fake.requests().unwrap();
    assert!(requests.iter().all(|request| !request.authenticated));
}

#[tokio::test]
async fn a_next_page_at_another_address_is_not_asked_for() {
    let place = Place::new();
    let elsewhere = Place::new();
    // Both are trusted, so only the address decides that no token is sent.
    let authorities = [&place, &elsewhere].map(|place| place.fake.ca_pem().unwrap());
    let http = HttpSettings {
        roots: Roots::Pem(authorities.concat()),
        ..place.http()
    };
    let credential =
        StoreCredential::from([("client_secret".to_owned(), place.secret.value().into())]);
    let store = open(&place.configuration(), &credential, http).unwrap();
    let name = name("paged");
    let mut ids = Vec::new();
    for _ in 0..26 {
        let kept: Vec<_> = ids.iter().collect();
        ids.push(store.put(&name, PAYLOAD, next(&kept)).await.unwrap());
    }
    place
        .fake
        .control(&json!({"next_link_base": elsewhere.fake.vault_url()}))
        .unwrap();
    let never = NativeVersionId::new("0".repeat(32));
    let error = store.describe(&name, about(&never)).await.unwrap_err();
    assert!(elsewhere.fake.requests().unwrap().is_empty());
    assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error:?}");
    place.assert_clean(&error);
}

#[tokio::test]
async fn a_body_is_not_sent_before_the_vault_has_said_whose_token_it_wants() {
    let place = Place::new();
    let store = place.store();
    let name = name("first");
    let keep = NativeVersionId::new("0".repeat(32));
    // The first request is a put.
    store.put(&name, PAYLOAD, next(&[&keep])).await.unwrap();
    let requests = place.fake.requests().unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        (requests[0].status, requests[0].authenticated),
        (401, false)
    );
    assert_eq!((requests[1].status, requests[1].authenticated), (200, true));
    assert_eq!(place.versions(&name), 1);
}
