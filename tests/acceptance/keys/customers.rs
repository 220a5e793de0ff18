//! A customer's own key of each type, from the declaration of a backend to its end.

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use xtask::moto::KmsKeyState;
use xtask::terraform::Workspace;

use super::service::Service;
use super::{IDENTITY, KEY_SECRET, RECIPIENT, backend, escrow};
use crate::backends::Place;
use crate::backends::configuration::{VARIABLES, secret};
use crate::operator::Pins;
use crate::scene::{On, PROVIDER, Scene, terraform_1_11};
use crate::steps::{Steps, has};

#[test]
fn acc_customers_key_in_aws_kms_from_its_declaration_to_its_revocation() {
    from_declaration_to_revocation(Service::Aws);
}

#[test]
fn acc_customers_key_in_gcp_kms_from_its_declaration_to_its_revocation() {
    from_declaration_to_revocation(Service::Gcp);
}

#[test]
fn acc_customers_key_in_azure_key_vault_from_its_declaration_to_its_revocation() {
    from_declaration_to_revocation(Service::Azure);
}

#[test]
fn acc_customers_key_in_transit_from_its_declaration_to_its_revocation() {
    from_declaration_to_revocation(Service::Transit);
}

/// Declares a backend whose data keys this key and the escrow key wrap, with a secret on it.
fn declare(service: Service, place: &Place, workspace: &Workspace, key: &str) {
    let block = service.block(place, key);
    let keys = format!("encryption = {block}\n  {}", escrow(&[RECIPIENT]));
    let db = secret("db", "backend = planton_secret_backend.own.name");
    let parts = [VARIABLES, KEY_SECRET, &backend(place, &keys), &db];
    workspace.write("main.tf", &parts.concat()).unwrap();
}

fn from_declaration_to_revocation(service: Service) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = service.start();
    let [one, two] = ["one", "two"].map(|name| service.create(&place, name));
    let workspace = place.workspace(&scene);
    let write = |key: &str| declare(service, &place, &workspace, key);
    let key_id = |at: usize| {
        let own = workspace.attributes("planton_secret_backend.own").unwrap();
        own["key_ids"][at].as_str().unwrap().to_owned()
    };

    write(&one);
    let key_secret = service.secret(&place);
    let first = [
        ("backend_secret", place.secret.as_str()),
        ("key_secret", key_secret.as_str()),
    ];
    workspace.settled(&first);
    let (id, recipient) = (key_id(0), key_id(1));
    assert!(id.starts_with(&format!("{}:", service.type_name())), "{id}");
    assert_eq!(place.read(&scene, "db"), "first value");

    // A rotated key needs nothing to be read, and a rewrap moves to its newest version.
    service.rotate(&place, &one);
    // Each version of a key in Key Vault is a key of its own, which an apply saves.
    let is_another = service == Service::Azure;
    if is_another {
        let planned = workspace.changes(&first);
        has(
            &planned,
            &["key_ids", "0 to add, 1 to change, 0 to destroy"],
        );
        workspace.settled(&first);
    }
    workspace.unchanged(&first);
    assert_eq!(place.read(&scene, "db"), "first value");
    let done = rewrapped(&scene, &place, &[&id, &recipient], &[]);
    assert_eq!(done["rewrapped"], 1, "{done}");
    assert_eq!(place.read(&scene, "db"), "first value");

    // Another key counts for new versions, and the former one opens the others until a rewrap
    // has moved them and somebody gives it up.
    write(&two);
    let next = [
        first[0],
        first[1],
        ("rotation", "2"),
        ("value", "second value"),
    ];
    workspace.settled(&next);
    let second = key_id(0);
    assert_ne!(second, id);
    assert_eq!(place_version(&scene, &place, 1), "first value");
    // A version that cannot be moved is named, and the former key stays.
    let allowed = [&*id, &second, &recipient];
    service.set_usable(&place, &one, false);
    let done = rewrapping(&scene, &place, &allowed, &["--remove-former-keys"], 1);
    assert_eq!(done["failed"][0]["name"], "db", "{done}");
    assert_eq!(done["failed"][0]["version"], 1, "{done}");
    assert_eq!(done["failed"].as_array().unwrap().len(), 1, "{done}");
    let needed = serde_json::json!(["db, version 1"]);
    assert_eq!(done["former_keys_needed_by"], needed, "{done}");
    service.set_usable(&place, &one, true);
    let done = rewrapped(&scene, &place, &allowed, &["--remove-former-keys"]);
    // A wrap in AWS KMS does not show its version, so the second one moves as well.
    let moved = if service == Service::Aws { 2 } else { 1 };
    assert_eq!(done["rewrapped"], moved, "{done}");
    // Both versions have one identifier to be pinned.
    let former = vec![id; if is_another { 2 } else { 1 }];
    assert_eq!(
        done["former_keys_removed"],
        serde_json::json!(former),
        "{done}"
    );
    service.set_usable(&place, &one, false);
    assert_eq!(place_version(&scene, &place, 1), "first value");
    assert_eq!(place.read(&scene, "db"), "second value");

    // While the key is revoked, a refresh works, a read names the remedy, and the escrow
    // identity opens alone.
    let remedy = service.set_usable(&place, &two, false);
    workspace.unchanged(&next);
    let reader = place.workspace(&scene);
    let read = "ephemeral \"planton_secret\" \"db\" {\n  name = \"db\"\n}\n";
    reader.write("main.tf", read).unwrap();
    let text = reader.fails(&[]);
    has(&text, &["Encryption Key", remedy]);
    assert!(opened_by_escrow(&place).contains(&"second value".to_owned()));
    service.set_usable(&place, &two, true);
    assert_eq!(place.read(&scene, "db"), "second value");
    workspace.destroyed(&next);
}

