//! Which key it is: cluster, namespace, mount and name; and what settings say of it.

use planton_core::kek::KekErrorKind;
use serde_json::json;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use xtask::faults::{Fault, FaultProxy, Match};

use super::support::{Customer, dek, unwrap, wrap};
use crate::support::Place;
use crate::support::faults::{Verdict, proxy};
use crate::support::server::Server;

async fn cluster(place: &Place) -> String {
    let health = place.admin.ok("GET", "sys/health", "").await;
    health["cluster_id"].as_str().unwrap().to_owned()
}

fn paths(proxy: &FaultProxy) -> Vec<String> {
    let requests = proxy.requests();
    requests.iter().map(|seen| seen.path().to_owned()).collect()
}

//= docs/format.md#29-customers-transit-kek
//= type=test
//# A writer MUST write `vault_transit` as `provider`, and as `kek_id` the cluster's UUID in
//# lower case, the namespace, the engine's mount and the key's name, joined by `:`.
#[tokio::test]
async fn a_key_is_identified_by_its_cluster_and_place() {
    let place = Place::new().await;
    let (cluster, mount) = (cluster(&place).await, &place.config.transit_mount_path);
    let customer = Customer::created(&place, "theirs").await;
    let resolved = customer.resolved().await;
    assert_eq!(resolved.id.provider, "vault_transit");
    assert_eq!(resolved.id.id, format!("{cluster}::{mount}:theirs"));
    let wrapped = wrap(resolved.kek.as_ref()).await.unwrap();

    // The same name in a namespace is another key.
    let namespace = format!("team-{}", Uuid::new_v4().simple());
    let path = format!("sys/namespaces/{namespace}");
    place.admin.ok("POST", &path, "{}").await;
    let inside = place.admin.in_namespace(&namespace);
    let mounted = r#"{"type":"transit"}"#;
    inside
        .ok("POST", &format!("sys/mounts/{mount}"), mounted)
        .await;
    let key = format!("{mount}/keys/theirs");
    inside.ok("POST", &key, r#"{"derived":true}"#).await;
    let other = customer.with("namespace", format!("{namespace}/"));
    let other = other.resolved().await;
    assert_eq!(other.id.id, format!("{cluster}:{namespace}:{mount}:theirs"));
    wrap(other.kek.as_ref()).await.unwrap();
    let error = unwrap(other.kek.as_ref(), &wrapped).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Refused, "{error:?}");
}

