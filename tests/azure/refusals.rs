//! Maps each refusal to a meaning and a remedy.

use std::net::TcpListener;

use planton_core::store::{
    Deletion, NativeVersionId, SecretStore, StoreCredential, StoreError, StoreErrorKind,
};
use planton_vendors::azure::AzureKeyVaultStore;
use planton_vendors::http::{HttpSettings, Roots};
use serde_json::{Value, json};
use xtask::azure::AzureFake;

use super::support::{PAYLOAD, Place, about, first, name, next, open};

/// Checks an error's kind, and that its remedy contains these words.
fn assert_says(place: &Place, error: &StoreError, kind: StoreErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error:?}");
    let remedy = error.remedy().unwrap_or_default();
    for word in words {
        assert!(remedy.contains(word), "{word:?} is not in {remedy:?}");
    }
    place.assert_clean(error);
}

async fn describe(store: &AzureKeyVaultStore) -> StoreError {
    let id = NativeVersionId::new("0".repeat(32));
    store.describe(&name("any"), about(&id)).await.unwrap_err()
}

#[tokio::test]
async fn a_missing_grant_is_permission_denied_and_named() {
    let place = Place::new();
    let store = place.store();
    let name = name("denied");
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    let denied = StoreErrorKind::PermissionDenied;
    for inner in ["ForbiddenByRbac", "ForbiddenByPolicy", "AccessDenied"] {
        let all = json!({"set": inner, "get": inner, "list": inner, "delete": inner});
        place.fake.control(&json!({"deny": all})).unwrap();
        let error = store.put(&name, PAYLOAD, next(&[&id])).await.unwrap_err();
        assert_says(
            &place,
            &error,
            denied,
            &["permission Set ", "vaults/secrets/setSecret/action"],
        );
        let error = store.put(&name, PAYLOAD, first()).await.unwrap_err();
        assert_says(
            &place,
            &error,
            denied,
            &["permission List ", "vaults/secrets/readMetadata/action"],
        );
        let error = store.get(&name, &id).await.unwrap_err();
        assert_says(
            &place,
            &error,
            denied,
            &["permission Get ", "vaults/secrets/getSecret/action"],
        );
        let error = store.describe(&name, about(&id)).await.unwrap_err();
        assert_says(
            &place,
            &error,
            denied,
            &["permission List ", "vaults/secrets/readMetadata/action"],
        );
        let object = Deletion::Object {
            versions: vec![id.clone()],
        };
        let error = store.delete(&name, object).await.unwrap_err();
        assert_says(
            &place,
            &error,
            denied,
            &["permission Delete ", "vaults/secrets/delete"],
        );
        let vault = place.fake.vault_url();
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains(&vault), "{error:?}");
        // The named role grants only the denied permission.
        assert!(!remedy.contains("Officer"), "{remedy}");
    }
}

#[tokio::test]
async fn a_firewall_is_permission_denied_by_the_network_not_by_a_grant() {
    let place = Place::new();
    place
        .fake
        .control(&json!({"deny": {"list": "ForbiddenByFirewall"}}))
        .unwrap();
    let error = describe(&place.store()).await;
    let words = ["network rules", "firewall"];
    assert_says(&place, &error, StoreErrorKind::PermissionDenied, &words);
    assert!(!error.remedy().unwrap().contains("Officer"));
}