/// The key is deleted for good, so only the escrow identity opens what it wrapped.
#[test]
fn acc_customers_key_is_lost_and_the_escrow_identity_moves_its_backend_to_a_new_key() {
    let (scene, service) = (Scene::new(&terraform_1_11(), On::Embedded), Service::Aws);
    let place = service.start();
    let [lost, new] = ["lost", "new"].map(|name| service.create(&place, name));
    let workspace = place.workspace(&scene);
    let write = |key: &str| declare(service, &place, &workspace, key);
    write(&lost);
    let key_secret = service.secret(&place);
    let first = [
        ("backend_secret", place.secret.as_str()),
        ("key_secret", key_secret.as_str()),
    ];
    workspace.settled(&first);
    let next = [
        first[0],
        first[1],
        ("rotation", "2"),
        ("value", "second value"),
    ];
    workspace.settled(&next);

    let moto = place.moto();
    moto.set_kms_key_state(&lost, KmsKeyState::Deleted).unwrap();
    workspace.unchanged(&next);
    write(&new);
    workspace.settled(&next);
    let [lost, new] = [lost, new].map(|arn| format!("aws_kms:{arn}"));
    let own = workspace.attributes("planton_secret_backend.own").unwrap();
    let recipient = own["key_ids"][1].as_str().unwrap().to_owned();
    let allowed = [&*lost, &new, &recipient];
    // Without the identity, nothing opens what the lost key has wrapped.
    rewrapping(&scene, &place, &allowed, &[], 1);

    let folder = TempDir::new().unwrap();
    let identity = folder.path().join("id");
    std::fs::write(&identity, IDENTITY).unwrap();
    let with = ["--with", identity.to_str().unwrap(), "--remove-former-keys"];
    // The lost key needs no pin any more.
    let done = rewrapped(&scene, &place, &allowed[1..], &with);
    assert_eq!(done["rewrapped"], 2, "{done}");
    assert_eq!(done["former_keys_removed"], serde_json::json!([lost]));
    assert_eq!(place_version(&scene, &place, 1), "first value");
    assert_eq!(place.read(&scene, "db"), "second value");
    workspace.unchanged(&next);
    workspace.destroyed(&next);
}

fn place_version(scene: &Scene, place: &Place, number: u64) -> String {
    let selector = format!("name = \"db\"\n  version = {number}");
    let mut values = place.read_each(scene, &[("db", selector)]);
    values.remove("db").unwrap()
}

/// Runs `rewrap` on the backend, with these keys allowed. Returns what it says of it.
fn rewrapped(scene: &Scene, place: &Place, allowed: &[&str], more: &[&str]) -> Value {
    rewrapping(scene, place, allowed, more, 0)
}

/// As [`rewrapped`], with another exit status.
fn rewrapping(scene: &Scene, place: &Place, allowed: &[&str], more: &[&str], status: i32) -> Value {
    let mut pins = Pins::of(scene);
    for id in allowed {
        pins = pins.and(id);
    }
    let mut command = Command::new(PROVIDER);
    command
        .args(["rewrap", "--backend", "own", "--json"])
        .args(more);
    command.env("PLANTON_ORG", "acme").envs(scene.environment());
    command.envs(place.environment()).envs(pins.variables());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{errors}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    told["backends"][0].clone()
}

/// Opens every stored envelope with the escrow identity alone.
fn opened_by_escrow(place: &Place) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let (identity, envelope) = (folder.path().join("id"), folder.path().join("envelope"));
    std::fs::write(&identity, IDENTITY).unwrap();
    let mut opened = Vec::new();
    for payload in place.objects().iter().flat_map(|object| &object.payloads) {
        std::fs::write(&envelope, payload).unwrap();
        let mut command = Command::new(PROVIDER);
        command.arg("open").arg(&envelope);
        command.arg("--identity").arg(&identity).arg("--reveal");
        let output = command.stdin(Stdio::null()).output().unwrap();
        opened.push(String::from_utf8(output.stdout).unwrap());
    }
    opened
}
