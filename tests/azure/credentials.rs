//! Tests the sources of tokens. Tests of environment variables run in a child process,
//! which trusts the fake through `SSL_CERT_FILE`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use planton_core::store::{SecretStore, StoreCredential};
use planton_vendors::http::{HttpSettings, RetryPolicy};
use serde_json::{Value, json};
use xtask::azure::AzureFake;
use xtask::process::{self, Finished};

use super::support::{PAYLOAD, Place, first, name, open};

/// The variable with the settings of a child's store, in JSON.
const CHILD: &str = "PLANTON_TEST_AZURE_CHILD";
/// The variable with a child's static client secret, if any.
const CHILD_SECRET: &str = "PLANTON_TEST_AZURE_CHILD_SECRET";

/// The child's part of the tests below: puts, gets, and prints the results. Without the
/// variable it does nothing.
#[tokio::test]
async fn child() {
    let Ok(configuration) = std::env::var(CHILD) else {
        return;
    };
    let configuration: Value = serde_json::from_str(&configuration).unwrap();
    let http = HttpSettings {
        retry: RetryPolicy {
            base_delay: Duration::from_millis(1),
            max_delay: Duration::from_millis(20),
            ..RetryPolicy::default()
        },
        ..HttpSettings::default()
    };
    let secret = std::env::var(CHILD_SECRET).ok();
    let secret = secret.map(|secret| ("client_secret".to_owned(), secret.as_str().into()));
    let credential: StoreCredential = secret.into_iter().collect();
    let store = open(&configuration, &credential, http).unwrap();
    let name = name("child");
    match store.put(&name, PAYLOAD, first()).await {
        Ok(id) => {
            assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
            println!("outcome: put");
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let (kind, remedy) = (error.kind(), error.remedy());
            println!("outcome: {kind:?} remedy: {remedy:?} source: {source:?}");
        }
    }
}

struct Child<'a> {
    place: &'a Place,
    settings: Value,
    variables: Vec<(&'static str, String)>,
}

impl Child<'_> {
    /// Runs a child with these variables and no others of Azure's.
    fn run(self) -> String {
        let finished = self.finish();
        let line = finished
            .stdout
            .lines()
            .find_map(|line| line.split_once("outcome: "))
            .unwrap_or_else(|| panic!("{finished:?}"));
        for canary in [finished.stdout.as_bytes(), finished.stderr.as_bytes()] {
            self.place
                .secret
                .absent_from("a child's output", canary)
                .unwrap();
        }
        line.1.to_owned()
    }

    fn finish(&self) -> Finished {
        let fake = &self.place.fake;
        let mut configuration = json!({"vault_url": fake.vault_url()});
        for (name, value) in self.settings.as_object().unwrap() {
            configuration[name] = value.clone();
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "credentials::child", "--nocapture"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("SSL_CERT_FILE", fake.ca_file())
            .env("AZURE_AUTHORITY_HOST", fake.vault_url())
            // Nothing listens there, so no test reaches this machine's metadata service.
            .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
            .env(CHILD, configuration.to_string())
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        process::run(&mut command, Duration::from_secs(90))
            .unwrap()
            .ok()
            .unwrap()
    }
}

