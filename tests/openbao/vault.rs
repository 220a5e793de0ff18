//! Tests HashiCorp Vault Enterprise's rules, with a proxy in front of a real OpenBAO.

use std::time::{Duration, Instant};

use planton_core::catalog::{
    CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord,
    conformance as catalog_conformance,
};
use planton_core::deadline::OperationContext;
use planton_core::kek::Rewrap;
use planton_core::store::{
    Absence, Deletion, DescribeOptions, SecretStore, StoreErrorKind, VersionStatus,
};
use planton_vendors::http::RetryPolicy;
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::client::{OpenBaoAuth, OpenBaoClient, PolicyRole};
use subtle::ConstantTimeEq;
use xtask::faults::{FaultProxy, Match, ProxyOptions};

use super::customers_key::support::{Customer, context, dek, unwrap, wrap};
use super::own::{PAYLOAD, name, version};
use super::support::{Place, config, token};

fn front(place: &Place) -> FaultProxy {
    FaultProxy::start(&ProxyOptions::to(&place.admin.address).as_vault()).unwrap()
}

fn own(place: &Place, kind: &str, front: &FaultProxy) -> OpenBaoStore {
    let own = place.own(kind).with("address", front.address());
    own.given("token", place.root_token()).store()
}

/// Returns a platform's client for this KV mount.
fn client(place: &Place, front: &FaultProxy, kv: &str) -> OpenBaoClient {
    let auth: OpenBaoAuth = token(place.root_token());
    let config = config(front.address(), kv, "transit", auth);
    OpenBaoClient::new(&config, Some(&place.fence_path())).unwrap()
}

/// Checks that no request was rejected, and that each one after the first write had an
/// index.
fn assert_accepted(front: &FaultProxy) {
    let requests = front.requests();
    let refused = requests.iter().filter(|seen| seen.status() == Some(400));
    let conflicts = refused.filter(|seen| seen.answered().is_none());
    assert_eq!(conflicts.count(), 0, "{requests:?}");
    let forwarding = Match::header("x-vault-inconsistent", "");
    assert_eq!(front.count(&forwarding), 0, "{requests:?}");
    let is_write = |seen: &&xtask::faults::Seen| seen.method() == "POST";
    let before = requests.iter().take_while(|seen| !is_write(seen)).count();
    for seen in &requests[before + 1..] {
        assert!(seen.header("x-vault-index").is_some(), "{seen:?}");
    }
}

#[tokio::test]
async fn a_backend_sends_its_index_and_never_the_forwarding_header() {
    let place = Place::new().await;
    for kind in ["hashicorp_vault", "openbao"] {
        let front = front(&place);
        let store = own(&place, kind, &front);
        let one = store.put(&name(), PAYLOAD, version(1)).await.unwrap();
        let two = store.put(&name(), PAYLOAD, version(2)).await.unwrap();
        assert_eq!(store.get(&name(), &one).await.unwrap(), PAYLOAD);
        for absence in [Absence::Quick, Absence::Confirmed] {
            let about = DescribeOptions {
                version: two.clone(),
                others: vec![one.clone()],
                absence,
            };
            let status = store.describe(&name(), about).await.unwrap();
            assert_eq!(status, VersionStatus::Present);
        }
        let versions = vec![one.clone(), two];
        let what = Deletion::Object { versions };
        store.delete(&name(), what).await.unwrap();
        let gone = store.get(&name(), &one).await.unwrap_err();
        assert_eq!(gone.kind(), StoreErrorKind::NotFound);
        assert_accepted(&front);
        // The client did not need to know the server's product, so it did not ask.
        assert_eq!(front.count(&Match::path("/sys/health")), 0);
    }
}

#[tokio::test]
async fn a_platform_keeps_all_that_a_catalog_promises() {
    let place = Place::new().await;
    let front = front(&place);
    let client = client(&place, &front, place.kv());
    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Apply);
    catalog_conformance::run_all(&catalog, "vault").await;
    assert_accepted(&front);
}

#[tokio::test]
async fn a_standby_that_has_not_reached_the_index_is_asked_again() {
    let place = Place::new().await;
    let front = front(&place);
    let store = own(&place, "hashicorp_vault", &front);
    let id = store.put(&name(), PAYLOAD, version(1)).await.unwrap();
    front.lag(5);
    assert_eq!(store.get(&name(), &id).await.unwrap(), PAYLOAD);
    let told: Vec<_> = front.requests().iter().map(|seen| seen.status()).collect();
    let told: Vec<_> = told.into_iter().flatten().collect();
    assert_eq!(told, [200, 412, 412, 412, 412, 412, 200]);
}