#[tokio::test]
async fn wrong_identities_are_unauthenticated_and_name_the_setting() {
    let place = Place::new();
    let unknown = "00000000-0000-4000-8000-00000000000f";
    let refused = StoreErrorKind::Unauthenticated;
    let at = async |changes: Value| describe(&place.store_with(&changes)).await;
    let error = at(json!({"tenant_id": unknown})).await;
    assert_says(&place, &error, refused, &["tenant_id"]);
    let error = at(json!({"client_id": unknown})).await;
    assert_says(&place, &error, refused, &["Check client_id", "tenant_id"]);
    // That tenant has the application, but not the vault.
    let error = at(json!({"tenant_id": AzureFake::OTHER_TENANT})).await;
    let words = ["another tenant", "tenant_id"];
    assert_says(&place, &error, refused, &words);

    let store = place.store_with_secret(&json!({}), "another~secret");
    let error = describe(&store).await;
    assert_says(&place, &error, refused, &["client_secret_wo"]);
    assert!(!format!("{error:?}").contains("another~secret"));
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_stays_is_told() {
    let place = Place::new();
    let store = place.store();
    let name = name("throttled");
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    let answers = |status: u16, count: usize| {
        let answers = json!({"answers": vec![status; count]});
        place.fake.control(&answers).unwrap();
    };
    answers(429, 2);
    store.get(&name, &id).await.unwrap();
    answers(503, 2);
    store.get(&name, &id).await.unwrap();
    answers(429, 8);
    let error = store.get(&name, &id).await.unwrap_err();
    assert_says(&place, &error, StoreErrorKind::RateLimited, &[]);
    answers(500, 8);
    let before = store.requests();
    let error = store.get(&name, &id).await.unwrap_err();
    assert_says(&place, &error, StoreErrorKind::Unavailable, &[]);
    assert_eq!(store.requests() - before, 8, "the SDK tries nothing again");
    assert_eq!(error.operation(), "GetSecret");
    assert_eq!(error.path(), name.as_str());
}

#[tokio::test]
async fn an_address_without_a_vault_is_unavailable_and_names_vault_url() {
    let place = Place::new();
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let nowhere = format!("https://127.0.0.1:{port}");
    let error = describe(&place.store_with(&json!({"vault_url": nowhere}))).await;
    assert_says(&place, &error, StoreErrorKind::Unavailable, &["vault_url"]);
    let error = describe(&place.store_with(&json!({"authority_host": nowhere}))).await;
    let words = ["authority_host"];
    assert_says(&place, &error, StoreErrorKind::Unavailable, &words);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_an_error_and_no_request() {
    let place = Place::new();
    let http = HttpSettings {
        roots: Roots::Nobody,
        ..place.http()
    };
    let credential =
        StoreCredential::from([("client_secret".to_owned(), place.secret.value().into())]);
    let store = open(&place.configuration(), &credential, http).unwrap();
    let error = describe(&store).await;
    assert_says(
        &place,
        &error,
        StoreErrorKind::Misconfigured,
        &["vault_url"],
    );
    assert!(place.fake.requests().unwrap().is_empty());
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_never_written_over_nor_removed() {
    let place = Place::new();
    let store = place.store();
    let name = name("foreign");
    for tags in [json!({}), json!({"managed-by": "somebody"})] {
        place
            .fake
            .set_secret(name.as_str(), "theirs", &tags)
            .unwrap();
    }
    let error = store.put(&name, PAYLOAD, first()).await.unwrap_err();
    let words = ["not written by this provider"];
    assert_says(&place, &error, StoreErrorKind::AlreadyExists, &words);
    let unknown = Deletion::Object {
        versions: Vec::new(),
    };
    store.delete(&name, unknown).await.unwrap();
    assert_eq!(place.versions(&name), 2);
}

#[tokio::test]
async fn a_disabled_version_is_there_and_is_not_read() {
    let place = Place::new();
    let store = place.store();
    let name = name("disabled");
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    let set = |enabled| place.fake.set_enabled(name.as_str(), id.as_str(), enabled);
    set(false).unwrap();
    let error = store.get(&name, &id).await.unwrap_err();
    assert_says(
        &place,
        &error,
        StoreErrorKind::PermissionDenied,
        &["Enable"],
    );
    store.describe(&name, about(&id)).await.unwrap();
    set(true).unwrap();
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn labels_that_exceed_the_vendors_limits_are_cut_and_refuse_nothing() {
    let place = Place::new();
    let store = place.store();
    let name = name("labels");
    let mut options = first();
    options.labels = (0..30)
        .map(|n| (format!("label {n} {}", "ü".repeat(300)), "v".repeat(600)))
        .collect();
    store.put(&name, PAYLOAD, options).await.unwrap();
    let state = place.fake.state().unwrap();
    let tags = &state["secrets"][name.as_str()][0]["tags"];
    assert_eq!(tags.as_object().unwrap().len(), 15);
    assert_eq!(tags["managed-by"], "terraform-provider-planton");
}
