//! `organization_fingerprint` and `allowed_key_ids` of the provider block.

use super::{OTHER, RECIPIENT, backend, escrow};
use crate::backends::Place;
use crate::backends::configuration::{VARIABLES, secret};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, has};

const SECRET: &str = "resource \"planton_secret\" \"db\" {\n  name = \"db\"\n  generate = {\n    \
                      length = 20\n  }\n}\n";

#[test]
fn acc_key_that_is_not_allowed_encrypts_nothing() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::toy_folder();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let on_own = "backend = planton_secret_backend.own.name";
    let write = |keys: &str| {
        let parts = [VARIABLES, &backend(&place, keys), &secret("db", on_own)];
        workspace.write("main.tf", &parts.concat()).unwrap();
    };
    write(&escrow(&[RECIPIENT]));
    workspace.settled(&variables);
    let ids = workspace.attributes("planton_secret_backend.own").unwrap();
    let ids = ids["key_ids"].to_string();

    // The present keys are allowed, and another one is not.
    let allowed = format!("allowed_key_ids = {ids}");
    workspace
        .write("provider.tf", &scene.provider(&allowed))
        .unwrap();
    let next = [variables[0], ("rotation", "2"), ("value", "second value")];
    workspace.settled(&next);
    write(&escrow(&[RECIPIENT, OTHER]));
    let text = workspace.fails(&next);
    has(
        &text,
        &["Encryption Key Not Allowed", "allowed_key_ids", "age:"],
    );

    // A key that the catalog has got, and the client does not allow, wraps nothing.
    write(&escrow(&[RECIPIENT]));
    let only = ids.split(',').next().unwrap().trim_start_matches('[');
    let only = format!("allowed_key_ids = [{only}]");
    workspace
        .write("provider.tf", &scene.provider(&only))
        .unwrap();
    let before = place.objects().len();
    let third = [variables[0], ("rotation", "3"), ("value", "third value")];
    let text = workspace.fails(&third);
    has(&text, &["Encryption Key Not Allowed", "age:"]);
    assert_eq!(place.objects().len(), before);
    assert_eq!(place.read(&scene, "db"), "second value");
}

#[test]
fn acc_organization_with_another_fingerprint_is_rejected() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let workspace = scene.workspace(SECRET);
    let pin = |fingerprint: &str| {
        let line = format!("organization_fingerprint = {fingerprint:?}");
        workspace
            .write("provider.tf", &scene.provider(&line))
            .unwrap();
    };
    // Nothing is created for an organization that is expected to exist.
    pin(&"ab".repeat(16));
    let text = workspace.refused(&[]);
    has(
        &text,
        &["Organization Fingerprint Mismatch", "does not exist"],
    );
    assert!(scene.records().is_empty(), "{:?}", scene.records());

    workspace.write("provider.tf", &scene.provider("")).unwrap();
    workspace.settled(&[]);
    pin(&"ab".repeat(16));
    workspace
        .write("main.tf", &SECRET.replace("db", "other"))
        .unwrap();
    let text = workspace.refused(&[]);
    has(
        &text,
        &["Organization Fingerprint Mismatch", "another organization"],
    );
    // The message has the fingerprint that is found, to compare and to pin.
    let found = text.split("has the fingerprint ").nth(1).unwrap();
    let found: String = found.chars().take(32).collect();
    pin(&found);
    workspace.settled(&[]);
}
