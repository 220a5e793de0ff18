//! Destroys a secret at a vendor that retains deleted objects, and creates it again under
//! the same name.

use serde_json::json;

use super::Place;
use super::configuration::{VARIABLES, plain_backend, secret};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, flat, has, text};

#[test]
fn acc_secret_is_created_anew_within_the_recovery_window_of_aws() {
    created_anew(
        &Place::aws(),
        "recovery_window_days = 0",
        "recovery_window_days = 7",
    );
}

#[test]
fn acc_secret_is_created_anew_while_azure_keeps_what_is_not_purged() {
    created_anew(
        &Place::azure(),
        "purge_on_destroy = true",
        "purge_on_destroy = false",
    );
}

/// Runs at a place whose block has `keeping` instead of `purging`.
fn created_anew(place: &Place, purging: &str, keeping: &str) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let own = plain_backend(place, "own").replace(purging, keeping);
    assert!(own.contains(keeping), "{own}");
    let db = secret("db", "backend = planton_secret_backend.own.name");
    let write = |parts: &[&str]| {
        let whole = [&[VARIABLES], parts].concat().concat();
        workspace.write("main.tf", &whole).unwrap();
    };
    let mut kept: Vec<String> = Vec::new();
    let mut id = String::new();
    let mut is_another = |what: &str| {
        let now = workspace.secret("db");
        assert_ne!(text(&now, "id"), id, "{what}");
        assert_eq!(now["version"], 1, "{what}");
        id = text(&now, "id");
        assert_eq!(place.read(&scene, "db"), "first value", "{what}");
        // The object in use, and the recoverable objects of former secrets.
        let mut left = place.left_behind();
        left.retain(|name| !name.contains("backend"));
        assert!(
            kept.iter().all(|name| left.contains(name)),
            "{what}: {left:?}"
        );
        assert_eq!(left.len(), kept.len() + 1, "{what}: {left:?}");
        assert_eq!(place.secrets().len(), 1, "{what}");
        kept = left;
    };
    write(&[&own, &db]);
    workspace.settled(&variables);
    is_another("first");

    // First destroys the secret only, then the secret with its backend.
    write(&[&own]);
    workspace.applied(&variables);
    assert!(place.secrets().is_empty(), "{:?}", place.objects());
    write(&[&own, &db]);
    workspace.settled(&variables);
    is_another("the secret alone");
    workspace.destroyed(&variables);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    workspace.settled(&variables);
    is_another("the backend with it");
    workspace.destroyed(&variables);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

/// The secret's own destroy finds no record and leaves its object unchanged. The cleanup
/// of its backend would delete that object, so the backend stays until the record is
/// restored.
#[test]
fn acc_backend_stays_while_a_secrets_record_is_deleted_by_hand() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let api = scene.openbao().unwrap().api();
    let place = Place::aws();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let own = plain_backend(&place, "own");
    let db = secret("db", "backend = planton_secret_backend.own.name");
    workspace
        .write("main.tf", &format!("{VARIABLES}{own}{db}"))
        .unwrap();
    workspace.settled(&variables);
    let id = text(&workspace.secret("db"), "id");
    let objects = place.objects();
    let records = scene.records();
    let mut documents = records
        .iter()
        .filter(|(key, _)| key.starts_with("secrets/"));
    let path = format!("catalog/acme/{}", documents.next().unwrap().0);
    let call = |method: &str, verb: &str, body: Option<serde_json::Value>| {
        let path = format!("planton/{verb}/{path}");
        api.ok(method, &path, body.as_ref()).unwrap();
    };
    call("DELETE", "data", None);

    let outcome = workspace.destroy(&variables).unwrap();
    let refused = flat(&outcome.error().unwrap());
    has(
        &refused,
        &[
            "Error: Catalog Record Deleted",
            &format!("bao kv undelete -mount=planton -versions=1 {path}"),
            &format!("bao kv metadata delete -mount=planton {path}"),
        ],
    );
    assert_eq!(place.objects(), objects);
    call("POST", "undelete", Some(json!({"versions": [1]})));
    let import = format!(
        "import {{\n  to = planton_secret.db\n  id = \"id:{id}\"\n}}\n{VARIABLES}{own}{db}"
    );
    workspace.write("main.tf", &import).unwrap();
    workspace.settled(&variables);
    assert_eq!(place.read(&scene, "db"), "first value");

    // Once the record is deleted for good, the object is deleted with the backend.
    call("DELETE", "metadata", None);
    workspace.destroyed(&variables);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}
