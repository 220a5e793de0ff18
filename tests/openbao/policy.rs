use std::collections::BTreeMap;

use planton_core::catalog::{CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord};
use planton_core::kek::{KekError, KekErrorKind, KeyEncryptionKey, ProvisionKek, Rewrap};
use planton_core::store::{
    Absence, Deletion, DescribeOptions, PutOptions, RemoteName, SecretStore, StoreErrorKind,
};
use planton_envelope::{DataKey, WrappedKey};
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::TransitKek;
use planton_vendors::openbao::client::{
    OpenBaoClient, OpenBaoErrorKind, PolicyRole, policy_text, store_policy_text,
};
use uuid::Uuid;

use super::support::{Place, bound, token};

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

/// Returns a client whose token has the policy of this role only.
async fn client_of(place: &Place, role: PolicyRole) -> OpenBaoClient {
    client_with(place, &policy_text(&place.scope, role)).await
}

/// Creates the keys as the first use of an organization does, and wraps a MAC key.
async fn first_use(place: &Place) -> WrappedKey {
    let client = client_of(place, PolicyRole::Init).await;
    TransitKek::platform(&client, &place.scope)
        .provision()
        .await
        .unwrap();
    let kek = TransitKek::platform_mac(&client, &place.scope);
    kek.provision().await.unwrap();
    kek.wrap(&dek(), bound(kek.id(), 1)).await.unwrap()
}

fn dek() -> DataKey {
    DataKey::copy_of(&[1; 32])
}

/// Asserts that a request was denied, and that the remedy grants exactly this.
fn assert_denied<T: std::fmt::Debug>(outcome: Result<T, KekError>, policy: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::PermissionDenied, "{error:?}");
    let (_, printed) = error.remedy().unwrap().split_once(":\npath ").unwrap();
    assert_eq!(format!("path {printed}"), policy);
}

fn rule(place: &Place, api: &str, key: &str, capabilities: &str) -> String {
    let transit = &place.scope.transit_mount_path;
    format!("path \"{transit}/{api}/{key}\" {{\n  capabilities = [{capabilities}]\n}}\n")
}

#[tokio::test]
async fn the_init_policy_suffices_for_first_use() {
    let place = Place::new().await;
    first_use(&place).await;
    for name in ["planton-acme", "planton-acme.mac"] {
        let key = place.client().transit().key(name).await.unwrap().unwrap();
        assert!(key.derived && !key.exportable, "{key:?}");
    }
}

#[tokio::test]
async fn the_apply_policy_suffices_for_everything() {
    let place = Place::new().await;
    let mac_key = first_use(&place).await;
    let client = client_of(&place, PolicyRole::Apply).await;

    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    let context = bound(kek.id(), 1);
    let wrapped = kek.wrap(&dek(), context).await.unwrap();
    kek.unwrap(&wrapped, context).await.unwrap();
    let wrapped = &wrapped;
    let rewrapped = kek.rewrap(&[Rewrap { wrapped, context }]).await;
    rewrapped.into_iter().for_each(|one| drop(one.unwrap()));
    let mac_kek = TransitKek::platform_mac(&client, &place.scope);
    let (wrapped, context) = (&mac_key, bound(mac_kek.id(), 1));
    mac_kek.unwrap(wrapped, context).await.unwrap();
    let rewrapped = mac_kek.rewrap(&[Rewrap { wrapped, context }]).await;
    rewrapped.into_iter().for_each(|one| drop(one.unwrap()));

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

/// A MAC key of one's own, put in the catalog, would authenticate forged records.
#[tokio::test]
async fn an_encrypting_role_cannot_forge_a_mac_key() {
    let place = Place::new().await;
    first_use(&place).await;
    let encrypt = rule(&place, "encrypt", "planton-acme.mac", "\"update\"");
    for role in [
        PolicyRole::Apply,
        PolicyRole::Seal,
        PolicyRole::Read,
        PolicyRole::Plan,
    ] {
        let client = client_of(&place, role).await;
        let transit = client.transit();
        let key = "planton-acme.mac";
        let forged = transit.encrypt(key, &[9; 32], &[0; 32]).await.unwrap_err();
        assert_eq!(
            forged.kind(),
            OpenBaoErrorKind::PermissionDenied,
            "{role:?}"
        );
    }
    let client = client_of(&place, PolicyRole::Apply).await;
    let kek = TransitKek::platform_mac(&client, &place.scope);
    let forged = kek.wrap(&dek(), bound(kek.id(), 1)).await;
    let told = forged.as_ref().unwrap_err().remedy().unwrap().to_owned();
    assert!(told.contains("requires the init policy"), "{told}");
    assert_denied(forged, &encrypt);
    // A rewrap takes a ciphertext of the same key only.
    let org = TransitKek::platform(&client, &place.scope);
    let own = org.wrap(&dek(), bound(org.id(), 1)).await.unwrap();
    let (wrapped, context) = (&own, bound(org.id(), 1));
    let moved = kek.rewrap(&[Rewrap { wrapped, context }]).await;
    let moved = moved.into_iter().next().unwrap().unwrap_err();
    assert_eq!(moved.kind(), KekErrorKind::Refused, "{moved:?}");
}

#[tokio::test]
async fn a_denied_first_use_names_the_init_policy_and_all_its_rules() {
    let place = Place::new().await;
    let client = client_of(&place, PolicyRole::Apply).await;
    let created = TransitKek::platform(&client, &place.scope)
        .provision()
        .await;
    let told = created.as_ref().unwrap_err().remedy().unwrap().to_owned();
    assert!(told.contains("requires the init policy"), "{told}");
    let creation = "\"create\", \"read\", \"update\"";
    let granted = [
        rule(&place, "keys", "planton-acme", creation),
        rule(&place, "keys", "planton-acme.mac", creation),
        rule(&place, "encrypt", "planton-acme.mac", "\"update\""),
    ]
    .concat();
    assert_denied(created, &granted);
    // What it prints is enough.
    let apply = policy_text(&place.scope, PolicyRole::Apply);
    let client = client_with(&place, &format!("{apply}{granted}")).await;
    for kek in [
        TransitKek::platform(&client, &place.scope),
        TransitKek::platform_mac(&client, &place.scope),
    ] {
        kek.provision().await.unwrap();
        kek.wrap(&dek(), bound(kek.id(), 1)).await.unwrap();
    }
}

#[tokio::test]
async fn the_seal_policy_encrypts_and_opens_nothing() {
    let place = Place::new().await;
    let mac_key = first_use(&place).await;
    let root = OpenBaoCatalog::new(&place.client(), &place.scope, PolicyRole::Apply);
    let organization = RecordKey::new("organization");
    for key in [&organization, &key()] {
        root.write(key, &record(), Revision::ABSENT).await.unwrap();
    }

    let client = client_of(&place, PolicyRole::Seal).await;
    let kek = TransitKek::platform(&client, &place.scope);
    kek.describe().await.unwrap();
    let context = bound(kek.id(), 1);
    let wrapped = kek.wrap(&dek(), context).await.unwrap();
    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Seal);
    assert!(catalog.read(&organization).await.unwrap().is_some());

    let denied = kek.unwrap(&wrapped, context).await;
    assert_denied(
        denied,
        &rule(&place, "decrypt", "planton-acme", "\"update\""),
    );
    let mac_kek = TransitKek::platform_mac(&client, &place.scope);
    let denied = mac_kek.unwrap(&mac_key, bound(mac_kek.id(), 1)).await;
    let decrypt = rule(&place, "decrypt", "planton-acme.mac", "\"update\"");
    assert_denied(denied, &decrypt);
    let denied = catalog.read(&key()).await.unwrap_err();
    assert_eq!(denied.kind(), CatalogErrorKind::PermissionDenied);
    let store = OpenBaoStore::platform(&client, &place.scope);
    let denied = store.put(&name(), b"pse1.AA", version()).await.unwrap_err();
    assert_eq!(denied.kind(), StoreErrorKind::PermissionDenied);
}

