//! Tests a mount that requires a compare-and-set for every write.

use planton_core::catalog::{CatalogStore, RecordKey, conformance as catalog_conformance};
use planton_core::store::{Absence, Deletion, DescribeOptions, SecretStore, VersionStatus};
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::client::{PolicyRole, policy_text};

use super::own::{PAYLOAD, name, version};
use super::support::{Place, counted, token};

async fn place() -> Place {
    let place = Place::new().await;
    let config = format!("{}/config", place.kv());
    let body = r#"{"cas_required":true}"#;
    place.admin.ok("POST", &config, body).await;
    let bare = format!("{}/data/bare", place.kv());
    let (status, _) = place
        .admin
        .call("POST", &bare, r#"{"data":{"a":"b"}}"#)
        .await;
    assert_eq!(status, 400, "the mount demands it");
    place
}

#[tokio::test]
async fn the_first_fence_of_a_process_costs_three_requests_and_each_other_one() {
    let place = place().await;
    let client = place.client();
    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Apply);
    let key = RecordKey::new("secrets/org/db");
    let (read, requests) = counted(&client, catalog.read_fenced(&key)).await;
    assert_eq!(read.unwrap(), None);
    assert_eq!(requests, 4, "refused, its version, the fence, the record");
    for _ in 0..2 {
        let (read, requests) = counted(&client, catalog.read_fenced(&key)).await;
        assert_eq!((read.unwrap(), requests), (None, 2));
    }
}

#[tokio::test]
async fn a_fence_that_another_process_wrote_meanwhile_is_written_again() {
    let place = place().await;
    let (one, two) = (place.client(), place.client());
    for _ in 0..3 {
        for client in [&one, &two] {
            client.fence().await.unwrap();
        }
    }
    let (fenced, requests) = counted(&one, one.fence()).await;
    fenced.unwrap();
    assert_eq!(requests, 3, "a conflict, the version, the fence");
}

#[tokio::test]
async fn all_that_a_catalog_promises_holds() {
    let place = place().await;
    let catalog = OpenBaoCatalog::new(&place.client(), &place.scope, PolicyRole::Apply);
    catalog_conformance::run_all(&catalog, "cas").await;
}

#[tokio::test]
async fn the_printed_policies_suffice_there_too() {
    let place = place().await;
    let apply = place
        .only(&policy_text(&place.scope, PolicyRole::Apply))
        .await;
    let apply = place.client_as(token(&apply));
    let store = OpenBaoStore::platform(&apply, &place.scope);
    let id = store.put(&name(), PAYLOAD, version(1)).await.unwrap();

    let plan = place
        .only(&policy_text(&place.scope, PolicyRole::Plan))
        .await;
    let plan = place.client_as(token(&plan));
    let looking = OpenBaoStore::platform(&plan, &place.scope);
    let about = DescribeOptions {
        version: id.clone(),
        others: Vec::new(),
        absence: Absence::Confirmed,
    };
    let status = looking.describe(&name(), about).await.unwrap();
    assert_eq!(status, VersionStatus::Present);
    let catalog = OpenBaoCatalog::new(&plan, &place.scope, PolicyRole::Plan);
    let absent = catalog.read_fenced(&RecordKey::new("secrets/org/db")).await;
    assert_eq!(absent.unwrap(), None);

    let what = Deletion::Object { versions: vec![id] };
    store.delete(&name(), what).await.unwrap();
}

#[tokio::test]
async fn a_backend_of_ones_own_works_there_too() {
    let place = place().await;
    let own = place.own("openbao").given("token", place.root_token());
    let store = own.store();
    let id = store.put(&name(), PAYLOAD, version(1)).await.unwrap();
    assert_eq!(own.store().get(&name(), &id).await.unwrap(), PAYLOAD);
    let whole = Deletion::Object {
        versions: Vec::new(),
    };
    own.store().delete(&name(), whole).await.unwrap();
    let listed = place.client().kv().list(name().as_str()).await.unwrap();
    assert!(listed.is_empty(), "{listed:?}");
}
