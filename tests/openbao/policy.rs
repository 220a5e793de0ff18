use std::collections::BTreeMap;

use planton_core::catalog::{CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord};
use planton_core::kek::{KekErrorKind, KeyEncryptionKey, ProvisionKek};
use planton_core::store::{
    Absence, Deletion, DescribeOptions, PutOptions, RemoteName, SecretStore, StoreErrorKind,
};
use planton_envelope::{DataKey, WrapBinding};
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::TransitKek;
use planton_vendors::openbao::client::{OpenBaoClient, PolicyRole, policy_text, store_policy_text};
use uuid::Uuid;

use super::support::{Place, token};

fn key() -> RecordKey {
    RecordKey::new("secrets/org/db")
}

fn record() -> StoredRecord {
    StoredRecord {
        body: "{}".to_owned(),
        mac: "00".to_owned(),
    }
}

fn name() -> RemoteName {
    RemoteName::new("planton/acme/org/db-0badcafe".to_owned())
}

fn version() -> PutOptions {
    PutOptions {
        version: 1,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// Returns a client whose token has this policy only, without the default one.
async fn client_with(place: &Place, text: &str) -> OpenBaoClient {
    place.client_as(token(&place.only(text).await))
}

#[tokio::test]
async fn the_apply_policy_suffices_for_everything() {
    let place = Place::new().await;
    let client = client_with(&place, &policy_text(&place.scope, PolicyRole::Apply)).await;

    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    let binding = WrapBinding::for_mac_key(Uuid::nil(), kek.id());
    let dek = DataKey::copy_of(&[1; 32]);
    let wrapped = kek.wrap(&dek, &binding).await.unwrap();
    kek.unwrap(&wrapped, &binding).await.unwrap();
    let text = std::str::from_utf8(wrapped.as_bytes()).unwrap();
    let transit = client.transit();
    transit
        .rewrap("planton-acme", text, binding.as_bytes())
        .await
        .unwrap();

    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Apply);
    assert_eq!(catalog.read(&key()).await.unwrap(), None);
    let one = catalog
        .write(&key(), &record(), Revision::ABSENT)
        .await
        .unwrap();
    let two = catalog.write(&key(), &record(), one).await.unwrap();
    catalog.read_fenced(&key()).await.unwrap();
    catalog.forget_history(&key(), two).await.unwrap();
    assert_eq!(catalog.list("secrets").await.unwrap(), [key()]);
    let metadata = client
        .kv()
        .metadata("catalog/acme/secrets/org/db")
        .await
        .unwrap();
    assert!(
        metadata.unwrap().versions[&1].destroyed,
        "history was forgotten in earnest"
    );

    let store = OpenBaoStore::platform(&client, &place.scope);
    let id = store.put(&name(), b"pse1.AA", version()).await.unwrap();
    store.get(&name(), &id).await.unwrap();
    let about = DescribeOptions {
        version: id.clone(),
        others: Vec::new(),
        absence: Absence::Quick,
    };
    store.describe(&name(), about.clone()).await.unwrap();
    let versions = vec![id];
    store
        .delete(&name(), Deletion::Object { versions })
        .await
        .unwrap();
    let gone = store.describe(&name(), about).await.unwrap_err();
    assert_eq!(
        gone.kind(),
        StoreErrorKind::NotFound,
        "it was deleted, not only destroyed"
    );
}

#[tokio::test]
async fn the_apply_policy_reaches_no_other_organization_and_makes_no_key_by_encrypting() {
    let place = Place::new().await;
    let client = client_with(&place, &policy_text(&place.scope, PolicyRole::Apply)).await;
    let transit = client.transit();
    assert!(
        transit
            .encrypt("planton-acme", &[0; 32], &[0; 32])
            .await
            .is_err()
    );
    assert_eq!(transit.key("planton-acme").await.unwrap(), None);
    assert!(
        transit
            .encrypt("planton-other", &[0; 32], &[0; 32])
            .await
            .is_err()
    );
    let kv = client.kv();
    assert!(kv.metadata("catalog/other/default").await.is_err());
    assert!(kv.metadata("catalog/acme-too/default").await.is_err());
    assert!(
        kv.read::<serde_json::Value>("planton/other/org/db")
            .await
            .is_err()
    );
    assert!(kv.delete_metadata("catalog/acme/default").await.is_err());
}

#[tokio::test]
async fn the_plan_policy_reads_records_and_opens_nothing() {
    let place = Place::new().await;
    let root = place.client();
    let catalog = OpenBaoCatalog::new(&root, &place.scope, PolicyRole::Apply);
    let one = catalog
        .write(&key(), &record(), Revision::ABSENT)
        .await
        .unwrap();
    let store = OpenBaoStore::platform(&root, &place.scope);
    let id = store.put(&name(), b"pse1.AA", version()).await.unwrap();
    let kek = TransitKek::platform(&root, &place.scope);
    kek.provision().await.unwrap();
    let binding = WrapBinding::for_mac_key(Uuid::nil(), kek.id());
    let dek = DataKey::copy_of(&[1; 32]);
    let wrapped = kek.wrap(&dek, &binding).await.unwrap();

    let client = client_with(&place, &policy_text(&place.scope, PolicyRole::Plan)).await;
    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Plan);
    assert_eq!(catalog.read(&key()).await.unwrap(), Some((record(), one)));
    assert_eq!(
        catalog.read(&RecordKey::new("default")).await.unwrap(),
        None
    );
    assert_eq!(catalog.list("secrets").await.unwrap(), [key()]);
    catalog.forget_history(&key(), Revision(2)).await.unwrap();
    let store = OpenBaoStore::platform(&client, &place.scope);
    let about = DescribeOptions {
        version: id.clone(),
        others: Vec::new(),
        absence: Absence::Quick,
    };
    store.describe(&name(), about).await.unwrap();

    let denied = catalog.write(&key(), &record(), one).await.unwrap_err();
    assert_eq!(denied.kind(), CatalogErrorKind::PermissionDenied);
    let denied = store.get(&name(), &id).await.unwrap_err();
    assert_eq!(denied.kind(), StoreErrorKind::PermissionDenied);
    let kek = TransitKek::platform(&client, &place.scope);
    let denied = kek.unwrap(&wrapped, &binding).await.unwrap_err();
    assert_eq!(denied.kind(), KekErrorKind::PermissionDenied);
    let remedy = denied.remedy().unwrap();
    let rule = format!(
        "path \"{}/decrypt/planton-acme\"",
        place.scope.transit_mount_path
    );
    assert!(remedy.contains(&rule), "{remedy}");
}

