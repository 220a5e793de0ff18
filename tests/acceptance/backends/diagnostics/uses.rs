//! Errors for backends that are in use, exist already, are unknown, or are another place.

use insta::assert_snapshot;

use super::{SECRET, declared, embedded};
use crate::backends::Place;
use crate::reading::{Told, filters};
use crate::steps::Steps;

const DEFAULT: &str = "resource \"planton_default_backend\" \"this\" {\n  backend = \
                       planton_secret_backend.own.name\n}\n";
const DB: &str = "resource \"planton_secret\" \"db\" {\n  name     = \"db\"\n  backend  = \
                  planton_secret_backend.own.name\n  value_wo = \"hunter2\"\n}\n";

#[test]
fn a_backend_that_is_not_known_is_told_where_it_is_named() {
    let _filters = filters();
    let scene = embedded();
    let workspace = scene.workspace("");
    let unknown = "resource \"planton_secret\" \"first\" {\n  name     = \"first\"\n  value_wo = \
                   \"hunter2\"\n}\n";
    workspace.write("main.tf", unknown).unwrap();
    workspace.applied(&[]);
    let more = "resource \"planton_secret\" \"db\" {\n  name     = \"db\"\n  backend  = \
                \"vault\"\n  value_wo = \"hunter2\"\n}\nresource \"planton_default_backend\" \
                \"this\" {\n  backend = \"vault\"\n}\n";
    let data = "data \"planton_secret_backend\" \"none\" {\n  name = \"vault\"\n}\n";
    workspace
        .write("more.tf", &format!("{more}{data}"))
        .unwrap();
    let told = Told::by_plan(&workspace, &[], &[]);
    assert_snapshot!(told.at("none"), @r#"
    Error: Secret Backend Not Found
      in data "planton_secret_backend" "none"
      at name = "vault"

    Secret backend "vault" does not exist.

    If the same configuration declares it, refer to that resource (backend = planton_secret_backend.<name>.name), so that Terraform creates it first. The built-in backend is "platform".
    "#);
    assert_snapshot!(told.at("db"), @r#"
    Warning: Secret Backend Not Declared Yet
      in resource "planton_secret" "db"
      at backend  = "vault"

    Secret backend "vault" does not exist, and no planton_secret_backend that Terraform has planned so far with this provider configuration declares it. The apply fails unless the backend exists by then.

    Check the name. If the same configuration declares the backend, refer to that resource (backend = planton_secret_backend.<name>.name), so that Terraform creates it first. If another alias of the provider declares it, this warning remains.
    "#);
    assert_snapshot!(told.at("this"), @r#"
    Warning: Secret Backend Not Declared Yet
      in resource "planton_default_backend" "this"
      at backend = "vault"

    Secret backend "vault" does not exist, and no planton_secret_backend that Terraform has planned so far with this provider configuration declares it. The apply fails unless the backend exists by then.

    Check the name. If the same configuration declares the backend, refer to that resource (backend = planton_secret_backend.<name>.name), so that Terraform creates it first. If another alias of the provider declares it, this warning remains.
    "#);
    assert_eq!(told.len(), 3);
    let name = "resource \"planton_default_backend\" \"this\" {\n  backend = \"My Vault!\"\n}\n";
    workspace.write("more.tf", name).unwrap();
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @r#"
    Error: Invalid Name
      in resource "planton_default_backend" "this"
      at backend = "My Vault!"

    The backend must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit. The given one has upper-case letters, whitespace and other characters.
    "#);
}

#[test]
fn a_backend_in_use_says_by_whom_and_stays() {
    let _filters = filters();
    let place = Place::aws();
    let scene = embedded();
    let workspace = place.workspace(&scene);
    let secret = [("backend_secret", place.secret.as_str())];
    let write = |parts: &[&str]| {
        let whole = format!("{SECRET}{}", parts.concat());
        workspace.write("main.tf", &whole).unwrap();
    };
    let told = || Told::by_apply(&workspace, &secret, &[]);
    let own = declared("own", &place.block());
    write(&[&own, DEFAULT, DB]);
    workspace.applied(&secret);

    // In a second workspace, the backend and another default exist already.
    let second = place.workspace(&scene);
    let block = place.block();
    let other = declared("own", &format!("  description = \"Another\"\n{block}"));
    let platform = "resource \"planton_default_backend\" \"this\" {\n  backend = \"platform\"\n}\n";
    second
        .write("main.tf", &format!("{SECRET}{other}{platform}"))
        .unwrap();
    let twice = Told::by_apply(&second, &secret, &[]);
    // Runs, times and hosts differ between test runs.
    let exists = twice.at("own");
    for part in [
        "Error: Secret Backend Already Exists",
        "at name = \"own\"",
        "Secret backend \"own\" already exists: run ",
        "to = planton_secret_backend.<name>",
        "id = \"own\"",
        "PLANTON_RESUME=",
    ] {
        assert!(exists.contains(part), "{part}: {exists}");
    }
    let set = twice.at("this");
    for part in [
        "Error: Default Backend Already Set",
        "at backend = \"platform\"",
        "The default backend (\"own\") already exists: run ",
        "to = planton_default_backend.<name>",
        "id = \"own\"",
        "PLANTON_RESUME=",
    ] {
        assert!(set.contains(part), "{part}: {set}");
    }
    assert_eq!(twice.len(), 2);

    // The backend has a secret and is the default, so it can be neither moved nor
    // destroyed.
    write(&[&own.replace("eu-central-1", "eu-west-1"), DEFAULT, DB]);
    let planned = Told::by_plan(&workspace, &secret, &[]);
    assert_snapshot!(planned.everything(), @r#"
    Error: Secret Backend In Use
      in resource "planton_secret_backend" "own"
      at region = "eu-west-1"

    Secret backend "own" is the default backend, and contains 1 secret: db. It was neither deleted nor replaced by a backend with another name or place.

    A secret never moves: destroy these secrets, or set their backend to another one, which replaces them. Make another backend the default. Apply both first.
    "#);
    write(&[
        &own.replace("name = \"own\"", "name = \"other-name\""),
        DEFAULT,
        DB,
    ]);
    let planned = Told::by_plan(&workspace, &secret, &[]);
    assert_snapshot!(planned.everything(), @r#"
    Error: Secret Backend In Use
      in resource "planton_secret_backend" "own"
      at name = "other-name"

    Secret backend "own" is the default backend, and contains 1 secret: db. It was neither deleted nor replaced by a backend with another name or place.

    A secret never moves: destroy these secrets, or set their backend to another one, which replaces them. Make another backend the default. Apply both first.
    "#);
    let named = |text: &str| text.replace("planton_secret_backend.own.name", "\"own\"");
    write(&[&named(DEFAULT), &named(DB)]);
    assert_snapshot!(told().everything(), @r#"
    Error: Secret Backend In Use

    Secret backend "own" is the default backend, and contains 1 secret: db. It was neither deleted nor replaced by a backend with another name or place.

    A secret never moves: destroy these secrets, or set their backend to another one, which replaces them. Make another backend the default. Apply both first.
    "#);
    write(&[&own, DEFAULT]);
    workspace.applied(&secret);
    write(&[&own.replace("eu-central-1", "eu-west-1"), DEFAULT]);
    let planned = Told::by_plan(&workspace, &secret, &[]);
    assert_snapshot!(planned.everything(), @r#"
    Error: Secret Backend In Use
      in resource "planton_secret_backend" "own"
      at region = "eu-west-1"

    Secret backend "own" is the default backend. It was neither deleted nor replaced by a backend with another name or place.

    Make another backend the default first. If the same apply does that, set create_before_destroy in the lifecycle block of this one. Without it, Terraform deletes this backend first.
    "#);
    write(&[&named(DEFAULT)]);
    assert_snapshot!(told().everything(), @r#"
    Error: Secret Backend In Use

    Secret backend "own" is the default backend. It was neither deleted nor replaced by a backend with another name or place.

    Make another backend the default first. If the same apply does that, set create_before_destroy in the lifecycle block of this one. Without it, Terraform deletes this backend first.
    "#);

    // Another server with the same settings is another place.
    let elsewhere = Place::aws();
    write(&[
        &own.replace(&place.address(), &elsewhere.address()),
        DEFAULT,
    ]);
    assert_snapshot!(told().everything(), @r#"
    Error: Secret Backend Not There
      in resource "planton_secret_backend" "own"
      at endpoint = "http://127.0.0.1:<port>"

    The settings and credentials of backend "own" lead to another place than the one in which it has stored its secrets: its marker object "planton/acme/backend/own-<16 hex>" does not exist there. Nothing was changed.

    Check the address, the region and the credentials (an ambient credential chain may lead to another account). To use another place, declare another backend. If the marker was deleted by hand, change the backend's credentials_wo_version: the provider writes the marker again if it finds the backend's secrets.
    "#);

    // A backend that is not verified has no marker, so it cannot move.
    let unmarked = declared("unmarked", &format!("  verify_connection = false\n{block}"));
    write(&[&own, DEFAULT, &unmarked]);
    workspace.applied(&secret);
    let moved = unmarked.replace(&place.address(), &elsewhere.address());
    write(&[&own, DEFAULT, &moved]);
    assert_snapshot!(told().everything(), @r#"
    Error: Secret Backend Not Marked
      in resource "planton_secret_backend" "unmarked"
      at aws_secrets_manager = {
        region = "eu-central-1"
        endpoint = "http://127.0.0.1:<port>"
        access_key_id = "AKIAPLANTONTEST0001"
        secret_access_key_wo = var.backend_secret
        recovery_window_days = 0
      }

    Backend "unmarked" was declared with verify_connection = false, so it has no marker object that would identify its place at other settings. Its settings cannot change.

    Restore the former settings, set verify_connection to true and apply that: the provider verifies the backend and writes its marker. Then change the settings. Or declare another backend.
    "#);
}