fn run(place: &Place, settings: Value, variables: &[(&'static str, &str)]) -> String {
    let owned = variables
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Child {
        place,
        settings,
        variables: owned.collect(),
    }
    .run()
}

#[test]
fn the_environments_secret_serves_where_nothing_is_configured() {
    let place = Place::new();
    let ids = [
        ("AZURE_TENANT_ID", AzureFake::TENANT),
        ("AZURE_CLIENT_ID", AzureFake::CLIENT),
    ];
    let secret = [("AZURE_CLIENT_SECRET", place.secret.value())];
    let variables = [&ids[..], &secret[..]].concat();
    assert_eq!(run(&place, json!({}), &variables), "put");
    // Identifiers in the settings take precedence over the environment's.
    let configured = json!({"tenant_id": AzureFake::TENANT, "client_id": AzureFake::CLIENT});
    assert_eq!(run(&place, configured, &secret), "put");

    // The store uses it, and reports its failure.
    let wrong = [("AZURE_CLIENT_SECRET", "another~secret")];
    let outcome = run(&place, json!({}), &[&ids[..], &wrong[..]].concat());
    assert!(outcome.starts_with("Unauthenticated"), "{outcome}");
    assert!(outcome.contains("AZURE_CLIENT_SECRET"), "{outcome}");
    assert!(outcome.contains("AADSTS7000215"), "{outcome}");
    assert!(!outcome.contains("another~secret"), "{outcome}");
}

#[test]
fn a_workload_identity_serves_by_its_file_or_by_github() {
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, &place.fake.options().assertion).unwrap();
    let ids = [
        ("AZURE_TENANT_ID", AzureFake::TENANT),
        ("AZURE_CLIENT_ID", AzureFake::CLIENT),
    ];
    let by_file = [("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap())];
    let by_file = [&ids[..], &by_file[..]].concat();
    assert_eq!(run(&place, json!({"use_oidc": true}), &by_file), "put");
    assert_eq!(run(&place, json!({}), &by_file), "put", "ambient");

    let url = format!(
        "{}/actions/id-token?api-version=2.0",
        place.fake.machine_url()
    );
    let by_github = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        (
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            place.fake.options().actions_token.as_str(),
        ),
    ];
    let configured = json!({
        "use_oidc": true, "tenant_id": AzureFake::TENANT, "client_id": AzureFake::CLIENT,
    });
    assert_eq!(run(&place, configured.clone(), &by_github), "put");

    let denied = [
        by_github[0],
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "no-such-token"),
    ];
    let outcome = run(&place, configured.clone(), &denied);
    assert!(
        outcome.contains("GitHub gave no token: status 401"),
        "{outcome}"
    );
    assert!(!outcome.contains("no-such-token"), "{outcome}");

    fs::write(&file, "another.federated.token").unwrap();
    let outcome = run(&place, json!({"use_oidc": true}), &by_file);
    assert!(outcome.contains("federated credential"), "{outcome}");
    assert!(!outcome.contains("another.federated"), "{outcome}");

    let outcome = run(&place, configured, &[]);
    assert!(outcome.starts_with("Unauthenticated"), "{outcome}");
    assert!(outcome.contains("AZURE_FEDERATED_TOKEN_FILE"), "{outcome}");
    let missing = [&ids[..], &[("AZURE_FEDERATED_TOKEN_FILE", "/nowhere")]].concat();
    let outcome = run(&place, json!({}), &missing);
    assert!(outcome.contains("cannot be read"), "{outcome}");
}

#[test]
fn a_managed_identity_serves_on_an_app_service_and_on_a_virtual_machine() {
    let place = Place::new();
    let options = place.fake.options();
    let endpoint = format!("{}/msi/token", place.fake.machine_url());
    let app = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", options.identity_header.as_str()),
    ];
    let machine = place.fake.machine_url();
    let machine = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", machine.as_str())];
    for variables in [&app[..], &machine[..]] {
        assert_eq!(run(&place, json!({"use_msi": true}), variables), "put");
        assert_eq!(run(&place, json!({}), variables), "put", "ambient");
        let assigned = json!({"use_msi": true, "client_id": options.managed_client_id});
        assert_eq!(run(&place, assigned, variables), "put");
        let other = json!({"use_msi": true, "client_id": AzureFake::CLIENT});
        let outcome = run(&place, other, variables);
        assert!(outcome.starts_with("Unauthenticated"), "{outcome}");
        assert!(outcome.contains("no such managed identity"), "{outcome}");
    }
    let outcome = run(&place, json!({"use_msi": true}), &[]);
    assert!(outcome.contains("no such managed identity"), "{outcome}");
}

