//! The lifecycle of a backend, from its declaration to its deletion.

use serde_json::json;
use xtask::terraform::Workspace;

use super::credentials::give_way_to_others;
use super::{Object, Place, at_every_place, data, labels, limits};
use crate::scene::{Scene, assert_tombstones};
use crate::steps::{Steps, flat, has, text};

at_every_place!(
    acc_backend_serves_secrets_from_its_declaration_to_its_end,
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
variable "largest" {
  type      = string
  ephemeral = true
  default   = null
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

    // One apply creates all, and the secret is created on the new default backend.
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

    // Rotates, and writes the largest value that fits, under the default backend's limit.
    let largest = "x".repeat(limits::of(&place));
    let next = [variables[0], ("rotation", "2"), ("value", "second value")];
    let filled = [&next[..], &[("largest", largest.as_str())]].concat();
    write(&workspace, &[everything.concat(), limits::FULL.to_owned()]);
    workspace.settled(&filled);
    assert_eq!(workspace.secret("db")["version"], 2);
    let selectors = ["db", "full"].map(|name| (name, text(&workspace.secret(name), "id")));
    let selectors = selectors.map(|(name, id)| (name, format!("id = {id:?}")));
    let read = place.read_each(scene, &selectors);
    assert_eq!(read["db"], "second value");
    assert!(read["full"] == largest, "{} bytes", read["full"].len());
    let stored = place.objects();
    for name in ["db", "full"] {
        labels::assert_told_to_people(&place, &stored, &workspace.secret(name));
    }
    let names = |objects: Vec<Object>| -> Vec<String> {
        objects.into_iter().map(|object| object.name).collect()
    };
    let stored = names(stored);
    let records = scene.records();
    write(
        &workspace,
        &[everything.concat(), limits::TOO_LARGE.to_owned()],
    );
    limits::assert_refused(&place, &workspace.refused(&filled));
    assert_eq!(names(place.objects()), stored);
    assert_eq!(scene.records(), records);

    // Drift: an object is deleted at the vendor, and the next apply writes it again.
    write(&workspace, &everything);
    workspace.write("data.tf", data::ALL).unwrap();
    for name in stored.iter().filter(|name| name.contains("db-")) {
        place.remove(name);
    }
    // On Azure, an object that a person deleted is recoverable. The provider does not
    // purge it.
    let mut theirs = place.left_behind();
    theirs.retain(|name| name.contains("db-"));
    has(
        &workspace.changes(&next),
        &["0 to add, 1 to change, 1 to destroy"],
    );
    workspace.settled(&next);
    assert_eq!(place.read(scene, "db"), "second value");
    data::assert_tell_all_but_credentials(&place, &workspace);
    assert_eq!(workspace.output("default"), data::default("own"));

    // Imports all three into a second workspace.
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

    // The default changes back, and no secret moves.
    let stored = place.secrets();
    let with_two = [
        backend(&place),
        default("\"platform\""),
        secret("db", after),
        secret("later", after),
    ];
    write(&workspace, &with_two);
    workspace.settled(&next);
    assert_eq!(text(&workspace.secret("db"), "backend"), "own");
    assert_eq!(text(&workspace.secret("later"), "backend"), "platform");
    assert_eq!(workspace.output("default"), data::default("platform"));
    assert_eq!(place.secrets(), stored);

    // A destroy of a backend in use fails, and the error lists its secrets.
    write(&workspace, &with_two[1..]);
    let refused = workspace.fails(&next);
    has(
        &refused,
        &["Secret Backend In Use", "contains 1 secret: db"],
    );
    write(&workspace, &with_two);
    workspace.unchanged(&next);

    // Every payload is ciphertext, and the metadata has no value.
    for object in place.objects() {
        for payload in &object.payloads {
            let sealed = payload.starts_with(b"PSE1") || payload.starts_with(b"pse1.");
            assert!(sealed, "{object:?}");
        }
    }
    let about = json!(place.objects().iter().map(|o| &o.about).collect::<Vec<_>>());
    assert!(!about.to_string().contains("second value"));

    workspace.destroyed(&next);
    place.assert_left(&theirs);
    assert!(scene.objects().is_empty());
    assert_tombstones(&scene.records());
}

fn acc_backend_location_changes_where_it_is_the_same_place_only(scene: &Scene, place: Place) {
    let place = place.with_revocable_secret();
    let credential = place.secret.clone();
    let variables = [("backend_secret", credential.as_str())];
    let workspace = place.workspace(scene);
    let on = |backend: &str, more: &str| {
        let db = secret("db", &format!("backend = {OWN}"));
        write(&workspace, &[backend.to_owned(), db, more.to_owned()]);
    };
    on(&backend(&place), "");
    workspace.settled(&variables);
    let id = text(
        &workspace.attributes("planton_secret_backend.own").unwrap(),
        "id",
    );

    // Another address of the same place is a change in place.
    let moved = place.fixture.alias(&place.address());
    let renamed = backend(&place).replace(&place.block(), &place.block_at(&moved));
    on(&renamed, "");
    has(
        &workspace.changes(&variables),
        &["0 to add, 1 to change, 0 to destroy"],
    );
    workspace.settled(&variables);
    let now = workspace.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(text(&now, "id"), id);
    assert_eq!(place.read(scene, "db"), "first value");

    // A move to another place fails in the plan while the backend has secrets.
    for (from, to) in place.elsewhere() {
        assert!(renamed.contains(from), "{from:?} is not in: {renamed}");
        on(&renamed.replace(from, to), "");
        let refused = workspace.refused(&variables);
        has(
            &refused,
            &["Secret Backend In Use", "contains 1 secret: db"],
        );
    }

    // A new credential is ignored without its trigger, and is then verified.
    let wrong = [("backend_secret", "wrong")];
    on(&renamed, "");
    workspace.unchanged(&wrong);
    let triggered = renamed.replace("version = \"1\"", "version = \"2\"");
    on(&triggered, "");
    let refused = workspace.fails(&wrong);
    let told = [
        "The backend was not saved",
        "Secret Backend Login Failed",
        // An invalid key file is rejected without a request.
        "Secret Backend Misconfigured",
    ];
    assert!(told.iter().any(|told| refused.contains(told)), "{refused}");
    assert!(!flat(&refused).contains(&credential));
    give_way_to_others(scene, &place, &workspace, &renamed, on);
    workspace.destroyed(&variables);
    place.assert_empty();
}
