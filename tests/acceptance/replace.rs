//! Tests replacements of a secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

use crate::inside::Opened;
use crate::scene::{On, Scene, on_every_stage, terraform_1_11};
use crate::steps::{Steps, flat, has, text};

on_every_stage!(
    acc_secret_is_replaced_in_either_order,
    acc_secret_of_another_workspace_is_not_taken,
);

fn configuration(name: &str, environment: &str, lines: &str) -> String {
    format!(
        "resource \"planton_secret\" \"db\" {{\n  name = {name:?}\n  environment = {environment}\n  \
         value_wo = \"value of {name}\"\n  value_wo_version = \"1\"\n  {lines}\n}}\n"
    )
}

fn acc_secret_is_replaced_in_either_order(scene: &Scene) {
    let first = "lifecycle { create_before_destroy = true }";
    let workspace = scene.workspace(&configuration("db", "null", ""));
    workspace.settled(&[]);
    let mut id = text(&workspace.secret("db"), "id");
    let mut replaced = |what: &str| {
        let secret = workspace.secret("db");
        let new = text(&secret, "id");
        assert_ne!(new, id, "{what}");
        assert_eq!(secret["version"], 1, "{what}");
        let name = text(&secret, "name");
        assert_eq!(
            scene.open(&new),
            Opened::text(1, &format!("value of {name}")),
            "{what}"
        );
        assert!(scene.try_open(&id, None).is_err(), "{what}");
        assert_eq!(scene.objects().len(), 1, "{what}: {:?}", scene.objects());
        id = new;
    };

    // Destroy first: by name, by environment, by -replace.
    for (name, environment) in [("db", "\"production\""), ("renamed", "\"production\"")] {
        let lines = configuration(name, environment, "");
        workspace.write("main.tf", &lines).unwrap();
        has(
            &workspace.changes(&[]),
            &["must be replaced", "1 to add, 0 to change, 1 to destroy"],
        );
        workspace.settled(&[]);
        replaced(&format!("{name} {environment}"));
    }
    let by_force = ["-replace=planton_secret.db"];
    workspace.apply_with(&[], &by_force).unwrap().ok().unwrap();
    workspace.unchanged(&[]);
    replaced("by force");

    // Create first: under another name, and under the same name.
    let renamed = configuration("again", "\"production\"", first);
    workspace.write("main.tf", &renamed).unwrap();
    workspace.settled(&[]);
    replaced("another name, created first");

    // Terraform does not tell a creation that it replaces a resource. It plans the
    // creation again in the apply, without the state of the old resource. Under the same
    // name, the provider must therefore neither adopt nor lose a secret.
    let edited = renamed.replace("lifecycle", "description = \"Edited\"\n  lifecycle");
    for configuration in [&renamed, &edited] {
        workspace.write("main.tf", configuration).unwrap();
        workspace.settled(&[]);
        let refused = workspace
            .apply_with(&[], &by_force)
            .unwrap()
            .error()
            .unwrap();
        has(
            &flat(&refused),
            &[
                "Secret Already Exists",
                "choose another name, or set takes_over",
            ],
        );
        workspace.unchanged(&[]);
        assert_eq!(text(&workspace.secret("db"), "id"), id);
        assert_eq!(scene.open(&id), Opened::text(1, "value of again"));
    }

    // With the argument that the message names, the new secret takes the name.
    let consent = format!("takes_over = {id:?}\n  lifecycle");
    let consenting = edited.replace("lifecycle", &consent);
    workspace.write("main.tf", &consenting).unwrap();
    workspace.apply_with(&[], &by_force).unwrap().ok().unwrap();
    workspace.unchanged(&[]);
    let successor = text(&workspace.secret("db"), "id");
    assert_ne!(successor, id);
    assert_eq!(scene.open(&successor), Opened::text(1, "value of again"));
    assert_eq!(scene.objects().len(), 1, "the old one is destroyed");
    // Afterwards the argument has no effect.
    workspace.write("main.tf", &edited).unwrap();
    workspace.settled(&[]);
    assert_eq!(text(&workspace.secret("db"), "id"), successor);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

fn acc_secret_of_another_workspace_is_not_taken(scene: &Scene) {
    let owner = scene.workspace(&configuration("db", "\"production\"", ""));
    owner.settled(&[]);
    let id = text(&owner.secret("db"), "id");

    let other = configuration("db", "\"production\"", "description = \"Mine\"");
    let taker = scene.workspace(&other.replace("value of db", "another value"));
    let refused = taker.fails(&[]);
    has(
        &refused,
        &["Secret Already Exists", "id = \"production/db\""],
    );
    assert_eq!(taker.attributes("planton_secret.db"), None);
    assert_eq!(scene.open(&id), Opened::text(1, "value of db"));
    owner.unchanged(&[]);

    // Follows the remedy in the message.
    taker
        .import("planton_secret.db", "production/db", &[])
        .unwrap()
        .ok()
        .unwrap();
    taker.settled(&[]);
    assert_eq!(text(&taker.secret("db"), "id"), id);
    assert_eq!(taker.secret("db")["description"], "Mine");
    assert_eq!(taker.secret("db")["version"], 1);
}

/// The state has another MAC key than the catalog. The provider rejects replacement,
/// update and deletion before any write.
#[test]
fn nothing_is_written_where_the_state_knows_another_mac_key() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = scene.workspace(&configuration("db", "null", ""));
    workspace.settled(&[]);
    let (objects, records) = (scene.objects(), scene.records());

    let path = workspace.path().join("terraform.tfstate");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let private = &mut state["resources"][0]["instances"][0]["private"];
    let bytes = STANDARD.decode(private.as_str().unwrap()).unwrap();
    // The key's fingerprint follows the catalog's uuid.
    let catalog: Uuid = text(&scene.records()["organization"], "uuid")
        .parse()
        .unwrap();
    let mut parts = bytes.windows(16);
    let offset = parts.position(|part| part == catalog.as_bytes()).unwrap() + 16;
    let mut forged = bytes;
    forged[offset..offset + 16].fill(0);
    *private = STANDARD.encode(&forged).into();
    std::fs::write(&path, state.to_string()).unwrap();

    for changed in [
        &*configuration("renamed", "null", ""),
        &*configuration("db", "null", "description = \"d\""),
        "",
    ] {
        workspace.write("main.tf", changed).unwrap();
        has(&workspace.fails(&[]), &["Catalog Key Replaced"]);
        assert_eq!(
            (scene.objects(), scene.records()),
            (objects.clone(), records.clone())
        );
    }
}
