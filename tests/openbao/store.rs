use std::collections::BTreeMap;

use planton_core::store::{
    Absence, Deletion, DescribeOptions, NativeVersionId, PutOptions, RemoteName, SecretStore,
    StoreErrorKind, VersionStatus,
};
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::client::{OpenBaoErrorKind, PolicyRole, policy_text};
use uuid::Uuid;
use xtask::faults::Fault;

use super::support::{Place, counted, token};

const PAYLOAD: &[u8] = b"pse1.UFNFMQ";

fn name() -> RemoteName {
    RemoteName::new("planton/acme/org/db-0badcafe".to_owned())
}

fn version(version: u64) -> PutOptions {
    PutOptions {
        version,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

fn about(version: &NativeVersionId, others: &[&NativeVersionId]) -> DescribeOptions {
    DescribeOptions {
        version: version.clone(),
        others: others.iter().copied().cloned().collect(),
        absence: Absence::Quick,
    }
}

/// Returns the path of a version inside the KV mount.
fn path(id: &NativeVersionId) -> String {
    let (slot, _) = id.as_str().split_once('@').unwrap();
    format!("{}/{slot}", name())
}

#[tokio::test]
async fn each_verb_takes_one_request() {
    let place = Place::new().await;
    let client = place.client();
    let store = OpenBaoStore::platform(&client, &place.scope);
    let (id, requests) = counted(&client, store.put(&name(), PAYLOAD, version(1))).await;
    let id = id.unwrap();
    assert_eq!(requests, 1, "put");
    let (read, requests) = counted(&client, store.get(&name(), &id)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 1), "get");
    let (status, requests) = counted(&client, store.describe(&name(), about(&id, &[]))).await;
    assert_eq!(
        (status.unwrap(), requests),
        (VersionStatus::Present, 1),
        "describe"
    );
    let what = Deletion::Object { versions: vec![id] };
    let (deleted, requests) = counted(&client, store.delete(&name(), what)).await;
    deleted.unwrap();
    assert_eq!(requests, 1, "delete");
}

#[tokio::test]
async fn a_listing_is_fenced_and_reads_only_the_versions_that_are_not_known() {
    let place = Place::new().await;
    let writer = place.client();
    let store = OpenBaoStore::platform(&writer, &place.scope);
    let mut ids = Vec::new();
    for number in 1..=2 {
        ids.push(store.put(&name(), PAYLOAD, version(number)).await.unwrap());
    }
    // A process that has not written anything.
    let client = place.client();
    let store = OpenBaoStore::platform(&client, &place.scope);
    let listing = store.listing().unwrap();
    let (found, requests) = counted(&client, listing.versions_besides(&name(), &ids)).await;
    assert_eq!((found.unwrap(), requests), (Vec::new(), 2), "a fence first");
    let (found, requests) = counted(&client, listing.versions_besides(&name(), &ids[..1])).await;
    let found: Vec<_> = found.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!((found.as_slice(), requests), (&ids[1..], 2));
    let (children, requests) = counted(&client, listing.children("planton/acme/org")).await;
    assert_eq!(
        (children.unwrap(), requests),
        (vec!["db-0badcafe".to_owned()], 2)
    );

    let policy = policy_text(&place.scope, PolicyRole::Read);
    let client = place.client_as(token(&place.only(&policy).await));
    let store = OpenBaoStore::platform(&client, &place.scope);
    let denied = store.listing().unwrap().children("planton/acme/org").await;
    let denied = denied.unwrap_err();
    assert_eq!(denied.kind(), StoreErrorKind::PermissionDenied);
    let remedy = denied.remedy().unwrap();
    assert!(remedy.contains("\"list\""), "{remedy}");
}

//= docs/format.md#20-places
//= type=test
//# On OpenBAO and HashiCorp Vault, a writer MUST write an envelope at the place and in the
//# form of this table.
#[tokio::test]
async fn an_envelope_stands_where_it_is_published() {
    let place = Place::new().await;
    let store = OpenBaoStore::platform(&place.client(), &place.scope);
    let id = store.put(&name(), b"pse1.one", version(7)).await.unwrap();
    let (slot, _time) = id.as_str().split_once('@').unwrap();
    assert!(
        slot.starts_with("7-") && slot.len() == "7-01234567".len(),
        "{id}"
    );
    let path = format!("{}/data/{}/{slot}", place.kv(), name());
    let answer = place.admin.ok("GET", &path, "").await;
    let expected = serde_json::json!({"envelope": "pse1.one"});
    assert_eq!(answer["data"]["data"], expected);
}

#[tokio::test]
async fn a_fresh_process_pays_for_one_fence_before_it_believes_that_nothing_is_there() {
    let place = Place::new().await;
    let gone = NativeVersionId::new("1-0badcafe@2026-01-01T00:00:00Z".to_owned());
    let client = place.client();
    let store = OpenBaoStore::platform(&client, &place.scope);
    let (outcome, requests) = counted(&client, store.get(&name(), &gone)).await;
    assert_eq!(outcome.unwrap_err().kind(), StoreErrorKind::NotFound);
    assert_eq!(requests, 3, "read, fence, read");
    let (outcome, requests) = counted(&client, store.get(&name(), &gone)).await;
    assert_eq!(outcome.unwrap_err().kind(), StoreErrorKind::NotFound);
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn versions_stand_side_by_side_and_go_one_by_one() {
    let place = Place::new().await;
    let store = OpenBaoStore::platform(&place.client(), &place.scope);
    let one = store.put(&name(), b"pse1.one", version(1)).await.unwrap();
    let two = store.put(&name(), b"pse1.two", version(2)).await.unwrap();
    let rival = store.put(&name(), b"pse1.rival", version(2)).await.unwrap();
    for (id, payload) in [
        (&one, "pse1.one"),
        (&two, "pse1.two"),
        (&rival, "pse1.rival"),
    ] {
        assert_eq!(store.get(&name(), id).await.unwrap(), payload.as_bytes());
    }
    let what = Deletion::Versions(vec![one.clone(), rival]);
    store.delete(&name(), what.clone()).await.unwrap();
    store.delete(&name(), what).await.unwrap();
    let gone = store.get(&name(), &one).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
    let status = store.describe(&name(), about(&one, &[&two])).await.unwrap();
    assert_eq!(status, VersionStatus::Missing);
    let versions = vec![two.clone()];
    store
        .delete(&name(), Deletion::Object { versions })
        .await
        .unwrap();
    let gone = store
        .describe(&name(), about(&one, &[&two]))
        .await
        .unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
}

#[tokio::test]
async fn describe_tells_deleted_destroyed_and_replaced_versions() {
    let place = Place::new().await;
    let kv = place.client().kv();
    let store = OpenBaoStore::platform(&place.client(), &place.scope);
    let put = async || store.put(&name(), PAYLOAD, version(1)).await.unwrap();
    let status = async |id| store.describe(&name(), about(id, &[])).await.unwrap();
    let fetch = async |id| store.get(&name(), id).await.map_err(|error| error.kind());

    let deleted = put().await;
    kv.soft_delete(&path(&deleted)).await.unwrap();
    assert_eq!(status(&deleted).await, VersionStatus::Missing);
    assert_eq!(fetch(&deleted).await, Err(StoreErrorKind::NotFound));

    let destroyed = put().await;
    kv.destroy(&path(&destroyed), &[1]).await.unwrap();
    assert_eq!(status(&destroyed).await, VersionStatus::Missing);
    assert_eq!(fetch(&destroyed).await, Err(StoreErrorKind::NotFound));

    let data = serde_json::json!({"envelope": "pse1.UFNFMQ"});
    let overwritten = put().await;
    kv.write(&path(&overwritten), &data, 1).await.unwrap();
    assert_eq!(status(&overwritten).await, VersionStatus::Replaced);
    assert_eq!(fetch(&overwritten).await, Err(StoreErrorKind::Corrupt));

    let recreated = put().await;
    kv.delete_metadata(&path(&recreated)).await.unwrap();
    kv.write(&path(&recreated), &data, 0).await.unwrap();
    assert_eq!(status(&recreated).await, VersionStatus::Replaced);
    assert_eq!(fetch(&recreated).await, Err(StoreErrorKind::Corrupt));

    let foreign = put().await;
    kv.delete_metadata(&path(&foreign)).await.unwrap();
    kv.write(
        &path(&foreign),
        &serde_json::json!({"password": "hunter2"}),
        0,
    )
    .await
    .unwrap();
    let error = store.get(&name(), &foreign).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_put_whose_answer_was_lost_recognizes_its_own() {
    let place = Place::new().await;
    let proxy = place.proxy();
    proxy.fail(Fault::lose_answer());
    let client = place.client_at(proxy.address());
    let store = OpenBaoStore::platform(&client, &place.scope);
    let (id, requests) = counted(&client, store.put(&name(), PAYLOAD, version(1))).await;
    assert_eq!(requests, 3, "lost, conflict, read");
    let id = id.unwrap();
    let elsewhere = OpenBaoStore::platform(&place.client(), &place.scope);
    assert_eq!(elsewhere.get(&name(), &id).await.unwrap(), PAYLOAD);
    let status = elsewhere.describe(&name(), about(&id, &[])).await.unwrap();
    assert_eq!(status, VersionStatus::Present);
}

#[tokio::test]
async fn what_stands_there_already_is_never_written_over() {
    let place = Place::new().await;
    let store = OpenBaoStore::platform(&place.client(), &place.scope);
    let options = version(1);
    let id = store.put(&name(), PAYLOAD, options.clone()).await.unwrap();
    let again = store.put(&name(), PAYLOAD, options.clone()).await.unwrap();
    assert_eq!(
        again, id,
        "the same attempt with the same payload is one put"
    );
    let error = store
        .put(&name(), b"pse1.other", options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
    assert_eq!(store.get(&name(), &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn limits_are_checked_before_anything_is_sent() {
    let place = Place::new().await;
    let client = place.client();
    let store = OpenBaoStore::platform(&client, &place.scope);
    let largest = vec![b'a'; store.capability().max_payload_bytes];
    let larger = [largest.as_slice(), b"a"].concat();
    let error = store.put(&name(), &larger, version(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    let bad = RemoteName::new("planton/../x".to_owned());
    let error = store.put(&bad, PAYLOAD, version(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InvalidName);
    assert_eq!(client.requests().total(), 0);
    let id = store.put(&name(), &largest, version(1)).await.unwrap();
    assert_eq!(store.get(&name(), &id).await.unwrap(), largest);
    let longest = RemoteName::new("n".repeat(store.capability().name.max_bytes));
    store
        .put(&longest, PAYLOAD, version(u64::MAX))
        .await
        .unwrap();
}

#[tokio::test]
async fn delete_falls_back_to_destroying_the_data() {
    let place = Place::new().await;
    let admin = &place.admin;
    let kv = place.kv().to_owned();
    let without = format!("nodelete-{kv}");
    let text = format!(
        "path \"{kv}/data/*\" {{ capabilities = [\"create\", \"read\", \"update\"] }}\n\
         path \"{kv}/metadata/*\" {{ capabilities = [\"read\"] }}\n\
         path \"auth/token/lookup-self\" {{ capabilities = [\"read\"] }}\n"
    );
    admin.policy(&without, &text).await;
    let destroys = format!("destroys-{kv}");
    let text = format!("path \"{kv}/destroy/*\" {{ capabilities = [\"update\"] }}\n");
    admin.policy(&destroys, &text).await;

    let may = token(&admin.token(&[&without, &destroys]).await);
    let store = OpenBaoStore::platform(&place.client_as(may), &place.scope);
    let id = store.put(&name(), PAYLOAD, version(1)).await.unwrap();
    let versions = vec![id.clone()];
    store
        .delete(&name(), Deletion::Object { versions })
        .await
        .unwrap();
    let gone = store.get(&name(), &id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
    let status = store.describe(&name(), about(&id, &[])).await.unwrap();
    assert_eq!(status, VersionStatus::Missing);

    let may_not = token(&admin.token(&[&without]).await);
    let store = OpenBaoStore::platform(&place.client_as(may_not), &place.scope);
    let id = store.put(&name(), PAYLOAD, version(1)).await.unwrap();
    let versions = vec![id.clone()];
    let error = store
        .delete(&name(), Deletion::Versions(versions))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::PermissionDenied);
    let remedy = error.remedy().unwrap();
    assert!(
        remedy.contains(&format!("path \"{kv}/destroy/planton/acme/*\"")),
        "{remedy}"
    );
    assert_eq!(store.get(&name(), &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn a_mount_whose_versions_expire_is_refused() {
    let place = Place::new().await;
    let client = place.client();
    let store = OpenBaoStore::platform(&client, &place.scope);
    let config = format!("{}/config", place.kv());
    let expiring = r#"{"delete_version_after":"1h"}"#;
    place.admin.ok("POST", &config, expiring).await;
    let error = store.put(&name(), PAYLOAD, version(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("delete_version_after=0s"), "{remedy}");
    let lasting = r#"{"delete_version_after":"0s"}"#;
    place.admin.ok("POST", &config, lasting).await;
    store.put(&name(), PAYLOAD, version(1)).await.unwrap();

    // A path may have its own setting.
    let path = "planton/acme/record";
    let data = serde_json::json!({"body": "x"});
    client.kv().write(path, &data, 0).await.unwrap();
    let metadata = format!("{}/metadata/{path}", place.kv());
    place.admin.ok("POST", &metadata, expiring).await;
    let error = client.kv().write(path, &data, 1).await.unwrap_err();
    assert_eq!(error.kind(), OpenBaoErrorKind::Misconfigured, "{error:?}");
    assert!(error.remedy().unwrap().contains("-versions=2"), "{error:?}");
}
