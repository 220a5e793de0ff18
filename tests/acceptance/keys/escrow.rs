//! Escrow keys of a backend.

use serde_json::{Value, json};

use super::{IDENTITY, OTHER, RECIPIENT, backend, escrow};
use crate::backends::Place;
use crate::backends::configuration::{VARIABLES, secret};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, has};

const ON_OWN: &str = "backend = planton_secret_backend.own.name";

fn key_ids(attributes: &Value) -> Vec<String> {
    let ids = attributes["key_ids"].as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Returns the providers of the keys that wrapped the version `number` of `db`.
fn wrapped_for(scene: &Scene, number: u64) -> Vec<String> {
    let records = scene.records();
    let record = crate::scene::record_of(&records, "db");
    let versions = record["versions"].as_array().unwrap();
    let version = versions.iter().find(|version| version["number"] == number);
    let keks = version.unwrap()["keks"].as_array().unwrap().iter();
    keks.map(|kek| kek["provider"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn acc_escrow_key_added_later_wraps_what_is_written_from_then_on() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::toy_folder();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let write = |keys: &str| {
        let parts = [VARIABLES, &backend(&place, keys), &secret("db", ON_OWN)];
        workspace.write("main.tf", &parts.concat()).unwrap();
    };

    write("");
    workspace.settled(&variables);
    let plain = workspace.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(plain["escrow"], Value::Null);
    let [local] = &key_ids(&plain)[..] else {
        panic!("{plain}");
    };
    assert!(local.starts_with("local:"), "{local}");
    assert_eq!(wrapped_for(&scene, 1), ["local"]);

    // Adding a key changes the backend in place, and no secret.
    write(&escrow(&[RECIPIENT]));
    let planned = workspace.changes(&variables);
    has(
        &planned,
        &["+ escrow", "key_ids", "0 to add, 1 to change, 0 to destroy"],
    );
    workspace.settled(&variables);
    let kept = workspace.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(kept["escrow"][0]["age"]["recipient"], RECIPIENT);
    let [first, second] = &key_ids(&kept)[..] else {
        panic!("{kept}");
    };
    assert_eq!(first, local);
    assert!(second.starts_with("age:"), "{second}");
    assert_eq!(wrapped_for(&scene, 1), ["local"]);

    // What is written next is wrapped for both, and the main key opens it.
    let next = [variables[0], ("rotation", "2"), ("value", "second value")];
    workspace.settled(&next);
    assert_eq!(wrapped_for(&scene, 2), ["local", "age"]);
    assert_eq!(place.read(&scene, "db"), "second value");
    assert_eq!(scene.read_version("db", 1), "first value");

    // An import restores the declaration.
    let second = place.workspace(&scene);
    let parts = [VARIABLES, &backend(&place, &escrow(&[RECIPIENT]))];
    second.write("main.tf", &parts.concat()).unwrap();
    let imported = second.import("planton_secret_backend.own", "own", &variables);
    imported.unwrap().ok().unwrap();
    let imported = second.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(imported["escrow"], kept["escrow"]);
    assert_eq!(imported["key_ids"], kept["key_ids"]);

    // An empty list is no key, and no difference from then on.
    write("escrow = []");
    workspace.settled(&next);
    // Removing it changes what is written next, and the versions under it stay readable.
    write("");
    workspace.settled(&next);
    let last = [variables[0], ("rotation", "3"), ("value", "third value")];
    workspace.settled(&last);
    assert_eq!(wrapped_for(&scene, 3), ["local"]);
    assert_eq!(scene.read_version("db", 2), "second value");
    let plain = workspace.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(plain["escrow"], Value::Null);
    assert_eq!(plain["key_ids"], json!([local]));
    workspace.destroyed(&last);
}

#[test]
fn acc_escrow_block_with_a_mistake_is_rejected_at_its_attribute() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::toy_folder();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let refused = |keys: &str| {
        let parts = [VARIABLES, &backend(&place, keys)];
        workspace.write("main.tf", &parts.concat()).unwrap();
        workspace.refused(&variables)
    };

    let text = refused("escrow = [{}]");
    has(
        &text,
        &["Encryption Key Missing", "Set exactly one of", "age"],
    );
    let text = refused(&escrow(&["age1notarecipient"]));
    has(&text, &["configure: recipient", "X25519 recipient of age"]);
    let text = refused(&escrow(&[IDENTITY]));
    has(&text, &["configure: recipient"]);
    let secret_part = IDENTITY.trim_start_matches("AGE-SECRET-KEY-1");
    let is_printed = text.contains(secret_part);
    // Terraform quotes the line of the configuration, where the mistake is.
    assert!(
        !is_printed || text.matches(secret_part).count() == 1,
        "{text}"
    );
    let four = [RECIPIENT, OTHER, RECIPIENT, OTHER];
    has(
        &refused(&escrow(&four)),
        &["Too Many Escrow Keys", "at most 3"],
    );
    let twice = escrow(&[RECIPIENT, RECIPIENT]);
    let told = ["Declared Twice", "escrow[0] and escrow[1] name the same"];
    has(&refused(&twice), &told);
    // Of an unknown one, the apply tells it.
    let second = format!("{RECIPIENT:?}");
    let start = twice.rfind(&second).unwrap();
    let twice = [
        &twice[..start],
        "terraform_data.r.output",
        &twice[start + second.len()..],
    ]
    .concat();
    let source = format!("resource \"terraform_data\" \"r\" {{ input = {second} }}\n");
    let parts = [VARIABLES, &source, &backend(&place, &twice)];
    workspace.write("main.tf", &parts.concat()).unwrap();
    let text = workspace.fails(&variables);
    has(&text, &told);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    let records = scene.records();
    assert!(
        !records.keys().any(|key| key.contains("backend")),
        "{records:?}"
    );
}
