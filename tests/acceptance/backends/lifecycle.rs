//! A backend from its declaration to its end.

use serde_json::json;
use xtask::terraform::Workspace;

use super::{Place, at_every_place};
use crate::scene::{Scene, assert_tombstones};
use crate::steps::{Steps, flat, has, text};

at_every_place!(
    acc_backend_serves_secrets_from_its_declaration_to_its_end,
    acc_secret_moves_to_another_backend_by_a_replacement,
    acc_backend_location_changes_where_it_is_the_same_place_only,
);

const VARIABLES: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}
variable "value" {
  type      = string
  ephemeral = true
  default   = "first value"
}
variable "rotation" {
  default = "1"
}
"#;

fn backend(place: &Place) -> String {
    format!(
        "resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n{}  \
         credentials_wo_version = \"1\"\n  lifecycle {{\n    create_before_destroy = true\n  \
         }}\n}}\n",
        place.block()
    )
}

fn default(name: &str) -> String {
    format!("resource \"planton_default_backend\" \"this\" {{\n  backend = {name}\n}}\n")
}

fn secret(name: &str, more: &str) -> String {
    format!(
        "resource \"planton_secret\" \"{name}\" {{\n  name = \"{name}\"\n  value_wo = var.value\n  \
         value_wo_version = var.rotation\n  {more}\n}}\n"
    )
}

const OWN: &str = "planton_secret_backend.own.name";

fn write(workspace: &Workspace, parts: &[String]) {
    let whole = format!("{VARIABLES}{}", parts.concat());
    workspace.write("main.tf", &whole).unwrap();
}

fn acc_backend_serves_secrets_from_its_declaration_to_its_end(scene: &Scene, place: Place) {
    let credential = place.secret.clone();
    let variables = [("backend_secret", credential.as_str())];
    let after = "depends_on = [planton_default_backend.this]";
    let everything = [backend(&place), default(OWN), secret("db", after)];
    let workspace = place.workspace(scene);
    write(&workspace, &everything);

    // In one apply: the secret lands on the backend that becomes the default.
    let planned = workspace.changes(&variables);
    has(&planned, &["+ backend = (known after apply)", "3 to add"]);
    workspace.settled(&variables);
    let created = workspace.secret("db");
    assert_eq!(text(&created, "backend"), "own");
    assert_eq!(created["version"], 1);
    let declared = workspace.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(text(&declared, "type"), place.block_name);
    assert_eq!(text(&declared, "credential_source"), "static");
    assert!(
        scene.objects().is_empty(),
        "nothing in the built-in backend"
    );
    assert_eq!(place.secrets().len(), 1, "{:?}", place.objects());
    assert_eq!(place.read(scene, "db"), "first value");

    // Rotate.
    let next = [variables[0], ("rotation", "2"), ("value", "second value")];
    workspace.applied(&next);
    workspace.unchanged(&next);
    assert_eq!(workspace.secret("db")["version"], 2);
    assert_eq!(place.read(scene, "db"), "second value");

    // Drift: somebody deletes it there; the next apply writes it again.
    for name in place.secrets() {
        place.remove(&name);
    }
    has(&workspace.changes(&next), &["to add"]);
    workspace.applied(&next);
    workspace.unchanged(&next);
    assert_eq!(place.read(scene, "db"), "second value");

    // Import all three into a second workspace.
    let second = place.workspace(scene);
    write(&second, &everything);
    for (address, id) in [
        ("planton_secret_backend.own", "own"),
        ("planton_default_backend.this", "acme"),
        ("planton_secret.db", "db"),
    ] {
        second.import(address, id, &next).unwrap().ok().unwrap();
    }
    second.unchanged(&next);
    assert_eq!(
        second.attributes("planton_secret_backend.own"),
        workspace.attributes("planton_secret_backend.own")
    );

    // The default goes back, and nothing moves.
    let stored = place.secrets();
    let with_two = [
        backend(&place),
        default("\"platform\""),
        secret("db", after),
        secret("later", after),
    ];
    write(&workspace, &with_two);
    workspace.applied(&next);
    workspace.unchanged(&next);
    assert_eq!(text(&workspace.secret("db"), "backend"), "own");
    assert_eq!(text(&workspace.secret("later"), "backend"), "platform");
    assert_eq!(place.secrets(), stored);

    // In use it is not destroyed, and says by whom.
    write(&workspace, &with_two[1..]);
    let refused = workspace.fails(&next);
    has(&refused, &["Secret Backend In Use", "holds 1 secret: db"]);
    write(&workspace, &with_two);
    workspace.unchanged(&next);

    // What is stored is ciphertext, and the vendor's client says whose.
    for object in place.objects() {
        for payload in &object.payloads {
            let sealed = payload.starts_with(b"PSE1") || payload.starts_with(b"pse1.");
            assert!(sealed, "{object:?}");
        }
    }
    let about = json!(place.objects().iter().map(|o| &o.about).collect::<Vec<_>>());
    assert!(!about.to_string().contains("second value"));

    workspace.destroyed(&next);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    assert!(scene.objects().is_empty());
    assert_tombstones(&scene.records());
}

