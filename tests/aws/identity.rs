//! Tests each source of credentials, and their expiry.

use std::fs;

use planton_core::store::{Deletion, NativeVersionId, SecretStore, StoreErrorKind, VersionStatus};
use serde_json::{Value, json};

use super::support::child::{Stage, played_childs_part};
use super::support::{PAYLOAD, Place, REGION, counted, metadata, status, version};

const NONE: fn() -> Value = || json!({});

fn endpoint(place: &Place) -> Value {
    json!({ "endpoint": place.moto.address() })
}

/// Returns the access keys of the requests for names and roles of a place.
fn callers(place: &Place) -> Vec<String> {
    let lines = place.moto.requests(&place.unique).unwrap().into_iter();
    lines
        .map(|line| {
            let parts: Vec<_> = line.split(' ').collect();
            format!("{} {}", parts[0], parts[1])
        })
        .collect()
}

#[tokio::test]
async fn the_environments_key_and_region_serve() {
    if played_childs_part().await {
        return;
    }
    let place = Place::new().await;
    let environment = [
        ("AWS_ACCESS_KEY_ID", place.key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &place.secret_key),
        ("AWS_REGION", REGION),
    ];
    let test = "identity::the_environments_key_and_region_serve";
    let mut child = Stage::open(
        test,
        &place.name(),
        &endpoint(&place),
        &NONE(),
        &environment,
    );
    assert_eq!(child.hear()["requests"], 2);
    assert_eq!(child.get()["requests"], 1);
    assert_eq!(callers(&place)[0], format!("CreateSecret {}", place.key_id));
}

#[tokio::test]
async fn a_profile_serves_and_is_read_again_when_its_key_has_run_out() {
    if played_childs_part().await {
        return;
    }
    let place = Place::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (config, shared) = (
        folder.path().join("config"),
        folder.path().join("credentials"),
    );
    fs::write(&config, format!("[profile ci]\nregion = {REGION}\n")).unwrap();
    let credentials = |id: &str, secret: &str| {
        let text = format!("[ci]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        fs::write(&shared, text).unwrap();
    };
    credentials(&place.key_id, &place.secret_key);
    let environment = [
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_SHARED_CREDENTIALS_FILE", shared.to_str().unwrap()),
    ];
    let mut settings = endpoint(&place);
    settings["profile"] = json!("ci");
    let test = "identity::a_profile_serves_and_is_read_again_when_its_key_has_run_out";
    let mut child = Stage::open(test, &place.name(), &settings, &NONE(), &environment);
    assert_eq!(child.hear()["requests"], 2);

    place.moto.expire(&place.key_id).unwrap();
    let refused = child.get();
    assert_eq!(refused["kind"], "Unauthenticated", "{refused}");
    let renewed = format!("{}2", place.key_id);
    place.moto.allow_key(&renewed, "renewed", None).unwrap();
    credentials(&renewed, "renewed");
    let read = child.get();
    assert_eq!(read["requests"], 2, "{read}: refused, and once more");
    assert_eq!(child.get()["requests"], 1);
}

#[tokio::test]
async fn a_role_is_taken_with_its_external_id_and_again_when_its_session_has_run_out() {
    if played_childs_part().await {
        return;
    }
    let place = Place::new().await;
    let role = place.role(Some("who-knows"));
    let mut settings = place.settings(json!({"assume_role_arn": role, "external_id": "who-knows"}));
    let configuration = json!(std::mem::take(&mut settings.configuration));
    let credential = json!({ "secret_access_key": place.secret_key });
    let environment = [("AWS_ENDPOINT_URL_STS", place.moto.address())];
    let test =
        "identity::a_role_is_taken_with_its_external_id_and_again_when_its_session_has_run_out";
    let mut child = Stage::open(
        test,
        &place.name(),
        &configuration,
        &credential,
        &environment,
    );
    assert_eq!(child.hear()["requests"], 3, "role, create, put");
    let calls = callers(&place);
    assert_eq!(calls[0], format!("AssumeRole {}", place.key_id));
    let session = calls[1].strip_prefix("CreateSecret ").unwrap().to_owned();
    assert_ne!(session, place.key_id);
    assert_eq!(child.get()["requests"], 1, "the session is kept");

    // It expires during concurrent calls. All of them continue, and share a new one.
    place.moto.expire(&session).unwrap();
    let read = child.get_many(4);
    let asked = read["requests"].as_u64().unwrap();
    let calls = callers(&place);
    let of_session = |id: &str| {
        let get = format!("GetSecretValue {id}");
        calls.iter().filter(|call| **call == get).count() as u64
    };
    let taken = calls.iter().filter(|call| call.starts_with("AssumeRole "));
    assert_eq!(taken.count(), 2, "{calls:?}");
    let renewed = calls.last().unwrap().rsplit(' ').next().unwrap();
    assert_ne!(renewed, session);
    // One more than before, because of the read. A denied call requests another session.
    let refused = of_session(&session) - 1;
    assert!((1..=4).contains(&refused), "{calls:?}");
    assert_eq!(
        (of_session(renewed), asked),
        (4, refused + 1 + 4),
        "{calls:?}"
    );
    assert_eq!(child.get()["requests"], 1, "the new session is kept");
}

#[tokio::test]
async fn a_role_that_may_not_be_taken_is_named() {
    if played_childs_part().await {
        return;
    }
    let test = "identity::a_role_that_may_not_be_taken_is_named";
    let place = Place::new().await;
    let role = place.role(Some("who-knows"));
    let credential = json!({ "secret_access_key": place.secret_key });
    let environment = [("AWS_ENDPOINT_URL", place.moto.address())];
    let other = role.replace(":role/", ":role/no-");
    // No external id, a wrong one, and a role that the key may not assume.
    for settings in [
        json!({"assume_role_arn": role}),
        json!({"assume_role_arn": role, "external_id": "who-knew"}),
        json!({"assume_role_arn": other, "external_id": "who-knows"}),
    ] {
        place.moto.allow_role(&other, Some("who-knows")).unwrap();
        let configuration = json!(place.settings(settings.clone()).configuration);
        let name = place.name();
        let mut child = Stage::open(test, &name, &configuration, &credential, &environment);
        let refused = child.hear();
        assert_eq!(refused["kind"], "Unauthenticated", "{refused}");
        assert_eq!(refused["setting"], "assume_role_arn", "{refused}");
        let shown = refused["shown"].as_str().unwrap();
        let role = settings["assume_role_arn"].as_str().unwrap();
        for part in ["sts:AssumeRole", "external_id", role] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains(&place.secret_key), "{shown}");
        assert_eq!(refused["requests"], 1, "{refused}: not tried again");
    }
    assert_eq!(place.requests(), ["AssumeRole 403"; 3]);
}

