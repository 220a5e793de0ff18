//! Runs the conformance suite of stores on the user's own server, and reads the result
//! with the vendor's official client.

use std::collections::BTreeMap;

use planton_core::store::{ConnectStore, SecretStore, conformance};
use planton_vendors::Connector;
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::client::{OpenBaoClient, OpenBaoConfig};
use serde_json::json;
use xtask::reader::{self, Object, Reading};
use xtask::tools::Tools;

use super::conformance::{Intruder, capability};
use super::own::{namespace, with_approle, with_jwt};
use super::support::Place;
use super::support::own::Own;
use test_support::reading::{Recorded, leave_sealed};

#[tokio::test]
async fn an_openbao_passes_the_conformance_suite_as_root_and_with_its_own_policy() {
    let place = Place::new().await;
    let mut own = place.own("openbao").given("token", place.root_token());
    own.settings.name_prefix = "own-root".to_owned();
    check_conformance(&place, &own, None).await;

    let place = Place::new().await;
    let mut own = place.own("openbao");
    own.settings.name_prefix = "own-role".to_owned();
    let own = with_approle(own, &place.admin, place.kv()).await;
    check_conformance(&place, &own, None).await;
}

#[tokio::test]
async fn a_vault_passes_the_conformance_suite_in_a_namespace() {
    let place = Place::new().await;
    let (namespace, inside) = namespace(&place).await;
    let folder = tempfile::tempdir().unwrap();
    let mut own = place
        .own("hashicorp_vault")
        .with("namespace", namespace.as_str());
    own.settings.name_prefix = "own-vault".to_owned();
    let [own, _] = with_jwt(own, &inside, place.kv(), &folder.path().join("jwt")).await;
    check_conformance(&place, &own, Some(&namespace)).await;
    // The store wrote nothing outside its prefix.
    let outside = place.client().kv().list("own-vault").await.unwrap();
    assert!(outside.is_empty(), "{outside:?}");
}

async fn check_conformance(place: &Place, own: &Own, namespace: Option<&str>) {
    let vendor = match own.settings.kind.as_str() {
        "openbao" => capability("openbao", "OpenBAO"),
        _ => capability("hashicorp_vault", "HashiCorp Vault"),
    };
    assert_eq!(
        Connector::default().capability(&own.settings.kind),
        Some(vendor.clone())
    );
    let prefix = &own.settings.name_prefix;
    let store = Recorded::new(own.store());
    assert_eq!(*store.capability(), vendor);
    let gaps = conformance::run_all(&store, prefix).await.unwrap();
    // Each version has its own path, so there is no object that could be missing.
    let anew = (
        "put_of_a_further_version_makes_no_object",
        conformance::Gap::MakesObjectsAnew,
    );
    assert_eq!(gaps.all(), [anew]);

    expect_ciphertext_only(place, namespace, &store, prefix).await;

    let config = OpenBaoConfig {
        namespace: namespace.map(str::to_owned),
        ..place.config.clone()
    };
    let intruder = Intruder(OpenBaoClient::new(&config, None).unwrap().kv());
    let drifting = format!("{prefix}/drift");
    let gaps = conformance::run_drift(&store, &intruder, &drifting).await;
    assert_eq!(gaps.unwrap().all(), []);
}

/// Leaves a sealed version too, and lets hvac read the whole mount.
pub(crate) async fn expect_ciphertext_only(
    place: &Place,
    namespace: Option<&str>,
    store: &Recorded<OpenBaoStore>,
    prefix: &str,
) {
    let sealed = leave_sealed(store, prefix).await;
    let reading = read(place, namespace);
    expect_one_path_for_each_version(store, &reading);
    // No labels: `custom_metadata` would need one more request for each creation.
    let by_name = by_name(&reading);
    sealed
        .expect_among(store, &by_name, |_, _| Vec::new())
        .await;
    for object in &reading.objects {
        assert!(object.about.is_empty(), "{object:?}");
    }
}

/// Returns everything in the mount except the fences of processes.
fn read(place: &Place, namespace: Option<&str>) -> Reading {
    let request = json!({
        "vendor": "kv",
        "address": place.admin.address,
        "token": place.root_token(),
        "namespace": namespace,
        "mount": place.kv(),
    });
    let mut reading = reader::read(&Tools::locate().unwrap(), &request).unwrap();
    reading.objects.retain(|object| {
        let is_fence = object.name.contains("/.fence/") || object.name.contains("/fence/");
        if is_fence {
            assert!(
                object
                    .payloads
                    .iter()
                    .all(|fence| fence == br#"{"fence": "1"}"#)
            );
        }
        !is_fence
    });
    reading
}

fn expect_one_path_for_each_version(store: &Recorded<OpenBaoStore>, reading: &Reading) {
    let mut expected = Vec::new();
    for (name, versions) in store.left() {
        for id in versions.keys() {
            let (slot, _) = id.split_once('@').unwrap();
            expected.push(format!("{name}/{slot}"));
        }
    }
    expected.sort_unstable();
    let paths = reading.objects.iter().map(|object| object.name.clone());
    assert_eq!(paths.collect::<Vec<_>>(), expected);
}

/// Groups the paths of an object's versions by object.
fn by_name(reading: &Reading) -> Reading {
    let mut objects: BTreeMap<&str, Object> = BTreeMap::new();
    for version in &reading.objects {
        let (name, _) = version.name.rsplit_once('/').unwrap();
        let object = objects.entry(name).or_insert_with(|| Object {
            name: name.to_owned(),
            about: Vec::new(),
            payloads: Vec::new(),
        });
        object.payloads.extend(version.payloads.iter().cloned());
    }
    Reading {
        objects: objects.into_values().collect(),
        printed: reading.printed.clone(),
    }
}