fn acc_secret_moves_to_another_backend_by_a_replacement(scene: &Scene, place: Place) {
    let credential = place.secret.clone();
    let variables = [("backend_secret", credential.as_str())];
    let workspace = place.workspace(scene);
    let on = |backend: &str, more: &str| secret("db", &format!("backend = {backend}\n  {more}"));
    write(&workspace, &[backend(&place), on("\"platform\"", "")]);
    workspace.settled(&variables);
    let before = text(&workspace.secret("db"), "id");

    write(&workspace, &[backend(&place), on(OWN, "")]);
    let planned = workspace.changes(&variables);
    has(
        &planned,
        &["must be replaced", "1 to add, 0 to change, 1 to destroy"],
    );
    workspace.settled(&variables);
    assert_ne!(text(&workspace.secret("db"), "id"), before);
    assert_eq!(place.read(scene, "db"), "first value");
    assert!(scene.objects().is_empty());
    assert_eq!(place.secrets().len(), 1);

    // Created first: the name is handed over with consent, and not without.
    let first = "lifecycle {\n    create_before_destroy = true\n  }";
    write(&workspace, &[backend(&place), on("\"platform\"", first)]);
    let refused = workspace.fails(&variables);
    let id = text(&workspace.secret("db"), "id");
    has(
        &refused,
        &["Secret Already Exists", &format!("takes_over = \"{id}\"")],
    );
    let consent = format!("takes_over = {id:?}\n  {first}");
    write(&workspace, &[backend(&place), on("\"platform\"", &consent)]);
    workspace.settled(&variables);
    assert_eq!(text(&workspace.secret("db"), "backend"), "platform");
    assert_eq!(place.read(scene, "db"), "first value");
    assert!(place.secrets().is_empty(), "{:?}", place.objects());

    // Under protection it stays.
    let protected = "deletion_protection = true";
    write(
        &workspace,
        &[backend(&place), on("\"platform\"", protected)],
    );
    workspace.settled(&variables);
    write(&workspace, &[backend(&place), on(OWN, protected)]);
    has(
        &workspace.refused(&variables),
        &["Secret Deletion Protected"],
    );

    write(&workspace, &[backend(&place), on("\"platform\"", "")]);
    workspace.applied(&variables);
    workspace.destroyed(&variables);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

fn acc_backend_location_changes_where_it_is_the_same_place_only(scene: &Scene, place: Place) {
    let credential = place.secret.clone();
    let variables = [("backend_secret", credential.as_str())];
    let workspace = place.workspace(scene);
    let on = |backend: &str| {
        [
            backend.to_owned(),
            secret("db", &format!("backend = {OWN}")),
        ]
    };
    write(&workspace, &on(&backend(&place)));
    workspace.settled(&variables);
    let id = text(
        &workspace.attributes("planton_secret_backend.own").unwrap(),
        "id",
    );

    // Another name of the same host: in place.
    let moved = place.address().replace("127.0.0.1", "localhost");
    let renamed = backend(&place).replace(&place.block(), &place.block_at(&moved));
    write(&workspace, &on(&renamed));
    has(
        &workspace.changes(&variables),
        &["0 to add, 1 to change, 0 to destroy"],
    );
    workspace.settled(&variables);
    let now = workspace.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(text(&now, "id"), id);
    assert_eq!(place.read(scene, "db"), "first value");

    // Another place, with secrets here: refused while planning.
    let (from, to) = place.elsewhere();
    write(&workspace, &on(&renamed.replace(from, to)));
    let refused = workspace.refused(&variables);
    has(&refused, &["Secret Backend In Use", "db"]);

    // New credentials wait for their trigger, and are verified.
    let wrong = [("backend_secret", "wrong")];
    write(&workspace, &on(&renamed));
    workspace.unchanged(&wrong);
    let triggered = renamed.replace("version = \"1\"", "version = \"2\"");
    write(&workspace, &on(&triggered));
    let refused = workspace.fails(&wrong);
    let told = [
        "The backend was not saved",
        "Secret Backend Login Failed",
        // What is no key file is refused before anything is sent.
        "Secret Backend Misconfigured",
    ];
    assert!(told.iter().any(|told| refused.contains(told)), "{refused}");
    assert!(!flat(&refused).contains(&credential));
    assert_eq!(place.read(scene, "db"), "first value");
    workspace.settled(&variables);
    workspace.destroyed(&variables);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}
