//! Tests that the store repeats a read behind a fence before it reports an object as
//! gone.

use std::collections::BTreeMap;

use planton_core::catalog::{CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord};
use planton_core::store::{
    Absence, DescribeOptions, NativeVersionId, PutOptions, RemoteName, SecretStore, StoreErrorKind,
    VersionStatus,
};
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::client::{OpenBaoClient, PolicyRole};
use uuid::Uuid;
use xtask::faults::{Fault, FaultProxy, Match};

use super::support::{Place, counted};

const PAYLOAD: &[u8] = b"pse1.UFNFMQ";

fn record(text: &str) -> StoredRecord {
    StoredRecord {
        body: format!("{{\"text\":\"{text}\"}}"),
        mac: "00ff".to_owned(),
    }
}

fn key() -> RecordKey {
    RecordKey::new("secrets/org/db")
}

fn name() -> RemoteName {
    RemoteName::new("planton/acme/org/db-0badcafe".to_owned())
}

fn first() -> PutOptions {
    PutOptions {
        version: 1,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

fn about(version: &NativeVersionId, absence: Absence) -> DescribeOptions {
    DescribeOptions {
        version: version.clone(),
        others: Vec::new(),
        absence,
    }
}

fn catalog(place: &Place, client: &OpenBaoClient) -> OpenBaoCatalog {
    OpenBaoCatalog::new(client, &place.scope, PolicyRole::Apply)
}

/// The response of a cache without the object.
fn stale_404(of: &str) -> Fault {
    Fault::status(404)
        .with_header("content-type", "application/json")
        .with_body("{\"errors\":[]}")
        .on(Match::path(of))
}

fn fences(proxy: &FaultProxy) -> usize {
    proxy.count(&Match::method("POST").and(Match::path("/fence/")))
}

#[tokio::test]
async fn a_fenced_read_writes_a_fence_whatever_was_written_before() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let client = place.client_at(proxy.address());
    let catalog = catalog(&place, &client);
    let (key, one) = (key(), record("one"));
    let revision = catalog.write(&key, &one, Revision::ABSENT).await.unwrap();
    assert!(client.is_fenced(), "the write vouches for itself");
    for number in 1..=3 {
        let (read, requests) = counted(&client, catalog.read_fenced(&key)).await;
        assert_eq!(read.unwrap(), Some((one.clone(), revision)));
        assert_eq!((requests, fences(&proxy)), (2, number));
    }
}

/// Its request had no index, although a write beside it has one by the time of its response.
#[tokio::test]
async fn an_absence_is_read_again_if_a_write_was_answered_only_meanwhile() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let client = place.client_at(proxy.address());
    let catalog = catalog(&place, &client);
    let (key, one) = (key(), record("one"));
    let (held, gate) = Fault::hold_answer();
    proxy.fail(held.on(Match::method("GET").and(Match::path("/secrets/org/db"))));
    let beside = async {
        gate.reached().await.unwrap();
        let entry = RecordKey::new("entries/db");
        catalog.write(&entry, &one, Revision::ABSENT).await.unwrap();
        assert!(client.is_fenced());
        gate.open();
    };
    let (read, ()) = tokio::join!(catalog.read(&key), beside);
    assert_eq!(read.unwrap(), None);
    assert_eq!(fences(&proxy), 1);
    assert_eq!(proxy.unused_faults(), [""; 0]);
}

#[tokio::test]
async fn a_look_after_an_own_write_is_one_request_unless_the_writes_answer_was_lost() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let client = place.client_at(proxy.address());
    let catalog = catalog(&place, &client);
    let (key, one) = (key(), record("one"));
    let revision = catalog.write(&key, &one, Revision::ABSENT).await.unwrap();
    let stored = Some((one.clone(), revision));
    let (look, requests) = counted(&client, catalog.read_since_own_writes(&key)).await;
    assert_eq!((look.unwrap(), requests), (stored.clone(), 1));
    // It has the index of the write, so every node returns this write.
    let last = proxy.requests().pop().unwrap();
    assert!(last.header("x-vault-index").is_some(), "{last:?}");

    // The first try of a write took effect, so the second one conflicts.
    let entry = RecordKey::new("entries/db");
    proxy.fail(Fault::lose_answer().on(Match::path("/entries/db")));
    let written = catalog.write(&entry, &one, Revision::ABSENT).await;
    assert_eq!(written.unwrap_err().kind(), CatalogErrorKind::Conflict);
    let before = fences(&proxy);
    let (look, requests) = counted(&client, catalog.read_since_own_writes(&key)).await;
    assert_eq!((look.unwrap(), requests), (stored, 2));
    assert_eq!(fences(&proxy), before + 1);
    assert_eq!(proxy.unused_faults(), [""; 0]);
}

#[tokio::test]
async fn a_stale_404_for_a_record_does_not_outlive_a_fenced_read() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let client = place.client_at(proxy.address());
    let catalog = catalog(&place, &client);
    let one = record("one");
    let revision = catalog.write(&key(), &one, Revision::ABSENT).await.unwrap();
    proxy.fail(stale_404("/data/catalog/acme/secrets/"));
    assert_eq!(
        catalog.read(&key()).await.unwrap(),
        None,
        "the fault strikes"
    );
    let read = catalog.read_fenced(&key()).await.unwrap();
    assert_eq!(read, Some((one, revision)));
    assert_eq!(proxy.unused_faults(), [""; 0]);
}