#[tokio::test]
async fn a_backends_own_policy_suffices_for_its_store() {
    let place = Place::new().await;
    let mount = &place.scope.kv_mount_path;
    let text = store_policy_text(mount, "planton/acme");
    let only = place.only(&text).await;
    let mut own = place.own("openbao");
    own.settings.name_prefix = "planton/acme".to_owned();
    let own = own.given("token", &only);
    let store = own.store();
    let id = store.put(&name(), b"pse1.AA", version()).await.unwrap();
    store.get(&name(), &id).await.unwrap();
    store
        .delete(&name(), Deletion::Versions(vec![id.clone()]))
        .await
        .unwrap();
    // A new process also writes its fence there.
    let fresh = own.store();
    let gone = fresh.get(&name(), &id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
    let elsewhere = RemoteName::new("planton/other/db".to_owned());
    let error = store
        .put(&elsewhere, b"pse1.AA", version())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::PermissionDenied);
    let remedy = error.remedy().unwrap();
    assert!(
        remedy.contains(&store_policy_text(mount, "planton/acme")),
        "{remedy}"
    );
}

#[tokio::test]
async fn remedies_are_enough_to_mend_a_denial() {
    let place = Place::new().await;
    let lookup = "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }\n";
    let client = client_with(&place, lookup).await;
    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Apply);
    let error = catalog.read(&key()).await.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::PermissionDenied);
    let (_, policy) = error.remedy().unwrap().split_once('\n').unwrap();
    let client = client_with(&place, policy).await;
    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Apply);
    assert_eq!(catalog.read(&key()).await.unwrap(), None);
}
