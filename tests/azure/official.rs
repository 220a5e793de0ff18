//! Reads stored versions with Azure's own client.

use std::process::Command;
use std::time::Duration;

use planton_core::store::{SecretStore, StoreErrorKind};
use serde_json::{Value, json};
use xtask::azure::AzureFake;
use xtask::process;
use xtask::tools::Tools;

use super::support::{PAYLOAD, Place, first, name, next};

const SCRIPT: &str = r#"
import json, os, sys
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

options = json.load(sys.stdin if len(sys.argv) < 2 else open(sys.argv[1]))
credential = ClientSecretCredential(
    options["tenant_id"], options["client_id"], options["client_secret"],
    authority=options["authority"], disable_instance_discovery=True,
)
client = SecretClient(options["vault_url"], credential, verify_challenge_resource=False)
secrets = []
for listed in client.list_properties_of_secrets():
    for version in client.list_properties_of_secret_versions(listed.name):
        secret = client.get_secret(listed.name, version.version)
        secrets.append({
            "name": secret.name, "version": version.version, "value": secret.value,
            "tags": secret.properties.tags, "content_type": secret.properties.content_type,
        })
client.set_secret("planton--acme--org--theirs", "theirs")
print(json.dumps(secrets))
"#;

//= docs/format.md#20-places
//= type=test
//# On Azure Key Vault, a writer MUST write an envelope at the place and in the form of this
//# table.
#[tokio::test]
async fn the_official_client_reads_names_tags_and_ciphertext_and_nothing_else() {
    let place = Place::new();
    let store = place.store();
    let name = name("seen");
    let mut options = first();
    options.labels = [("team".to_owned(), "Zürich".to_owned())].into();
    let one = store.put(&name, PAYLOAD, options).await.unwrap();
    let two = store.put(&name, b"pse1.two", next(&[&one])).await.unwrap();

    let seen = ask(&place);
    let seen = seen.as_array().unwrap();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for (id, number, value) in [(&one, "1", "pse1.UFNFMQ"), (&two, "2", "pse1.two")] {
        let secret = seen
            .iter()
            .find(|secret| secret["version"] == id.as_str())
            .unwrap();
        assert_eq!(secret["name"], name.as_str());
        assert_eq!(secret["value"], value);
        assert_eq!(secret["content_type"], "application/vnd.planton.sealed");
        let tags = &secret["tags"];
        assert_eq!(tags["managed-by"], "terraform-provider-planton");
        assert_eq!(tags["planton-version"], number);
        assert_eq!(tags["planton-attempt"].as_str().unwrap().len(), 32);
    }
    let team = seen.iter().find(|s| s["version"] == one.as_str()).unwrap();
    assert_eq!(team["tags"]["team"], "Zürich");

    // The store leaves the client's version alone.
    let theirs = super::support::name("theirs");
    let error = store.put(&theirs, PAYLOAD, first()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
}

fn ask(place: &Place) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let options = json!({
        "tenant_id": AzureFake::TENANT,
        "client_id": AzureFake::CLIENT,
        "client_secret": place.secret.value(),
        "authority": place.fake.vault_url(),
        "vault_url": place.fake.vault_url(),
    });
    let file = folder.path().join("options.json");
    std::fs::write(&file, options.to_string()).unwrap();
    let mut command = Command::new(Tools::locate().unwrap().python());
    command
        .args(["-c", SCRIPT])
        .arg(&file)
        .env("REQUESTS_CA_BUNDLE", place.fake.ca_file())
        .env("NO_PROXY", "127.0.0.1");
    let finished = process::run(&mut command, Duration::from_secs(120)).unwrap();
    serde_json::from_str(&finished.ok().unwrap().stdout).unwrap()
}