#[tokio::test]
async fn a_web_identity_token_file_serves() {
    if played_childs_part().await {
        return;
    }
    let place = Place::new().await;
    let role = place.role(None);
    let token = format!("header.{}.signature", place.unique);
    place.moto.allow_web_identity(&token).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, &token).unwrap();
    let environment = [
        ("AWS_ENDPOINT_URL_STS", place.moto.address()),
        ("AWS_ROLE_ARN", &role),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_DEFAULT_REGION", REGION),
    ];
    let test = "identity::a_web_identity_token_file_serves";
    let mut settings = endpoint(&place);
    settings["region"] = json!(REGION);
    let mut child = Stage::open(test, &place.name(), &settings, &NONE(), &environment);
    let put = child.hear();
    assert_eq!(put["requests"], 3, "{put}: role, create, put");
    assert_eq!(callers(&place)[0], "AssumeRoleWithWebIdentity -");

    fs::write(&file, "header.other.signature").unwrap();
    let mut child = Stage::open(test, &place.named("x"), &settings, &NONE(), &environment);
    let refused = child.hear();
    assert_eq!(refused["kind"], "Unauthenticated", "{refused}");
    let shown = refused["shown"].as_str().unwrap();
    assert!(shown.contains("InvalidIdentityToken"), "{shown}");
    assert!(!shown.contains("header."), "{shown}");
}

#[tokio::test]
async fn a_credential_process_serves() {
    if played_childs_part().await {
        return;
    }
    let place = Place::new().await;
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    let printed = json!({
        "Version": 1,
        "AccessKeyId": place.key_id,
        "SecretAccessKey": place.secret_key,
    });
    fs::write(&output, printed.to_string()).unwrap();
    let config = folder.path().join("config");
    let text = format!("[default]\nregion = {REGION}\ncredential_process = cat {output:?}\n");
    fs::write(&config, text).unwrap();
    let environment = [("AWS_CONFIG_FILE", config.to_str().unwrap())];
    let test = "identity::a_credential_process_serves";
    let mut child = Stage::open(
        test,
        &place.name(),
        &endpoint(&place),
        &NONE(),
        &environment,
    );
    let put = child.hear();
    assert_eq!(put["requests"], 2, "{put}");

    // Its output is a credential, even if it is malformed.
    fs::write(&output, format!("{}?", place.secret_key)).unwrap();
    let mut child = Stage::open(
        test,
        &place.name(),
        &endpoint(&place),
        &NONE(),
        &environment,
    );
    let refused = child.hear();
    assert_eq!(refused["kind"], "Unauthenticated", "{refused}");
    let shown = refused["shown"].as_str().unwrap();
    assert!(!shown.contains(&place.secret_key), "{shown}");
}

