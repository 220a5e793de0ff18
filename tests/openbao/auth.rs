use std::time::Duration;

use planton_vendors::openbao::client::{
    JwtSource, KvEntry, OpenBaoAuth, OpenBaoClient, OpenBaoErrorKind,
};
use serde_json::json;

use super::support::jwt::{Issuer, TokenReview};
use super::support::{Place, counted, mount, token};

/// Creates a policy for this place's whole KV mount. Returns the settings of a role with
/// it.
async fn role(place: &Place, more: serde_json::Value) -> serde_json::Value {
    let name = format!("all-{}", place.kv());
    let policy = format!(
        "path \"{}/*\" {{ capabilities = [\"create\", \"read\", \"update\"] }}",
        place.kv()
    );
    place.admin.policy(&name, &policy).await;
    let mut role = json!({"token_policies": [name]});
    role.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    role
}

async fn approle(place: &Place, more: serde_json::Value) -> OpenBaoAuth {
    let role = role(place, more).await;
    let (mount_path, role_id, secret_id) = place.admin.approle(&role.to_string()).await;
    OpenBaoAuth::AppRole {
        mount_path: mount(&mount_path),
        role_id: role_id.as_str().into(),
        secret_id: secret_id.as_str().into(),
    }
}

async fn write(client: &OpenBaoClient, path: &str) -> Result<(), OpenBaoErrorKind> {
    let data = json!({"x": "1"});
    let written = client.kv().write(path, &data, 0).await;
    written.map(|_| ()).map_err(|error| error.kind())
}

#[tokio::test]
async fn every_method_logs_in_once_and_lazily() {
    let place = Place::new().await;
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new();
    let admin = &place.admin;
    let jwt_role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["planton"]});
    let jwt_role = role(&place, jwt_role).await.to_string();
    let jwt_mount = admin.jwt(&issuer, &jwt_role).await;
    let claims = json!({"sub": "ci", "aud": "planton", "exp": 4_000_000_000_u64, "nbf": 1});
    let jwt = issuer.sign(&claims);
    let jwt_file = folder.path().join("jwt");
    std::fs::write(&jwt_file, &jwt).unwrap();

    let review = TokenReview::start().await;
    let k8s_role = role(&place, json!({})).await;
    let k8s_mount = admin.kubernetes(&review, &k8s_role).await;
    let account = issuer.account_token();
    review.believe_only(&account);
    let account_file = folder.path().join("account");
    std::fs::write(&account_file, account).unwrap();

    let OpenBaoAuth::Token(root) = place.config.auth.clone() else {
        unreachable!("a place is made with a token")
    };
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, format!("{}\n", root.expose())).unwrap();

    let jwt_auth = |source| OpenBaoAuth::Jwt {
        mount_path: mount(&jwt_mount),
        role: "ci".to_owned(),
        source,
    };
    let methods = [
        ("token", place.config.auth.clone(), 0),
        ("token_file", OpenBaoAuth::TokenFile(token_file), 0),
        ("approle", approle(&place, json!({})).await, 1),
        ("jwt", jwt_auth(JwtSource::Token(jwt.as_str().into())), 1),
        ("jwt_file", jwt_auth(JwtSource::File(jwt_file)), 1),
        (
            "kubernetes",
            OpenBaoAuth::Kubernetes {
                mount_path: mount(&k8s_mount),
                role: "app".to_owned(),
                token_file: account_file,
            },
            1,
        ),
    ];
    for (name, auth, logins) in methods {
        let client = place.client_as(auth);
        assert_eq!(client.requests().total(), 0, "{name}");
        assert_eq!(write(&client, name).await, Ok(()), "{name}");
        assert!(matches!(
            client.kv().read::<serde_json::Value>(name).await.unwrap(),
            KvEntry::Present { version: 1, .. }
        ));
        assert_eq!(client.requests().total(), logins + 2, "{name}");
    }
}