#[test]
fn a_machine_whose_identity_service_fails_is_asked_by_one_layer_only() {
    let place = Place::new();
    let asked = || place.fake.state().unwrap()["machine_requests"].clone();
    let machine = place.fake.machine_url();
    let machine = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", machine.as_str())];
    for (round, status) in [(1, 503), (2, 404)] {
        place
            .fake
            .control(&json!({"machine_status": status}))
            .unwrap();
        let outcome = run(&place, json!({"use_msi": true}), &machine);
        assert!(!outcome.starts_with("put"), "{outcome}");
        // The SDK's own retries would send seven times as many requests.
        assert_eq!(asked(), 4 * round, "{outcome}");
    }
}

/// Writes a fake `az`, and returns a PATH with it.
fn az(folder: &tempfile::TempDir, script: &str) -> String {
    let file = folder.path().join("az");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", folder.path().display())
}

#[test]
fn the_cli_serves_where_chosen_and_where_nothing_else_is_there() {
    // The metadata service has no identity, so the store tries the next source.
    let place = Place::with(|options| options.managed_client_id = String::new());
    let folder = tempfile::tempdir().unwrap();
    let token = place.fake.issue_token().unwrap();
    let answer = json!({
        "accessToken": token, "expires_on": 4_102_444_800_i64,
        "expiresOn": "2100-01-01 00:00:00.000000", "tokenType": "Bearer",
    });
    let path = az(&folder, &format!("echo '{answer}'"));
    let path = [("PATH", path.as_str())];
    assert_eq!(run(&place, json!({"use_cli": true}), &path), "put");
    assert_eq!(run(&place, json!({}), &path), "put", "ambient");
    let machine = place.fake.machine_url();
    let machine = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", machine.as_str())];
    assert_eq!(run(&place, json!({}), &[path[0], machine[0]]), "put");

    let script = "echo \"ERROR: Please run 'az login' to set up account. hunter2\" >&2; exit 1";
    let path = az(&folder, script);
    let outcome = run(&place, json!({"use_cli": true}), &[("PATH", &path)]);
    assert!(outcome.contains("not logged in"), "{outcome}");
    assert!(!outcome.contains("hunter2"), "{outcome}");
}

#[test]
fn without_any_credential_the_error_says_all_that_was_looked_for() {
    let place = Place::new();
    let outcome = run(&place, json!({}), &[]);
    assert!(outcome.starts_with("Unauthenticated"), "{outcome}");
    for words in [
        "AZURE_CLIENT_SECRET",
        "AZURE_FEDERATED_TOKEN_FILE",
        "no managed identity",
        "not installed",
        "client_secret_wo",
    ] {
        assert!(outcome.contains(words), "{words}: {outcome}");
    }
}

#[test]
fn a_variable_moves_the_authority_of_ambient_credentials_only() {
    let place = Place::new();
    let ids = json!({"tenant_id": AzureFake::TENANT, "client_id": AzureFake::CLIENT});
    // A proxy that does not exist stops every request to another machine.
    let offline = [
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
        ("NO_PROXY", "127.0.0.1"),
    ];
    let ambient = [("AZURE_CLIENT_SECRET", place.secret.value())];
    let outcome = run(&place, ids.clone(), &[&ambient[..], &offline[..]].concat());
    assert_eq!(outcome, "put");
    let issued = place.fake.tokens_issued().unwrap();

    let fixed = [(CHILD_SECRET, place.secret.value())];
    let fixed = [&fixed[..], &offline[..]].concat();
    let outcome = run(&place, ids.clone(), &fixed);
    assert!(outcome.starts_with("Unavailable"), "{outcome}");
    assert!(outcome.contains("authority_host"), "{outcome}");
    assert!(outcome.contains("login.microsoftonline.com"), "{outcome}");
    assert_eq!(place.fake.tokens_issued().unwrap(), issued);

    let mut configured = ids;
    configured["authority_host"] = place.fake.vault_url().into();
    assert_eq!(run(&place, configured, &fixed), "put");
}
