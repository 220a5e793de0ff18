//! Tests throttling within and beyond an operation's deadline.

use std::time::{Duration, Instant};

use planton_core::store::{Deletion, SecretStore, StoreErrorKind};
use planton_vendors::http::OperationContext;
use serde_json::json;

use super::support::{PAYLOAD, Place, about, first, name};

fn within(time: Duration) -> OperationContext {
    OperationContext {
        deadline: Some(Instant::now() + time),
        ..OperationContext::default()
    }
}

#[tokio::test]
async fn throttling_is_retried_until_the_deadline_and_not_a_number_of_times() {
    let place = Place::new();
    let store = place.store();
    let name = name("throttled");
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    let answers = json!({"answers": vec![429; 20]});
    place.fake.control(&answers).unwrap();
    let before = store.requests();
    let get = within(Duration::from_secs(60)).scope(store.get(&name, &id));
    assert_eq!(get.await.unwrap(), PAYLOAD);
    assert_eq!(store.requests() - before, 21);
}

/// The vault returns the rest of its window in Retry-After, and the store waits for it.
#[tokio::test]
async fn a_window_is_waited_for_as_long_as_the_vault_says() {
    let place = Place::new();
    let store = place.store();
    let name = name("window");
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    let quota = json!({"quota": 3, "quota_seconds": 2});
    place.fake.control(&quota).unwrap();
    for _ in 0..8 {
        let get = within(Duration::from_secs(60)).scope(store.get(&name, &id));
        assert_eq!(get.await.unwrap(), PAYLOAD);
    }
}

#[tokio::test]
async fn throttling_that_outlives_the_operation_names_the_vaults_quota() {
    let place = Place::new();
    let store = place.store();
    let name = name("quota");
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    place.fake.control(&json!({"quota": 0})).unwrap();
    for verb in ["get", "describe", "put", "delete"] {
        let deletion = Deletion::Object {
            versions: vec![id.clone()],
        };
        let refused = within(Duration::from_millis(500)).scope(async {
            match verb {
                "get" => store.get(&name, &id).await.map(drop),
                "describe" => store.describe(&name, about(&id)).await.map(drop),
                "put" => store.put(&name, PAYLOAD, first()).await.map(drop),
                _ => store.delete(&name, deletion).await,
            }
        });
        let error = refused.await.unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::RateLimited,
            "{verb}: {error:?}"
        );
        let remedy = error.remedy().unwrap();
        let quota = "4,000 transactions in 10 seconds";
        assert!(remedy.contains(quota), "{verb}: {remedy}");
        assert!(remedy.contains("timeouts"), "{remedy}");
    }
    place.fake.control(&json!({"quota": null})).unwrap();
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
}