#[tokio::test]
async fn the_metadata_of_a_container_and_of_an_instance_serve() {
    if played_childs_part().await {
        return;
    }
    let place = Place::new().await;
    let token = "instance-token";
    let (id, secret) = (&place.key_id, &place.secret_key);
    place.moto.allow_key(id, secret, Some(token)).unwrap();
    let metadata = metadata::serve(id, secret, token).await;
    let test = "identity::the_metadata_of_a_container_and_of_an_instance_serve";
    let container = format!("{metadata}/container");
    let environments: [&[(&str, &str)]; 2] = [
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container),
            ("AWS_REGION", REGION),
        ],
        // The region comes from the same source.
        &[
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata),
            ("AWS_EC2_METADATA_DISABLED", "false"),
        ],
    ];
    for (at, environment) in environments.into_iter().enumerate() {
        let name = place.named(&format!("m{at}"));
        let settings = endpoint(&place);
        let environment: Vec<_> = environment
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let said = tokio::task::spawn_blocking(move || {
            let environment: Vec<_> = environment
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            let mut child = Stage::open(test, &name, &settings, &NONE(), &environment);
            (child.hear(), child.get())
        });
        let (put, got) = said.await.unwrap();
        assert_eq!(put["requests"], 2, "{at}: {put}");
        assert_eq!(got["requests"], 1, "{at}: {got}");
    }
}

#[tokio::test]
async fn no_credential_and_no_region_are_told_apart() {
    if played_childs_part().await {
        return;
    }
    let place = Place::new().await;
    let test = "identity::no_credential_and_no_region_are_told_apart";
    let region = [("AWS_REGION", REGION)];
    let mut child = Stage::open(test, &place.name(), &endpoint(&place), &NONE(), &region);
    let refused = child.hear();
    assert_eq!(refused["kind"], "Unauthenticated", "{refused}");
    assert!(
        refused["shown"]
            .as_str()
            .unwrap()
            .contains("no credential was found")
    );

    let key = [
        ("AWS_ACCESS_KEY_ID", place.key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &place.secret_key),
    ];
    let mut child = Stage::open(test, &place.name(), &endpoint(&place), &NONE(), &key);
    let refused = child.hear();
    assert_eq!(refused["kind"], "Misconfigured", "{refused}");
    assert_eq!(refused["path"], "region");
    assert_eq!(place.requests(), [""; 0]);
}

#[tokio::test]
async fn a_store_builds_one_client_for_all_its_operations() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let mut ids: Vec<NativeVersionId> = Vec::new();
    for number in 1..=4 {
        let kept: Vec<&NativeVersionId> = ids.iter().collect();
        let put = store.put(&name, PAYLOAD, version(number, &kept)).await;
        let id = put.unwrap();
        assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
        let described = status(&store, &name, &id).await.unwrap();
        assert_eq!(described, VersionStatus::Present);
        ids.push(id);
    }
    let object = Deletion::Object { versions: ids };
    store.delete(&name, object).await.unwrap();
    assert_eq!(store.requests(), 5 + 4 + 4 + 1);
    assert_eq!(place.requests().len(), 14);
    // Each client has its own connections, and reuses an idle one.
    assert_eq!(place.moto.connections(&place.unique).unwrap(), 1);

    // Another store has its own connections, so the counts would differ.
    let other = place.named("other");
    let put = place.store().put(&other, PAYLOAD, version(1, &[])).await;
    put.unwrap();
    assert_eq!(place.moto.connections(&place.unique).unwrap(), 2);
}

#[tokio::test]
async fn a_static_key_that_has_run_out_is_refused_after_one_request() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    place.moto.expire(&place.key_id).unwrap();
    let (refused, requests) = counted(&store, store.get(&name, &id)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unauthenticated);
    assert!(
        refused.remedy().unwrap().contains("have expired"),
        "{refused:?}"
    );
    assert_eq!(requests, 1);
}
