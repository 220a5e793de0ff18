//! Tests a user's own HashiCorp Vault or OpenBAO as a backend.

use std::collections::BTreeMap;
use std::path::Path;

use planton_core::store::{
    Absence, Deletion, DescribeOptions, NativeVersionId, PutOptions, RemoteName, SecretStore,
    StoreErrorKind, VersionStatus,
};
use planton_vendors::openbao::client::store_policy_text;
use planton_vendors::openbao::{OpenBaoStore, VaultKind};
use serde_json::{Value, json};
use uuid::Uuid;

use super::support::admin::Admin;
use super::support::jwt::{Issuer, TokenReview};
use super::support::own::Own;
use super::support::{Place, mount};

pub(crate) const PAYLOAD: &[u8] = b"pse1.UFNFMQ";

pub(crate) fn name() -> RemoteName {
    RemoteName::new("planton/acme/org/db-0badcafe".to_owned())
}

pub(crate) fn version(version: u64) -> PutOptions {
    PutOptions {
        version,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

fn about(version: &NativeVersionId) -> DescribeOptions {
    DescribeOptions {
        version: version.clone(),
        others: Vec::new(),
        absence: Absence::Quick,
    }
}

/// Returns the requests that `operation` sends through `store`.
async fn counted<T>(store: &OpenBaoStore, operation: impl Future<Output = T>) -> (T, u64) {
    let before = store.requests();
    let outcome = operation.await;
    (outcome, store.requests() - before)
}

/// Creates a namespace with a KV mount of the place's name. Returns its name and its
/// administrator.
pub(crate) async fn namespace(place: &Place) -> (String, Admin) {
    let name = format!("team-{}", Uuid::new_v4().simple());
    let path = format!("sys/namespaces/{name}");
    place.admin.ok("POST", &path, "{}").await;
    let inside = place.admin.in_namespace(&name);
    inside.enable_kv2(place.kv()).await;
    (name, inside)
}

/// Creates a role that has only the policy that errors print for this backend.
async fn role(admin: &Admin, own: &Own, kv: &str) -> Value {
    let policy = format!("own-{}", Uuid::new_v4().simple());
    let text = store_policy_text(&mount(kv), &own.settings.name_prefix);
    admin.policy(&policy, &text).await;
    json!({"token_policies": [policy], "token_no_default_policy": true})
}

pub(crate) async fn with_approle(own: Own, admin: &Admin, kv: &str) -> Own {
    let role = role(admin, &own, kv).await;
    let (mount_path, role_id, secret_id) = admin.approle(&role.to_string()).await;
    own.with(
        "approle",
        json!({"mount_path": mount_path, "role_id": role_id}),
    )
    .given("secret_id", &secret_id)
}

/// Returns the server with a JWT login. The second one reads the JWT from a file.
pub(crate) async fn with_jwt(own: Own, admin: &Admin, kv: &str, file: &Path) -> [Own; 2] {
    let mut role = role(admin, &own, kv).await;
    let more = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["planton"]});
    let fields = role.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    let issuer = Issuer::new();
    let mount_path = admin.jwt(&issuer, &role.to_string()).await;
    let claims = json!({"sub": "ci", "aud": "planton", "exp": 4_000_000_000_u64, "nbf": 1});
    let jwt = issuer.sign(&claims);
    std::fs::write(file, &jwt).unwrap();
    let login = json!({"mount_path": mount_path, "role": "ci"});
    let with_file = json!({"mount_path": mount_path, "role": "ci", "token_file": file});
    [
        own.clone().with("jwt", login).given("jwt", &jwt),
        own.with("jwt", with_file),
    ]
}

/// Returns the server with the login of a Kubernetes service account, whose token is in a
/// file.
async fn with_kubernetes(
    own: Own,
    admin: &Admin,
    kv: &str,
    (review, file): (&TokenReview, &Path),
) -> Own {
    let role = role(admin, &own, kv).await;
    let mount_path = admin.kubernetes(review, &role).await;
    let login = json!({"mount_path": mount_path, "role": "app", "token_file": file});
    own.with("kubernetes", login)
}

#[test]
fn only_the_types_of_ones_own_servers_are_known() {
    let vendor = |kind| VaultKind::parse(kind).map(VaultKind::vendor);
    assert_eq!(vendor("openbao"), Some("OpenBAO"));
    assert_eq!(vendor("hashicorp_vault"), Some("HashiCorp Vault"));
    for other in ["platform", "aws_secrets_manager", ""] {
        assert_eq!(vendor(other), None, "{other}");
    }
}