//= docs/format.md#29-customers-transit-kek
//= type=test
//# A reader that reaches the engine MUST compare the server's cluster with the `kek_id` before
//# it sends anything else to the engine.
#[tokio::test]
async fn another_cluster_is_asked_for_nothing_but_its_identity() {
    let place = Place::new().await;
    let customer = Customer::created(&place, "theirs").await;
    let resolved = customer.resolved().await;
    let wrapped = wrap(resolved.kek.as_ref()).await.unwrap();

    // A server with a key of the same name, at the address of the first one.
    let restored = Server::start().await;
    let admin = restored.admin();
    let mount = &place.config.transit_mount_path;
    let mounted = r#"{"type":"transit"}"#;
    admin
        .ok("POST", &format!("sys/mounts/{mount}"), mounted)
        .await;
    let key = format!("{mount}/keys/theirs");
    admin.ok("POST", &key, r#"{"derived":true}"#).await;
    let front = FaultProxy::start(&xtask::faults::ProxyOptions::to(&restored.address)).unwrap();
    let elsewhere = customer
        .with("address", front.address())
        .given("token", &restored.root_token);
    let kek = elsewhere.open(&resolved.id);
    assert_eq!(paths(&front), [""; 0], "open sends nothing");
    let (first, second) = (cluster(&place).await, {
        let health = admin.ok("GET", "sys/health", "").await;
        health["cluster_id"].as_str().unwrap().to_owned()
    });
    let errors = [
        wrap(kek.as_ref()).await.map(drop),
        unwrap(kek.as_ref(), &wrapped).await.map(drop),
        kek.describe().await.map(drop),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert_eq!(error.kind(), KekErrorKind::Misconfigured, "{error:?}");
        let remedy = error.remedy().unwrap();
        assert!(
            remedy.contains(&first) && remedy.contains(&second),
            "{remedy}"
        );
    }
    assert!(paths(&front).iter().all(|path| path == "/v1/sys/health"));
    // Saved again, it is another key.
    let again = elsewhere.resolved().await;
    assert_ne!(again.id, resolved.id);
}

//= docs/format.md#29-customers-transit-kek
//= type=test
//# If that response is of Vault Enterprise and has `replication_performance_mode` `primary`
//# or `secondary`, a writer MUST take the `cluster_id` in the response to `GET
//# /v1/sys/replication/performance/status`.
#[tokio::test]
async fn members_of_a_replication_have_the_same_key() {
    let place = Place::new().await;
    let customer = Customer::created(&place, "theirs").await;
    let before = customer.resolved().await;
    let wrapped = wrap(before.kek.as_ref()).await.unwrap();
    let front = place.proxy();
    let primary = Uuid::new_v4();
    let own = cluster(&place).await;
    let replicated = |mode: &str, own: &str| {
        front.forget();
        let health = json!({
            "version": "1.19.0+ent", "enterprise": true, "cluster_id": own,
            "replication_performance_mode": mode,
        });
        let status = json!({"data": {"cluster_id": primary, "mode": mode}});
        for (path, body) in [
            ("/sys/health", health),
            ("/sys/replication/performance/status", status),
        ] {
            let answer = Fault::answer_in_place(200).with_body(&body.to_string());
            front.fail(answer.on(Match::path(path)));
        }
    };
    let customer = customer.with("address", front.address());
    let mut ids = Vec::new();
    for mode in ["primary", "secondary"] {
        replicated(mode, &Uuid::new_v4().to_string());
        let resolved = customer.resolved().await;
        assert!(resolved.id.id.starts_with(&format!("{primary}:")));
        ids.push(resolved.id);
    }
    assert_eq!(ids[0], ids[1]);
    // A key that was saved before the replication began still opens.
    replicated("primary", &own);
    let kek = customer.open(&before.id);
    let opened = unwrap(kek.as_ref(), &wrapped).await.unwrap();
    assert!(bool::from(opened.ct_eq(&dek())));
    assert_eq!(front.unused_faults(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_ignores_namespaces_gets_no_key_to_wrap() {
    let place = Place::new().await;
    let customer = Customer::created(&place, "theirs").await;
    let community = proxy(&place.admin.address, |request| {
        request.forget("x-vault-namespace");
        Verdict::Pass
    })
    .await;
    let customer = customer
        .with("address", community)
        .with("namespace", "team");
    let error = customer.resolve().await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Misconfigured, "{error:?}");
    assert_eq!(error.path(), "namespace");
}

#[tokio::test]
async fn settings_are_checked_without_a_request_at_the_argument_to_edit() {
    let place = Place::new().await;
    let good = Customer::of(&place, "theirs").with("address", "http://127.0.0.1:1");
    good.check().unwrap();
    let mut without_key = good.clone();
    without_key.settings.configuration.remove("key_name");
    let mut without_address = good.clone();
    without_address.settings.configuration.remove("address");
    let approle = json!({"role_id": "r"});
    for (bad, path) in [
        (without_key, "key_name"),
        (without_address, "address"),
        (good.clone().with("key_name", "a/hunter2"), "key_name"),
        (good.clone().with("mount_path", "hunter2 !"), "mount_path"),
        (good.clone().with("namespace", "hunter2 !"), "namespace"),
        (good.clone().with("address", "hunter2"), "address"),
        (good.clone().with("approle", approle), "token_wo"),
        (good.clone().with("ca_cert_pem", "hunter2"), "ca_cert_pem"),
        (good.clone().given("token", " "), "token_wo"),
    ] {
        let Err(error) = bad.check() else {
            // A blank token is refused by the server, not by the settings.
            assert_eq!(path, "token_wo");
            continue;
        };
        assert_eq!(error.path(), path, "{error:?}");
        assert!(error.remedy().is_some(), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn a_key_logs_in_as_a_backend_does() {
    let place = Place::new().await;
    let mut customer = Customer::created(&place, "theirs").await;
    customer.credential.clear();
    let mount = &place.config.transit_mount_path;
    let policy = format!("path \"{mount}/*\" {{ capabilities = [\"read\", \"update\"] }}");
    let name = format!("transit-{}", Uuid::new_v4().simple());
    place.admin.policy(&name, &policy).await;
    let role = json!({"token_policies": [name]}).to_string();
    let (mount_path, role_id, secret_id) = place.admin.approle(&role).await;
    let customer = customer
        .with(
            "approle",
            json!({"mount_path": mount_path, "role_id": role_id}),
        )
        .given("secret_id", &secret_id);
    customer.check().unwrap();
    let resolved = customer.resolved().await;
    let wrapped = wrap(resolved.kek.as_ref()).await.unwrap();
    let fresh = customer.open(&resolved.id);
    unwrap(fresh.as_ref(), &wrapped).await.unwrap();
}
