//! A secret that is destroyed where the vendor keeps what is deleted, and created
//! again under the same name.

use super::Place;
use super::configuration::{VARIABLES, plain_backend, secret};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, text};

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

/// At a place whose block has `keeping` instead of `purging`.
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
        // It is in use, and those before it can be recovered.
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

    // The secret alone, and then the backend with it.
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