#[tokio::test]
async fn a_login_that_is_revoked_is_made_once_more_by_many_at_once() {
    let place = Place::new().await;
    let auth = approle(&place, json!({})).await;
    let OpenBaoAuth::AppRole { mount_path, .. } = auth.clone() else {
        unreachable!("an AppRole was made")
    };
    let client = place.client_as(auth);
    write(&client, "a").await.unwrap();
    let revoke = format!("sys/leases/revoke-prefix/auth/{mount_path}");
    place.admin.ok("POST", &revoke, "").await;
    // For each call: a denied request, a token lookup, and a repetition. One login in
    // total.
    let (outcomes, requests) = counted(&client, async {
        tokio::join!(
            write(&client, "b"),
            write(&client, "c"),
            write(&client, "d")
        )
    })
    .await;
    assert_eq!(outcomes, (Ok(()), Ok(()), Ok(())));
    assert_eq!(requests, 3 * 3 + 1);
}

#[tokio::test]
async fn a_login_whose_time_has_run_out_is_made_again() {
    let place = Place::new().await;
    let auth = approle(&place, json!({"token_ttl": "1s", "token_max_ttl": "1s"})).await;
    let client = place.client_as(auth);
    write(&client, "a").await.unwrap();
    // This test waits for the token's real expiry.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // A denied request, a login, a repetition. The lease shows that the token has
    // expired, so there is no lookup.
    let (outcome, requests) = counted(&client, write(&client, "b")).await;
    assert_eq!((outcome, requests), (Ok(()), 3));
}

#[tokio::test]
async fn a_denial_is_no_reason_to_log_in_again() {
    let place = Place::new().await;
    let auth = approle(&place, json!({})).await;
    let client = place.client_as(auth);
    write(&client, "a").await.unwrap();
    let (outcome, requests) = counted(&client, client.transit().key("any")).await;
    assert_eq!(
        outcome.unwrap_err().kind(),
        OpenBaoErrorKind::PermissionDenied
    );
    assert_eq!(requests, 2, "the request, and whether the token is valid");
}

#[tokio::test]
async fn a_token_that_is_none_is_unauthenticated_and_stays_out_of_the_error() {
    let place = Place::new().await;
    let client = place.client_as(token("s.hunter2hunter2hunter2"));
    let error = client.kv().metadata("a").await.unwrap_err();
    assert_eq!(error.kind(), OpenBaoErrorKind::Unauthenticated);
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_login_that_is_refused_is_unauthenticated_and_stays_out_of_the_error() {
    let place = Place::new().await;
    let auth = match approle(&place, json!({})).await {
        OpenBaoAuth::AppRole {
            mount_path,
            role_id,
            ..
        } => OpenBaoAuth::AppRole {
            mount_path,
            role_id,
            secret_id: "hunter2".into(),
        },
        other => other,
    };
    let client = place.client_as(auth);
    let error = client.kv().metadata("a").await.unwrap_err();
    assert_eq!(error.kind(), OpenBaoErrorKind::Unauthenticated, "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    assert!(error.remedy().unwrap().contains("role"), "{error:?}");
    assert_eq!(client.requests().total(), 1);

    let elsewhere = OpenBaoAuth::AppRole {
        mount_path: mount("nowhere"),
        role_id: "r".into(),
        secret_id: "s".into(),
    };
    let error = place
        .client_as(elsewhere)
        .kv()
        .metadata("a")
        .await
        .unwrap_err();
    let kinds = [
        OpenBaoErrorKind::Unauthenticated,
        OpenBaoErrorKind::Misconfigured,
    ];
    assert!(kinds.contains(&error.kind()), "{error:?}");
}

#[tokio::test]
async fn a_token_file_is_read_again_when_it_changed() {
    let place = Place::new().await;
    let OpenBaoAuth::Token(root) = place.config.auth.clone() else {
        unreachable!("a place is made with a token")
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s.invalid").unwrap();
    let client = place.client_as(OpenBaoAuth::TokenFile(file.clone()));
    assert_eq!(
        write(&client, "a").await,
        Err(OpenBaoErrorKind::Unauthenticated)
    );
    std::fs::write(&file, root.expose()).unwrap();
    assert_eq!(write(&client, "a").await, Ok(()));
}