#[tokio::test]
async fn each_login_is_made_once_by_the_first_verb_and_each_verb_takes_one_request() {
    let place = Place::new().await;
    let (namespace, inside) = namespace(&place).await;
    let folder = tempfile::tempdir().unwrap();
    let own = |kind: &str| place.own(kind);
    let in_namespace = own("hashicorp_vault").with("namespace", namespace.as_str());
    let kv = place.kv();
    let file = folder.path().join("jwt");
    let [jwt, jwt_file] = with_jwt(own("openbao"), &place.admin, kv, &file).await;
    let file = folder.path().join("jwt-inside");
    let [jwt_inside, _] = with_jwt(in_namespace.clone(), &inside, kv, &file).await;
    let approle = with_approle(own("openbao"), &place.admin, kv).await;
    let approle_inside = with_approle(in_namespace.clone(), &inside, kv).await;
    let review = TokenReview::start().await;
    let account = folder.path().join("account");
    let account_token = Issuer::new().account_token();
    std::fs::write(&account, &account_token).unwrap();
    review.believe_only(&account_token);
    let account = (&review, account.as_path());
    let kubernetes = with_kubernetes(own("openbao"), &place.admin, kv, account).await;
    let kubernetes_inside = with_kubernetes(in_namespace.clone(), &inside, kv, account).await;
    let root = place.root_token();
    for (what, own, before) in [
        ("token", own("openbao").given("token", root), 0),
        ("approle", approle, 1),
        ("jwt", jwt, 1),
        ("jwt file", jwt_file, 1),
        ("kubernetes", kubernetes, 1),
        // The store verifies the namespace before the first write.
        ("token inside", in_namespace.given("token", root), 1),
        ("approle inside", approle_inside, 2),
        ("jwt inside", jwt_inside, 2),
        ("kubernetes inside", kubernetes_inside, 2),
    ] {
        let store = own.store();
        assert_eq!(store.requests(), 0, "{what}");
        let (one, requests) = counted(&store, store.put(&name(), PAYLOAD, version(1))).await;
        let one = one.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(requests, before + 1, "{what}: first put");
        let (two, requests) = counted(&store, store.put(&name(), PAYLOAD, version(2))).await;
        let two = two.unwrap();
        assert_eq!(requests, 1, "{what}: later put");
        let (read, requests) = counted(&store, store.get(&name(), &one)).await;
        assert_eq!(
            (read.unwrap().as_slice(), requests),
            (PAYLOAD, 1),
            "{what}: get"
        );
        let (status, requests) = counted(&store, store.describe(&name(), about(&two))).await;
        assert_eq!(
            (status.unwrap(), requests),
            (VersionStatus::Present, 1),
            "{what}: describe"
        );
        let versions = Deletion::Versions(vec![one]);
        let (deleted, requests) = counted(&store, store.delete(&name(), versions)).await;
        deleted.unwrap();
        assert_eq!(requests, 1, "{what}: delete of a version");
        let object = Deletion::Object {
            versions: vec![two],
        };
        let (deleted, requests) = counted(&store, store.delete(&name(), object)).await;
        deleted.unwrap();
        assert_eq!(requests, 1, "{what}: delete of the object");
    }
}

#[tokio::test]
async fn what_is_ambient_serves_where_nothing_is_given() {
    let place = Place::new().await;
    let root = place.root_token();
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".vault-token"), root).unwrap();
    let at_home = [("HOME", home.path().to_str().unwrap())];
    // The server does not know this one, so it must not take precedence.
    let unknown = [at_home[0], ("VAULT_TOKEN", "s.hunter2")];
    for (kind, variables, outcome) in [
        ("openbao", &[("BAO_TOKEN", root)][..], Ok(())),
        ("hashicorp_vault", &[("VAULT_TOKEN", root)], Ok(())),
        ("openbao", &at_home, Ok(())),
        ("hashicorp_vault", &at_home, Ok(())),
        // Vault's variable belongs to another server.
        ("openbao", &unknown, Ok(())),
        (
            "hashicorp_vault",
            &unknown,
            Err(StoreErrorKind::Unauthenticated),
        ),
    ] {
        let store = place.own(kind).in_environment(variables).store();
        let put = store.put(&name(), PAYLOAD, version(1)).await;
        let put = put.map(|_| ()).map_err(|error| error.kind());
        assert_eq!(put, outcome, "{kind}");
    }
}

