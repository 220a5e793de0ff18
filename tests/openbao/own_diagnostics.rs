//! Tests the diagnostics for a user's own server with invalid settings.

use planton_core::store::{Deletion, SecretStore, StoreError, StoreErrorKind};
use serde_json::json;

use super::own::{PAYLOAD, name, namespace, version};
use super::support::Place;
use super::support::faults::{Verdict, proxy};
use super::support::own::Own;

/// Returns the error of a first write.
async fn refused(own: &Own) -> StoreError {
    let put = own.store().put(&name(), PAYLOAD, version(1)).await;
    put.expect_err("it cannot be used")
}

fn remedy(error: &StoreError) -> &str {
    error.remedy().expect("an error names its remedy")
}

#[tokio::test]
async fn a_server_that_ignores_namespaces_is_refused_before_anything_is_written() {
    let place = Place::new().await;
    let community = proxy(&place.admin.address, |request| {
        request.forget("x-vault-namespace");
        Verdict::Pass
    })
    .await;
    let own = Own::new("hashicorp_vault", &community, place.kv())
        .with("namespace", "team")
        .given("token", place.root_token());
    let store = own.store();
    for _ in 0..2 {
        let error = store
            .put(&name(), PAYLOAD, version(1))
            .await
            .expect_err("the root is not meant");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
        assert_eq!(error.path(), "hashicorp_vault.namespace");
        assert!(remedy(&error).contains("\"team\""), "{error:?}");
    }
    assert_eq!(store.requests(), 2, "one each, and no write");
    let written = place.client().kv().list("planton").await.unwrap();
    assert!(written.is_empty(), "{written:?}");

    // Without a namespace, the server cannot ignore it.
    let own = Own::new("hashicorp_vault", &community, place.kv());
    let store = own.given("token", place.root_token()).store();
    store.put(&name(), PAYLOAD, version(1)).await.unwrap();
    assert_eq!(store.requests(), 1);
}

#[tokio::test]
async fn a_namespace_that_cannot_be_verified_yet_is_an_outage() {
    let place = Place::new().await;
    let down = proxy(&place.admin.address, |_| Verdict::Answer(503)).await;
    let own = Own::new("hashicorp_vault", &down, place.kv()).with("namespace", "team");
    let error = refused(&own.given("token", place.root_token())).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.operation(), "verify namespace");
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_told() {
    let place = Place::new().await;
    let own = place.own("hashicorp_vault").with("namespace", "nowhere");
    let error = refused(&own.given("token", place.root_token())).await;
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    assert!(remedy(&error).contains("namespace does not exist"));
}

/// The error of each rejected login names the attribute to edit, and contains no
/// credential.
#[tokio::test]
async fn a_credential_that_is_refused_is_told_with_the_attribute_to_edit() {
    let place = Place::new().await;
    let (mount_path, role_id, _) = place.admin.approle("{}").await;
    let approle = json!({"mount_path": mount_path, "role_id": role_id});
    let folder = tempfile::tempdir().unwrap();
    let jwt_file = folder.path().join("jwt");
    std::fs::write(&jwt_file, "hunter2").unwrap();
    std::fs::write(folder.path().join(".vault-token"), "s.hunter2").unwrap();
    let home = folder.path().to_str().unwrap();
    let own = |kind: &str| place.own(kind);
    let jwt = |file: &str| json!({"mount_path": "nowhere", "role": "r", "token_file": file});
    for (own, named) in [
        (own("openbao").given("token", "s.hunter2"), "token_wo"),
        (
            own("openbao")
                .with("approle", approle)
                .given("secret_id", "hunter2"),
            "approle.secret_id_wo",
        ),
        (
            own("openbao").with("jwt", jwt(jwt_file.to_str().unwrap())),
            "jwt.token_file",
        ),
        (
            own("openbao").with("jwt", jwt("/nowhere/hunter2")),
            "jwt.token_file",
        ),
        (
            own("openbao").with(
                "kubernetes",
                json!({"role": "r", "token_file": "/nowhere/hunter2"}),
            ),
            "kubernetes.token_file",
        ),
        (
            own("openbao").in_environment(&[("BAO_TOKEN", "s.hunter2")]),
            "BAO_TOKEN",
        ),
        (
            own("hashicorp_vault").in_environment(&[("HOME", home)]),
            ".vault-token",
        ),
        (own("hashicorp_vault"), "VAULT_TOKEN"),
    ] {
        let error = refused(&own).await;
        assert_eq!(error.kind(), StoreErrorKind::Unauthenticated, "{error:?}");
        assert!(remedy(&error).contains(named), "{named}: {error:?}");
        let told = format!("{error:?} {error} {}", remedy(&error));
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn what_is_wrong_at_first_may_be_mended_in_the_same_process() {
    let place = Place::new().await;
    let home = tempfile::tempdir().unwrap();
    let variables = [("HOME", home.path().to_str().unwrap())];
    let ca = home.path().join("ca.pem");
    let own = place
        .own("openbao")
        .with("ca_cert_file", ca.to_str().unwrap())
        .in_environment(&variables);
    let store = own.store();
    let put = async || {
        let put = store.put(&name(), PAYLOAD, version(1)).await;
        put.map(|_| ())
            .map_err(|error| (error.kind(), error.path().to_owned()))
    };
    let at = |kind, setting: &str| Err((kind, format!("openbao.{setting}")));
    assert_eq!(put().await, at(StoreErrorKind::Unauthenticated, "token_wo"));
    std::fs::write(home.path().join(".vault-token"), place.root_token()).unwrap();
    assert_eq!(
        put().await,
        at(StoreErrorKind::Misconfigured, "ca_cert_file")
    );
    std::fs::write(&ca, "hunter2").unwrap();
    assert_eq!(
        put().await,
        at(StoreErrorKind::Misconfigured, "ca_cert_pem")
    );
    assert_eq!(store.requests(), 0);
    std::fs::write(&ca, super::tls::Authority::new().pem()).unwrap();
    assert_eq!(put().await, Ok(()));
}

#[tokio::test]
async fn a_denial_prints_the_policy_to_grant() {
    let place = Place::new().await;
    let (namespace, inside) = namespace(&place).await;
    let lookup = "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }\n";
    inside.policy("nothing", lookup).await;
    let nothing = inside.token(&["nothing"]).await;
    let own = place.own("hashicorp_vault").with("namespace", namespace);
    let store = own.given("token", &nothing).store();
    let put = store.put(&name(), PAYLOAD, version(1)).await;
    let whole = Deletion::Object {
        versions: Vec::new(),
    };
    let deleted = store.delete(&name(), whole).await;
    for error in [put.map(|_| ()), deleted].map(Result::unwrap_err) {
        assert_eq!(error.kind(), StoreErrorKind::PermissionDenied, "{error:?}");
        let rule = format!("path \"{}/data/planton/*\"", place.kv());
        assert!(remedy(&error).contains(&rule), "{error:?}");
    }
}

#[tokio::test]
async fn connecting_reads_nothing_and_reaches_nobody() {
    let own = Own::new("openbao", "http://127.0.0.1:1", "kv")
        .with("client_cert_file", "/nowhere")
        .with("client_key_file", "/nowhere")
        .with("jwt", json!({"role": "r", "token_file": "/nowhere"}));
    let store = own.connect().unwrap();
    assert_eq!(store.requests(), 0);
    assert_eq!(store.capability().kind, "openbao");
}
