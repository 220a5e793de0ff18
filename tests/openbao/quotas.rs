//! Tests a real server's rate limit quotas, within and beyond an operation's deadline.

use std::time::{Duration, Instant};

use planton_core::catalog::{CatalogErrorKind, CatalogStore};
use planton_core::catalog::{RecordKey, Revision, StoredRecord};
use planton_core::kek::ProvisionKek as _;
use planton_core::store::{SecretStore, StoreErrorKind};
use planton_vendors::http::OperationContext;
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::TransitKek;
use planton_vendors::openbao::client::{OpenBaoAddress, OpenBaoClient, OpenBaoConfig, PolicyRole};
use test_support::keys::rewraps_wait_for_a_quota;
use uuid::Uuid;
use xtask::faults::{Fault, Match};

use super::own::{PAYLOAD, name, version};
use super::support::own::Own;
use super::support::{Place, hasty};

fn within(time: Duration) -> OperationContext {
    OperationContext {
        deadline: Some(Instant::now() + time),
        ..OperationContext::default()
    }
}

/// Allows `rate` requests to the place's KV mount in each `interval`. Other mounts have
/// no limit, because tests share the server.
async fn limit(place: &Place, rate: u32, interval: &str) {
    let path = format!("sys/quotas/rate-limit/{}", Uuid::new_v4().simple());
    let body = format!(
        "{{\"path\": \"{}/\", \"rate\": {rate}, \"interval\": \"{interval}\"}}",
        place.kv()
    );
    place.admin.ok("POST", &path, &body).await;
}

#[tokio::test]
async fn a_servers_quota_is_waited_for_within_the_operations_time() {
    let place = Place::new().await;
    let name = name();
    for kind in ["openbao", "hashicorp_vault"] {
        let own = Own::new(kind, &place.admin.address, place.kv());
        let store = own.given("token", place.root_token()).store();
        let id = store.put(&name, PAYLOAD, version(1)).await.unwrap();
        if kind == "openbao" {
            limit(&place, 4, "1s").await;
        }
        let before = store.requests();
        for _ in 0..10 {
            let get = within(Duration::from_secs(60)).scope(store.get(&name, &id));
            assert_eq!(get.await.unwrap(), PAYLOAD);
        }
        assert!(store.requests() - before > 10, "none had to wait");
    }
}

#[tokio::test]
async fn a_quota_that_outlives_the_operation_is_named() {
    let place = Place::new().await;
    let name = name();
    let own = Own::new("openbao", &place.admin.address, place.kv());
    let store = own.given("token", place.root_token()).store();
    let id = store.put(&name, PAYLOAD, version(1)).await.unwrap();
    let catalog = OpenBaoCatalog::new(&place.client(), &place.scope, PolicyRole::Apply);
    let key = RecordKey::new("secrets/s");
    let record = StoredRecord {
        body: "{}".to_owned(),
        mac: "x".to_owned(),
    };
    limit(&place, 1, "1h").await;
    // The permitted request.
    store.get(&name, &id).await.unwrap();

    let get = within(Duration::from_millis(500)).scope(store.get(&name, &id));
    let error = get.await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::RateLimited, "{error:?}");
    let remedy = error.remedy().unwrap();
    for part in ["sys/quotas/rate-limit", "timeouts"] {
        assert!(remedy.contains(part), "{remedy}");
    }
    let write = catalog.write(&key, &record, Revision::ABSENT);
    let error = within(Duration::from_millis(500)).scope(write).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::RateLimited, "{error:?}");
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("sys/quotas/rate-limit"), "{remedy}");
}

/// A batch of them is one request.
#[tokio::test]
async fn a_rewrap_of_many_waits_for_the_quota_and_shows_it() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let config = OpenBaoConfig {
        address: OpenBaoAddress::parse(proxy.address()).unwrap(),
        ..place.config.clone()
    };
    let fence = place.fence_path();
    let client = OpenBaoClient::with_retry(&config, Some(&fence), hasty()).unwrap();
    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    let limit = || {
        let full = r#"{"errors":["request path \"rewrap\": rate limit quota exceeded"]}"#;
        let limited = Fault::status(429).with_body(full).times(20);
        proxy.fail(limited.on(Match::path("/rewrap/planton-acme")));
    };
    assert_eq!(rewraps_wait_for_a_quota(&kek, limit).await, 20);
    assert_eq!(proxy.count(&Match::path("/rewrap/planton-acme")), 21);
}