#[tokio::test]
async fn of_a_creation_that_was_given_up_only_what_is_ours_is_removed() {
    let place = Place::new().await;
    let own = place.own("openbao").given("token", place.root_token());
    let gone = own.store();
    for number in 1..=2 {
        gone.put(&name(), PAYLOAD, version(number)).await.unwrap();
    }
    let beside = RemoteName::new(format!("{}/more", name()));
    let below = gone.put(&beside, PAYLOAD, version(1)).await.unwrap();
    let kv = place.client().kv();
    let foreign = [
        ("notes", json!({ "envelope": "pse1.UFNFMQ" })),
        ("3-0badcafe", json!({ "envelope": "hunter2" })),
        ("4-0badcafe", json!({ "password": "hunter2" })),
    ];
    for (slot, data) in &foreign {
        let path = format!("{}/{slot}", name());
        kv.write(&path, data, 0).await.unwrap();
    }
    let whole = || Deletion::Object {
        versions: Vec::new(),
    };

    let store = own.store();
    let (deleted, requests) = counted(&store, store.delete(&name(), whole())).await;
    deleted.unwrap();
    // The fence, the list, a read of each of the four slots, and two deletions.
    assert_eq!(requests, 2 + 4 + 2);
    let mut left = kv.list(name().as_str()).await.unwrap();
    left.sort_unstable();
    assert_eq!(left, ["3-0badcafe", "4-0badcafe", "more/", "notes"]);
    assert_eq!(store.get(&beside, &below).await.unwrap(), PAYLOAD);

    let nothing = RemoteName::new("planton/acme/org/never-0badcafe".to_owned());
    let (deleted, requests) = counted(&store, store.delete(&nothing, whole())).await;
    deleted.unwrap();
    assert_eq!(requests, 2, "the fence, a list that is empty");
}

#[tokio::test]
async fn what_may_not_be_listed_is_not_reported_as_deleted() {
    let place = Place::new().await;
    let kv = place.kv();
    let policy = format!(
        "path \"{kv}/data/planton/*\" {{ capabilities = [\"create\", \"read\", \"update\"] }}\n\
         path \"auth/token/lookup-self\" {{ capabilities = [\"read\"] }}\n"
    );
    let only = place.only(&policy).await;
    let store = place.own("openbao").given("token", &only).store();
    let id = store.put(&name(), PAYLOAD, version(1)).await.unwrap();
    let whole = Deletion::Object {
        versions: Vec::new(),
    };
    // The caller has an entry that leads to the object, and keeps it after a failure.
    let denied = store.delete(&name(), whole).await.unwrap_err();
    assert_eq!(denied.kind(), StoreErrorKind::PermissionDenied);
    let remedy = denied.remedy().unwrap();
    assert!(remedy.contains("\"list\""), "{remedy}");
    assert_eq!(store.get(&name(), &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn a_token_that_is_revoked_is_replaced_by_another_login() {
    let place = Place::new().await;
    let own = with_approle(place.own("openbao"), &place.admin, place.kv()).await;
    let store = own.store();
    store.put(&name(), PAYLOAD, version(1)).await.unwrap();
    let login = own.settings.nested("approle", "mount_path").unwrap();
    let revoke = format!("sys/leases/revoke-prefix/auth/{login}");
    place.admin.ok("POST", &revoke, "").await;
    let (put, requests) = counted(&store, store.put(&name(), PAYLOAD, version(2))).await;
    put.unwrap();
    assert_eq!(
        requests, 4,
        "denied, asked whether it is valid, login, sent again"
    );
}

#[tokio::test]
async fn a_service_accounts_token_is_read_from_its_file_at_each_login() {
    let place = Place::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (review, issuer) = (TokenReview::start().await, Issuer::new());
    let file = folder.path().join("token");
    // Replaces the token, as the cluster does.
    let renew = || {
        let token = issuer.account_token();
        review.believe_only(&token);
        std::fs::write(&file, format!("{token}\n")).unwrap();
        token
    };
    let old = renew();
    let account = (&review, file.as_path());
    let own = with_kubernetes(place.own("openbao"), &place.admin, place.kv(), account).await;
    let store = own.store();
    store.put(&name(), PAYLOAD, version(1)).await.unwrap();

    let login = own.settings.nested("kubernetes", "mount_path").unwrap();
    let revoke = format!("sys/leases/revoke-prefix/auth/{login}");
    let token = renew();
    // While the login is valid, the store does not read the new token.
    let (put, requests) = counted(&store, store.put(&name(), PAYLOAD, version(2))).await;
    put.unwrap();
    assert_eq!(requests, 1);
    place.admin.ok("POST", &revoke, "").await;
    let (put, requests) = counted(&store, store.put(&name(), PAYLOAD, version(3))).await;
    put.unwrap();
    assert_eq!(
        requests, 4,
        "denied, asked whether it is valid, login, sent again"
    );

    // The error for a token that the cluster rejects names its source.
    std::fs::write(&file, &old).unwrap();
    place.admin.ok("POST", &revoke, "").await;
    for store in [store, own.store()] {
        let put = store.put(&name(), PAYLOAD, version(4)).await;
        let error = put.expect_err("the token is an old one");
        assert_eq!(error.kind(), StoreErrorKind::Unauthenticated, "{error:?}");
        assert_eq!(error.setting(), Some("kubernetes.token_file"));
        assert!(
            error.remedy().unwrap().contains("kubernetes.token_file"),
            "{error:?}"
        );
        let told = format!("{error:?} {error} {:?} {store:?}", error.remedy());
        for secret in [&old, &token] {
            assert!(!told.contains(secret.as_str()), "{told}");
        }
    }
}
