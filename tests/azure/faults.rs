//! Tests lost responses and expired tokens.

use planton_core::store::{Deletion, SecretStore, StoreErrorKind};
use serde_json::json;

use super::support::{PAYLOAD, Place, about, first, name, next};

#[tokio::test]
async fn a_set_whose_answer_is_lost_once_succeeds_with_one_version_too_many_at_most() {
    let place = Place::new();
    let store = place.store();
    let name = name("lost");
    place.fake.control(&json!({"lose": {"PUT": 1}})).unwrap();
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
    assert!(place.versions(&name) <= 2);
    let next = store.put(&name, b"pse1.next", next(&[&id])).await.unwrap();
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
    assert_eq!(store.get(&name, &next).await.unwrap(), b"pse1.next");
}

#[tokio::test]
async fn a_set_that_is_refused_after_a_lost_answer_finds_what_it_put() {
    let place = Place::new();
    let store = place.store();
    let name = name("lost-then-refused");
    let one = store.put(&name, PAYLOAD, first()).await.unwrap();
    let mine = b"pse1.mine";
    place
        .fake
        .control(&json!({"lose": {"PUT": 1}, "answers": [403]}))
        .unwrap();
    let options = next(&[&one]);
    let id = store.put(&name, mine, options.clone()).await.unwrap();
    assert_eq!(store.get(&name, &id).await.unwrap(), mine);
    assert_eq!(place.versions(&name), 2, "it was not set again");
    assert_eq!(store.put(&name, mine, options).await.unwrap(), id);
}

#[tokio::test]
async fn an_attempt_in_doubt_that_is_made_again_finds_what_it_put() {
    let place = Place::new();
    let store = place.store();
    let name = name("in-doubt");
    let options = first();
    place.fake.control(&json!({"lose": {"PUT": 8}})).unwrap();
    let error = store
        .put(&name, PAYLOAD, options.clone())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    place.assert_clean(&error);
    // Each lost response leaves one version, because Key Vault has no idempotency key.
    let versions = place.versions(&name);
    assert!(versions <= 8, "{versions}");
    let id = store.put(&name, PAYLOAD, options).await.unwrap();
    assert_eq!(place.versions(&name), versions, "nothing was set again");
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_done() {
    let place = Place::new();
    place.fake.grant(&["purge"]).unwrap();
    let store = place.store_with(&json!({"purge_on_destroy": true}));
    let name = name("lost-deletion");
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    place.fake.control(&json!({"lose": {"DELETE": 2}})).unwrap();
    let what = Deletion::Object { versions: vec![id] };
    store.delete(&name, what).await.unwrap();
    let state = place.fake.state().unwrap();
    assert!(state["deleted"][name.as_str()].is_null(), "it is purged");
}

#[tokio::test]
async fn a_token_that_ends_early_is_replaced_once_and_the_request_tried_once_more() {
    let place = Place::new();
    let store = place.store();
    let name = name("expired");
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    assert_eq!(place.fake.tokens_issued().unwrap(), 1);
    place.fake.expire_tokens().unwrap();
    let before = store.requests();
    let next = store.put(&name, b"pse1.next", next(&[&id])).await.unwrap();
    assert_eq!(store.requests() - before, 3, "refused, token, set");
    assert_eq!(place.fake.tokens_issued().unwrap(), 2);
    assert_eq!(store.get(&name, &next).await.unwrap(), b"pse1.next");

    // Concurrent requests with the old token share the new one.
    place.fake.expire_tokens().unwrap();
    let (a, b, c) = tokio::join!(
        store.get(&name, &id),
        store.get(&name, &id),
        store.describe(&name, about(&id))
    );
    a.unwrap();
    b.unwrap();
    c.unwrap();
    assert_eq!(place.fake.tokens_issued().unwrap(), 3);
}
