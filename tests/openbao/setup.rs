use planton_core::catalog::{CatalogErrorKind, CatalogStore, RecordKey};
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::client::{
    KvEntry, OpenBaoClient, OpenBaoConfig, OpenBaoErrorKind, PolicyRole,
};
use serde_json::json;
use xtask::openbao::{OpenBao, Seal, ServerOptions};
use xtask::tools::Tools;

use super::support::{Place, config, hasty, mount, token};

fn elsewhere(place: &Place, change: impl FnOnce(&mut OpenBaoConfig)) -> OpenBaoClient {
    let mut config = place.config.clone();
    change(&mut config);
    OpenBaoClient::with_retry(&config, Some("fence/test"), hasty()).unwrap()
}

#[tokio::test]
async fn a_missing_mount_is_misconfigured_and_says_how_to_mend_it() {
    let place = Place::new().await;
    let client = elsewhere(&place, |config| {
        config.kv_mount_path = mount("nomount");
        config.transit_mount_path = mount("notransit");
    });
    let kv = client.kv();
    let read = kv.read::<serde_json::Value>("a").await.unwrap_err();
    let write = kv.write("a", &json!({}), 0).await.unwrap_err();
    let metadata = kv.metadata("a").await.unwrap_err();
    let listed = kv.list("a").await.unwrap_err();
    let key = client.transit().key("a").await.unwrap_err();
    for (error, mount) in [
        (read, "nomount"),
        (write, "nomount"),
        (metadata, "nomount"),
        (listed, "nomount"),
        (key, "notransit"),
    ] {
        assert_eq!(error.kind(), OpenBaoErrorKind::Misconfigured, "{error:?}");
        let remedy = error.remedy().unwrap();
        assert!(
            remedy.contains(&format!("enable -path={mount}")),
            "{remedy}"
        );
    }
}

#[tokio::test]
async fn a_mount_of_kv_version_1_is_misconfigured_and_keeps_nothing() {
    let place = Place::new().await;
    let v1 = format!("v1-{}", place.kv());
    place
        .admin
        .ok("POST", &format!("sys/mounts/{v1}"), r#"{"type":"kv"}"#)
        .await;
    let client = elsewhere(&place, |config| config.kv_mount_path = mount(&v1));
    let error = client
        .kv()
        .write("a", &json!({"x": "1"}), 0)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), OpenBaoErrorKind::Misconfigured);
    assert!(error.remedy().unwrap().contains("-version=2"), "{error:?}");
    let (status, _) = place.admin.call("GET", &format!("{v1}/data/a"), "").await;
    assert_eq!(status, 404, "what was written is taken back");

    place
        .admin
        .ok("POST", &format!("{v1}/data/b"), r#"{"data":{"x":"1"}}"#)
        .await;
    let error = client
        .kv()
        .read::<serde_json::Value>("b")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), OpenBaoErrorKind::Misconfigured);

    // The catalog detects an empty mount through the fence of its first read.
    let client = elsewhere(&place, |config| config.kv_mount_path = mount(&v1));
    let catalog = OpenBaoCatalog::new(&client, &place.scope, PolicyRole::Apply);
    let error = catalog
        .read(&RecordKey::new("organization"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Misconfigured);
    assert!(error.remedy().unwrap().contains("-version=2"), "{error:?}");
}

#[tokio::test]
async fn a_namespace_is_another_server_as_far_as_data_goes() {
    let place = Place::new().await;
    let name = format!("team-{}", place.kv());
    place
        .admin
        .ok("POST", &format!("sys/namespaces/{name}"), "{}")
        .await;
    place.admin.in_namespace(&name).enable_kv2(place.kv()).await;
    let inside = elsewhere(&place, |config| config.namespace = Some(format!("{name}/")));
    inside.kv().write("a", &json!({"x": "1"}), 0).await.unwrap();
    let outside = place.client().kv().metadata("a").await.unwrap();
    assert!(outside.is_none());
    assert!(inside.kv().metadata("a").await.unwrap().is_some());

    let nowhere = elsewhere(&place, |config| {
        config.namespace = Some("nowhere".to_owned())
    });
    let error = nowhere.kv().metadata("a").await.unwrap_err();
    assert_eq!(error.kind(), OpenBaoErrorKind::Misconfigured);
    assert!(error.remedy().unwrap().contains("namespace"), "{error:?}");
}

#[tokio::test]
async fn a_sealed_server_is_unavailable_after_all_retries() {
    let nobody_unseals = ServerOptions {
        seal: Seal::Shamir,
        ..ServerOptions::default()
    };
    let server = OpenBao::start(&Tools::locate().unwrap(), &nobody_unseals).unwrap();
    let config = config(
        server.address(),
        "kv",
        "transit",
        token(server.root_token()),
    );
    let client = OpenBaoClient::with_retry(&config, None, hasty()).unwrap();
    let error = client.kv().metadata("a").await.unwrap_err();
    assert_eq!(error.kind(), OpenBaoErrorKind::Unavailable);
    assert!(error.remedy().unwrap().contains("sealed"), "{error:?}");
    assert_eq!(client.requests().total(), 8);
}

#[tokio::test]
async fn kv_tells_present_deleted_and_absent_apart() {
    let place = Place::new().await;
    let kv = place.client().kv();
    let read = async |path: &str| kv.read::<serde_json::Value>(path).await.unwrap();
    assert_eq!(read("a").await, KvEntry::Absent);
    let written = kv.write("a", &json!({"x": "1"}), 0).await.unwrap();
    let KvEntry::Present {
        data,
        version,
        created_time,
    } = read("a").await
    else {
        panic!("what was written is there")
    };
    assert_eq!((data, version), (json!({"x": "1"}), 1));
    assert_eq!(created_time, written.created_time);
    for cas in [0, 2] {
        let error = kv.write("a", &json!({"x": "2"}), cas).await.unwrap_err();
        assert_eq!(error.kind(), OpenBaoErrorKind::Conflict);
    }
    kv.soft_delete("a").await.unwrap();
    assert_eq!(read("a").await, KvEntry::Deleted { version: 1 });
    kv.destroy("a", &[1]).await.unwrap();
    assert_eq!(read("a").await, KvEntry::Deleted { version: 1 });
    kv.delete_metadata("a").await.unwrap();
    assert_eq!(read("a").await, KvEntry::Absent);
    kv.delete_metadata("a").await.unwrap();
    kv.destroy("a", &[1]).await.unwrap();
    kv.write("f/a", &json!({}), 0).await.unwrap();
    kv.write("f/b/c", &json!({}), 0).await.unwrap();
    assert_eq!(kv.list("f").await.unwrap(), ["a", "b/"]);
    assert!(kv.list("g").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_path_that_climbs_out_is_not_sent() {
    let place = Place::new().await;
    let client = place.client();
    for path in ["a/../../sys/seal", "..", "a//b", "a?list=true", "a%2e%2e"] {
        let error = client.kv().metadata(path).await.unwrap_err();
        assert_eq!(error.kind(), OpenBaoErrorKind::InvalidPath, "{path}");
    }
    assert_eq!(client.requests().total(), 0);
}