#[tokio::test]
async fn the_read_policy_opens_and_changes_nothing() {
    let place = Place::new().await;
    let mac_key = first_use(&place).await;
    let root = place.client();
    let catalog = OpenBaoCatalog::new(&root, &place.scope, PolicyRole::Apply);
    let one = catalog
        .write(&key(), &record(), Revision::ABSENT)
        .await
        .unwrap();
    let store = OpenBaoStore::platform(&root, &place.scope);
    let id = store.put(&name(), b"pse1.AA", version()).await.unwrap();
    let kek = TransitKek::platform(&root, &place.scope);
    let context = bound(kek.id(), 1);
    let wrapped = kek.wrap(&dek(), context).await.unwrap();

    let client = client_of(&place, PolicyRole::Read).await;
    let kek = TransitKek::platform(&client, &place.scope);
    kek.unwrap(&wrapped, context).await.unwrap();
    let mac_kek = TransitKek::platform_mac(&client, &place.scope);
    let mac_context = bound(mac_kek.id(), 1);
    mac_kek.unwrap(&mac_key, mac_context).await.unwrap();
    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Read);
    assert_eq!(catalog.read(&key()).await.unwrap(), Some((record(), one)));
    assert_eq!(catalog.list("secrets").await.unwrap(), [key()]);
    let absent = catalog.read_fenced(&RecordKey::new("default")).await;
    assert_eq!(absent.unwrap(), None);
    let store = OpenBaoStore::platform(&client, &place.scope);
    assert_eq!(store.get(&name(), &id).await.unwrap(), b"pse1.AA");

    let denied = kek.wrap(&dek(), context).await;
    assert_denied(
        denied,
        &rule(&place, "encrypt", "planton-acme", "\"update\""),
    );
    let (wrapped, context) = (&wrapped, context);
    let denied = kek.rewrap(&[Rewrap { wrapped, context }]).await.remove(0);
    assert_denied(
        denied,
        &rule(&place, "rewrap", "planton-acme", "\"update\""),
    );
    let denied = catalog.write(&key(), &record(), one).await.unwrap_err();
    assert_eq!(denied.kind(), CatalogErrorKind::PermissionDenied);
    let denied = store.put(&name(), b"pse1.AA", version()).await.unwrap_err();
    assert_eq!(denied.kind(), StoreErrorKind::PermissionDenied);
    let versions = vec![id];
    let denied = store.delete(&name(), Deletion::Object { versions }).await;
    let denied = denied.unwrap_err();
    assert_eq!(denied.kind(), StoreErrorKind::PermissionDenied);
}

#[tokio::test]
async fn the_apply_policy_reaches_no_other_organization_and_makes_no_key_by_encrypting() {
    let place = Place::new().await;
    let client = client_of(&place, PolicyRole::Apply).await;
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
    let context = bound(kek.id(), 1);
    let wrapped = kek.wrap(&dek(), context).await.unwrap();

    let client = client_of(&place, PolicyRole::Plan).await;
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
    let denied = kek.unwrap(&wrapped, context).await.unwrap_err();
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