#[tokio::test]
async fn a_stale_404_for_an_object_does_not_outlive_a_confirmation() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let platform = place.client_at(proxy.address());
    let own = place.own("openbao").with("address", proxy.address());
    let own = own.given("token", place.root_token()).store();
    let platform = OpenBaoStore::platform(&platform, &place.scope);
    for store in [platform, own] {
        // This process has written since. That proves nothing about the writes of others.
        let id = store.put(&name(), PAYLOAD, first()).await.unwrap();
        proxy.fail(stale_404("/metadata/planton/"));
        let quick = store.describe(&name(), about(&id, Absence::Quick)).await;
        assert_eq!(quick.unwrap_err().kind(), StoreErrorKind::NotFound);
        let (before, seen) = (store.requests(), proxy.requests().len());
        let confirmed = store
            .describe(&name(), about(&id, Absence::Confirmed))
            .await;
        assert_eq!(confirmed.unwrap(), VersionStatus::Present);
        assert_eq!(store.requests() - before, 2, "the fence, the metadata");
        let seen: Vec<_> = proxy.requests()[seen..]
            .iter()
            .map(|seen| format!("{} {}", seen.method(), seen.path().contains("fence/")))
            .collect();
        assert_eq!(seen, ["POST true", "GET false"]);
        assert_eq!(proxy.unused_faults(), [""; 0]);
    }
}

#[tokio::test]
async fn what_is_gone_is_gone_after_a_confirmation_too() {
    let place = Place::new().await;
    let client = place.client();
    let store = OpenBaoStore::platform(&client, &place.scope);
    let one = store.put(&name(), PAYLOAD, first()).await.unwrap();
    let two = store.put(&name(), PAYLOAD, first()).await.unwrap();
    let slot = |id: &NativeVersionId| id.as_str().split_once('@').unwrap().0.to_owned();
    let path = |id: &NativeVersionId| format!("{}/{}", name(), slot(id));
    let confirmed = |others: Vec<NativeVersionId>| DescribeOptions {
        others,
        ..about(&one, Absence::Confirmed)
    };
    client.kv().soft_delete(&path(&one)).await.unwrap();
    let status = store.describe(&name(), confirmed(vec![])).await.unwrap();
    assert_eq!(status, VersionStatus::Missing, "deleted softly");
    client.kv().delete_metadata(&path(&one)).await.unwrap();
    let (status, requests) = counted(
        &client,
        store.describe(&name(), confirmed(vec![two.clone()])),
    )
    .await;
    assert_eq!((status.unwrap(), requests), (VersionStatus::Missing, 3));
    client.kv().delete_metadata(&path(&two)).await.unwrap();
    let gone = store.describe(&name(), confirmed(vec![two])).await;
    assert_eq!(gone.unwrap_err().kind(), StoreErrorKind::NotFound);
}

#[tokio::test]
async fn many_who_ask_at_once_share_a_fence_that_began_after_they_asked() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let client = place.client_at(proxy.address());
    let catalog = catalog(&place, &client);
    let keys: Vec<_> = (0..10)
        .map(|number| RecordKey::new(format!("secrets/org/{number}")))
        .collect();
    let reads = keys.iter().map(|key| catalog.read_fenced(key));
    for read in futures_util::future::join_all(reads).await {
        assert_eq!(read.unwrap(), None);
    }
    // The first process wrote a fence before the others asked. They share the next one.
    assert_eq!((fences(&proxy), proxy.requests().len()), (2, 12));
}

#[tokio::test]
async fn a_fence_that_may_not_be_written_is_an_error_and_no_proof() {
    let place = Place::new().await;
    let kv = place.kv();
    let policy = format!(
        "path \"{kv}/metadata/planton/*\" {{ capabilities = [\"read\"] }}\n\
         path \"auth/token/lookup-self\" {{ capabilities = [\"read\"] }}\n"
    );
    let only = place.only(&policy).await;
    let store = place.own("openbao").given("token", &only).store();
    let id = NativeVersionId::new("1-0badcafe@2026-01-01T00:00:00Z".to_owned());
    let denied = store
        .describe(&name(), about(&id, Absence::Confirmed))
        .await;
    assert_eq!(denied.unwrap_err().kind(), StoreErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_success_without_a_body_is_a_success() {
    let place = Place::new().await;
    for (status, body) in [
        (200, ""),
        (200, "\n"),
        (202, ""),
        (204, ""),
        (200, "{}"),
        (200, "done"),
    ] {
        let proxy = place.proxy();
        let client = place.client_at(proxy.address());
        let answer = || Fault::status(status).with_body(body);
        proxy.fail(answer().on(Match::path("/metadata/")));
        proxy.fail(answer().on(Match::path("/destroy/")));
        client.kv().delete_metadata("planton/x").await.unwrap();
        client.kv().destroy("planton/x", &[1]).await.unwrap();
        assert_eq!(proxy.unused_faults(), [""; 0]);
    }
}

#[tokio::test]
async fn a_strangers_page_is_no_corruption() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let client = place.client_at(proxy.address());
    let store = OpenBaoStore::platform(&client, &place.scope);
    let id = store.put(&name(), PAYLOAD, first()).await.unwrap();
    let page = || Fault::status(200).with_body("<html>Welcome to our network</html>");
    proxy.fail(page().on(Match::method("GET")).times(2));
    let read = store.get(&name(), &id).await.unwrap_err();
    let looked = store.describe(&name(), about(&id, Absence::Quick)).await;
    for error in [read, looked.unwrap_err()] {
        assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error:?}");
    }
    assert_eq!(proxy.unused_faults(), [""; 0]);
}
