//! Searches for the client secret, tokens and payloads in everything that a store leaves
//! on this machine.

use planton_core::store::{Deletion, SecretStore, StoreCredential};
use planton_vendors::http::HttpSettings;
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;
use xtask::canary::Canary;

use super::support::{Events, Place, about, first, name, next, open};

#[tokio::test]
async fn nothing_secret_is_logged_nor_shown_whatever_happens() {
    let events = Events::default();
    let subscriber = tracing_subscriber::registry().with(events.clone());
    // With only one dispatcher, tracing caches the interest of the thread that meets an
    // event first. If a concurrent test has no interest, the event is disabled for all
    // threads. With two dispatchers, tracing asks both.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);

    let place = Place::new();
    place.fake.grant(&["purge"]).unwrap();
    let payload = Canary::alphanumeric("the payload");
    let bytes = format!("pse1.{}", payload.value()).into_bytes();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("requests");
    let http = HttpSettings {
        request_log: Some(log.clone()),
        ..place.http()
    };
    let credential =
        StoreCredential::from([("client_secret".to_owned(), place.secret.value().into())]);
    let mut configuration = place.configuration();
    configuration["purge_on_destroy"] = true.into();
    let store = open(&configuration, &credential, http).unwrap();

    let name = name("secrecy");
    let id = store.put(&name, &bytes, first()).await.unwrap();
    store.get(&name, &id).await.unwrap();
    store.describe(&name, about(&id)).await.unwrap();
    let control = |settings| place.fake.control(&settings).unwrap();
    // An outage, a lost response, an expired token, a denied request.
    control(json!({"answers": [503, 503], "lose": {"PUT": 1}}));
    let two = store.put(&name, &bytes, next(&[&id])).await.unwrap();
    place.fake.expire_tokens().unwrap();
    store.get(&name, &two).await.unwrap();
    control(json!({"deny": {"set": "ForbiddenByRbac"}}));
    let error = store.put(&name, &bytes, next(&[&id])).await.unwrap_err();
    place.assert_clean(&error);
    let what = Deletion::Object { versions: vec![id] };
    store.delete(&name, what).await.unwrap();

    let shown = format!("{store:?} {error:?}");
    let requests = std::fs::read_to_string(&log).unwrap();
    for (place_of, text) in [
        ("the log", events.text()),
        ("the request log", requests),
        ("Debug", shown),
    ] {
        assert!(!text.is_empty(), "{place_of} was looked at in vain");
        for canary in [&place.secret, &payload] {
            canary.absent_from(place_of, text.as_bytes()).unwrap();
        }
        assert!(!text.contains("fake-"), "a token is in {place_of}: {text}");
    }
}
