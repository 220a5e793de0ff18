//! Tests Application Default Credentials.

use serde_json::{Value, json};

use super::child::{CHILD, ambient, in_a_child, write};
use super::support::{EMAIL, Place};
pub(super) const OTHER: &str = "store@acme.iam.gserviceaccount.com";

/// Searches a child's output for every token that the fake received, and for these
/// secrets.
fn expect_nothing_secret(place: &Place, said: &str, secrets: &[&str]) {
    assert!(
        said.contains("TokenSource {"),
        "the store is printed: {said}"
    );
    let shown = place.fake.tokens().unwrap();
    let shown = shown.iter().map(String::as_str);
    for secret in shown.chain(secrets.iter().copied()) {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

/// Returns the caller of each operation so far. The operations must be these.
fn callers(place: &Place, operations: &[&str]) -> Vec<String> {
    let (done, who): (Vec<_>, Vec<_>) = place.fake.requests().unwrap().into_iter().unzip();
    assert_eq!(done, operations);
    who
}

const WORK: [&str; 5] = [
    "CreateSecret",
    "AddSecretVersion",
    "AccessSecretVersion",
    "AccessSecretVersion",
    "AccessSecretVersion",
];

#[tokio::test]
async fn the_environments_key_file_serves() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, &place.key_file);
    let variables = [("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
    let said = in_a_child(
        "ambient::the_environments_key_file_serves",
        &place,
        &variables,
    );
    assert!(said.contains("put with 2 requests"), "{said}");
    assert_eq!(callers(&place, &WORK), [EMAIL; 5]);
    let parsed: Value = serde_json::from_str(&place.key_file).unwrap();
    let key = parsed["private_key"].as_str().unwrap().lines().nth(1);
    expect_nothing_secret(&place, &said, &[key.unwrap()]);
    assert_eq!(place.fake.token_requests().unwrap(), 0);
}

#[tokio::test]
async fn a_user_serves_from_the_environments_file_and_from_where_gcloud_left_it() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let test = "ambient::a_user_serves_from_the_environments_file_and_from_where_gcloud_left_it";
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let left = home.join(".config/gcloud");
    std::fs::create_dir_all(&left).unwrap();
    let left = left.join("application_default_credentials.json");
    let given = folder.path().join("credential.json");
    for (file, variable, value) in [
        (&given, "GOOGLE_APPLICATION_CREDENTIALS", &given),
        (&left, "HOME", &home),
    ] {
        let place = Place::new();
        let user = place.fake.user_file("somebody").unwrap();
        std::fs::write(file, user.to_string()).unwrap();
        let variables = [(variable, value.to_str().unwrap())];
        let said = in_a_child(test, &place, &variables);
        assert!(said.contains("put with 2 requests"), "{variable}: {said}");
        assert_eq!(callers(&place, &WORK), ["user:somebody"; 5], "{variable}");
        assert_eq!(place.fake.token_requests().unwrap(), 1, "one token for all");
        let secrets = ["client_secret", "refresh_token"].map(|name| user[name].as_str().unwrap());
        expect_nothing_secret(&place, &said, &secrets);
    }
}

const WORKLOAD: &str = "principal://iam.googleapis.com/projects/1234567890/locations/global/\
                        workloadIdentityPools/ci/subject/repo:acme/infrastructure";

#[tokio::test]
async fn a_workloads_own_token_serves_as_itself_and_as_another_account() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let test = "ambient::a_workloads_own_token_serves_as_itself_and_as_another_account";
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let as_text = json!({ "file": token_file });
    let as_json = json!({
        "file": token_file,
        "format": {"type": "json", "subject_token_field_name": "id_token"},
    });
    for (source, account) in [(as_text, None), (as_json, Some(OTHER))] {
        let place = Place::new();
        let subject = place.fake.subject_token(&json!({})).unwrap();
        let content = match account {
            None => subject.clone(),
            Some(_) => json!({ "id_token": subject }).to_string(),
        };
        std::fs::write(&token_file, content).unwrap();
        let workload = place.fake.workload_file(&source, account).unwrap();
        let file = write(&folder, &workload.to_string());
        let variables = [("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
        let said = in_a_child(test, &place, &variables);
        assert!(said.contains("put with 2 requests"), "{said}");
        match account {
            None => assert_eq!(callers(&place, &WORK), [WORKLOAD; 5]),
            Some(account) => {
                let all = [&["GenerateAccessToken"][..], &WORK].concat();
                let by = callers(&place, &all);
                assert_eq!(
                    (by[0].as_str(), &by[1..]),
                    (WORKLOAD, &[account; 5].map(str::to_owned)[..])
                );
            }
        }
        assert_eq!(place.fake.token_requests().unwrap(), 1, "one token for all");
        expect_nothing_secret(&place, &said, &[&subject]);
    }
}

#[tokio::test]
async fn a_workload_that_google_does_not_believe_is_unauthenticated_and_asks_for_nothing_else() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let test = "ambient::a_workload_that_google_does_not_believe_is_unauthenticated_and_asks_for_nothing_else";
    let (place, elsewhere) = (Place::new(), Place::new());
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let source = json!({ "file": token_file });
    let usual = place.fake.workload_file(&source, None).unwrap();
    let mut of_another_pool = usual.clone();
    of_another_pool["audience"] =
        json!(usual["audience"].as_str().unwrap().replace("/ci/", "/cd/"));
    let without_field = json!({
        "file": token_file,
        "format": {"type": "json", "subject_token_field_name": "id_token"},
    });
    let without_field = place.fake.workload_file(&without_field, None).unwrap();
    let nowhere = json!({ "file": folder.path().join("hunter2") });
    let nowhere = place.fake.workload_file(&nowhere, None).unwrap();
    let acting = place.fake.workload_file(&source, Some(OTHER)).unwrap();
    // This must never count as a missing secret.
    place.fake.deny_impersonation("NOT_FOUND").unwrap();

    let signed = |changes| place.fake.subject_token(&changes).unwrap();
    let good = signed(json!({}));
    let refused =
        "the provider of the workload identity pool does not take the workload's own token";
    let unread = "The workload's own token cannot be read";
    let mut asked = 0;
    for (what, workload, token, more, told) in [
        (
            "run out",
            &usual,
            signed(json!({"iat": 1, "exp": 2})),
            1,
            refused,
        ),
        (
            "for another",
            &usual,
            signed(json!({"aud": "https://example.com"})),
            1,
            refused,
        ),
        (
            "of another issuer",
            &usual,
            elsewhere.fake.subject_token(&json!({})).unwrap(),
            1,
            refused,
        ),
        ("another pool", &of_another_pool, good.clone(), 1, refused),
        ("not impersonated", &acting, good.clone(), 1, refused),
        ("no such file", &nowhere, good.clone(), 0, unread),
        (
            "no such field",
            &without_field,
            json!({ "token": good }).to_string(),
            0,
            refused,
        ),
    ] {
        std::fs::write(&token_file, &token).unwrap();
        let file = write(&folder, &workload.to_string());
        let variables = [("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
        let said = in_a_child(test, &place, &variables);
        let at = "Unauthenticated at Some(\"service_account_key_json\"): ";
        assert!(said.contains(at), "{what}: {said}");
        assert!(
            said.contains("Application Default Credentials"),
            "{what}: {said}"
        );
        assert!(said.contains(told), "{what}: {said}");
        expect_nothing_secret(&place, &said, &[&token, &good, "hunter2"]);
        asked += more;
        assert_eq!(
            place.fake.token_requests().unwrap(),
            asked,
            "{what}: not tried again"
        );
    }
    assert_eq!(callers(&place, &["GenerateAccessToken"]), [WORKLOAD]);
}

#[tokio::test]
async fn a_user_whom_google_does_not_know_is_unauthenticated_and_asks_for_nothing_else() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let place = Place::new();
    let test =
        "ambient::a_user_whom_google_does_not_know_is_unauthenticated_and_asks_for_nothing_else";
    let user = place.fake.user_file("somebody").unwrap();
    for (asked, part) in (1..).zip(["client_id", "client_secret", "refresh_token"]) {
        let folder = tempfile::tempdir().unwrap();
        let mut wrong = user.clone();
        wrong[part] = json!("hunter2");
        let file = write(&folder, &wrong.to_string());
        let variables = [("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
        let said = in_a_child(test, &place, &variables);
        let told = "Unauthenticated at Some(\"service_account_key_json\"): ";
        assert!(said.contains(told), "{part}: {said}");
        assert!(said.contains("Application Default Credentials"), "{said}");
        assert!(
            said.contains("it was revoked, has run out"),
            "{part}: {said}"
        );
        assert!(
            !said.contains("hunter2") && !said.contains("invalid_"),
            "{said}"
        );
        // Denied permanently, so there is no retry.
        assert_eq!(place.fake.token_requests().unwrap(), asked, "{part}");
    }
    assert_eq!(place.fake.requests().unwrap(), []);
}

#[tokio::test]
async fn an_environment_without_a_credential_is_told_what_to_do() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let place = Place::new();
    let test = "ambient::an_environment_without_a_credential_is_told_what_to_do";
    // Nothing listens there, as outside Google Cloud, and no name needs resolution.
    let nowhere = [("http_proxy", "http://127.0.0.1:1")];
    let said = in_a_child(test, &place, &nowhere);
    assert!(said.contains("Unauthenticated at "), "{said}");
    assert!(said.contains("No credential was found."), "{said}");
    assert!(
        said.contains("gcloud auth application-default login"),
        "{said}"
    );

    let nothing = [("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")];
    let said = in_a_child(test, &place, &nothing);
    assert!(said.contains("Unauthenticated at "), "{said}");
    assert!(said.contains("cannot be read"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let file = write(
        &folder,
        r#"{"type":"authorized_user","client_id":"hunter2","client_secret":["hunter2"]}"#,
    );
    let broken = [("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
    let said = in_a_child(test, &place, &broken);
    assert!(said.contains("Unauthenticated at "), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(place.fake.requests().unwrap(), []);
}