/// More often than the number of tries: the standby works, and will catch up.
#[tokio::test]
async fn a_standby_that_lags_is_waited_for_until_the_operations_deadline() {
    let place = Place::new().await;
    let front = front(&place);
    let config = config(
        front.address(),
        place.kv(),
        "transit",
        token(place.root_token()),
    );
    let retry = RetryPolicy {
        max_tries: 3,
        base_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(2),
        ..RetryPolicy::default()
    };
    let client = OpenBaoClient::with_retry(&config, Some(&place.fence_path()), retry).unwrap();
    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Apply);
    let key = RecordKey::new("secrets/org/db");
    let record = StoredRecord {
        body: "{}".to_owned(),
        mac: "00".to_owned(),
    };
    let write = catalog.write(&key, &record, Revision::ABSENT).await;
    let revision = write.unwrap();
    let within = |time| OperationContext {
        deadline: Some(Instant::now() + time),
        ..OperationContext::default()
    };
    front.lag(20);
    let read = within(Duration::from_secs(60)).scope(catalog.read(&key));
    assert_eq!(read.await.unwrap(), Some((record, revision)));
    let behind = front.requests();
    let behind = behind.iter().filter(|seen| seen.status() == Some(412));
    assert_eq!(behind.count(), 20);

    front.lag(usize::MAX);
    let read = within(Duration::from_millis(200)).scope(catalog.read(&key));
    let error = read.await.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn remedies_are_commands_of_the_server_that_is_there() {
    let place = Place::new().await;
    let key = RecordKey::new("secrets/org/db");
    let remedy = async |client: &OpenBaoClient| {
        let catalog = OpenBaoCatalog::new(client, &place.scope, PolicyRole::Apply);
        let error = catalog.read(&key).await.unwrap_err();
        error.remedy().unwrap_or_default().to_owned()
    };
    // A platform's client asks for the product once, for the remedy only.
    let front = front(&place);
    let nowhere = client(&place, &front, "nowhere");
    for _ in 0..2 {
        let text = remedy(&nowhere).await;
        assert!(
            text.contains("`vault secrets enable -path=nowhere"),
            "{text}"
        );
    }
    assert_eq!(front.count(&Match::path("/sys/health")), 1);

    let proxy = place.proxy();
    let text = remedy(&client(&place, &proxy, "nowhere")).await;
    assert!(text.contains("`bao secrets enable -path=nowhere"), "{text}");
    assert_eq!(proxy.count(&Match::path("/sys/health")), 1);

    // A backend's client knows the product from its block.
    for (kind, command) in [("hashicorp_vault", "vault"), ("openbao", "bao")] {
        let proxy = place.proxy();
        let own = place.own(kind).with("address", proxy.address());
        let own = own.with("kv_mount_path", "nowhere");
        let store = own.given("token", place.root_token()).store();
        let error = store.put(&name(), PAYLOAD, version(1)).await.unwrap_err();
        let expected = format!("`{command} secrets enable -path=nowhere");
        let text = error.remedy().unwrap();
        assert!(text.contains(&expected), "{text}");
        assert_eq!(proxy.count(&Match::path("/sys/health")), 0);
    }
}

#[tokio::test]
async fn an_index_tells_whose_commands_to_print() {
    let place = Place::new().await;
    let front = front(&place);
    let client = client(&place, &front, place.kv());
    client.fence().await.unwrap();
    // The first write to a mount that is not of version 2.
    place
        .admin
        .ok(
            "POST",
            &format!("sys/mounts/{}-one", place.kv()),
            r#"{"type":"kv"}"#,
        )
        .await;
    assert_eq!(client.vendor().await.command(), "vault");
    assert_eq!(front.count(&Match::path("/sys/health")), 0);
}

#[tokio::test]
async fn a_customers_key_wraps_opens_and_rewraps() {
    let place = Place::new().await;
    let front = front(&place);
    let customer = Customer::created(&place, "theirs").await;
    let customer = customer.with("address", front.address());
    let resolved = customer.resolved().await;
    let kek = resolved.kek.as_ref();
    let old = wrap(kek).await.unwrap();
    let rotate = format!("{}/keys/theirs/rotate", place.config.transit_mount_path);
    place.admin.ok("POST", &rotate, "").await;
    let due = [Rewrap {
        wrapped: &old,
        context: context(kek),
    }];
    let new = kek.rewrap(&due).await.remove(0).unwrap();
    let description = kek.describe().await.unwrap();
    assert_eq!(description.newest_version, Some(2));
    assert_eq!(kek.is_newest(&new, &description), Some(true));
    let fresh = customer.open(&resolved.id);
    for wrapped in [&old, &new] {
        let opened = unwrap(fresh.as_ref(), wrapped).await.unwrap();
        assert!(bool::from(opened.ct_eq(&dek())));
    }
    let requests = front.requests();
    let refused = requests.iter().find(|seen| seen.status() != Some(200));
    assert!(refused.is_none(), "{refused:?}");
    assert!(front.count(&Match::path("/rewrap/theirs")) > 0);
}
