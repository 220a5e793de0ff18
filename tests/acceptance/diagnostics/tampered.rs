//! Tests the diagnostics for tampered storage of the platform.

use insta::assert_snapshot;
use planton_core::catalog::record_key_of_name;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use xtask::openbao::{Api, KvVersion};

use crate::reading::{Told, filters};
use crate::scene::{On, Scene, terraform_1_11};

fn secret(name: &str) -> String {
    format!(
        "resource \"planton_secret\" \"{name}\" {{\n  name = \"{name}\"\n  description = \
         var.description\n  value_wo = \"hunter2 of {name}\"\n  value_wo_version = \"1\"\n}}\n"
    )
}

fn ephemeral(name: &str) -> String {
    format!("ephemeral \"planton_secret\" \"open_{name}\" {{\n  name = \"{name}\"\n}}\n")
}

const DESCRIPTION: &str = "variable \"description\" {\n  default = \"first\"\n}\n";

fn configuration(names: &[&str]) -> String {
    let secrets: Vec<_> = names.iter().map(|name| secret(name)).collect();
    format!("{DESCRIPTION}{}", secrets.concat())
}

fn ephemerals(names: &[&str]) -> String {
    names.iter().map(|name| ephemeral(name)).collect()
}

fn record_path(name: &str) -> String {
    let key = record_key_of_name(&name.parse().unwrap());
    format!("planton/data/catalog/acme/{key}")
}

fn read(api: &Api, path: &str) -> Value {
    api.ok("GET", path, None).unwrap()["data"]["data"].take()
}

fn write(api: &Api, path: &str, data: &Value) {
    api.ok("POST", path, Some(&json!({ "data": data })))
        .unwrap();
}

/// Tampering by a writer of the storage without a key.
#[test]
fn records_that_somebody_changed_are_told() {
    let _filters = filters();
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let names = ["altered", "corrupt", "rolled", "moved", "led", "replaced"];
    let workspace = scene.workspace(&configuration(&names));
    workspace.apply(&[]).unwrap().ok().unwrap();
    let api = scene.openbao().unwrap().api();
    let old = read(api, &record_path("rolled"));
    workspace
        .apply(&[("description", "second")])
        .unwrap()
        .ok()
        .unwrap();
    let now = [("description", "second")];

    let mut record = read(api, &record_path("altered"));
    let body = record["body"].as_str().unwrap().replace("second", "forged");
    record["body"] = body.into();
    write(api, &record_path("altered"), &record);
    let mut led = read(api, &record_path("led"));
    let body = led["body"].as_str().unwrap();
    let body = body.replace(
        "\"backend_name\":\"platform\"",
        "\"backend_name\":\"elsewhere\"",
    );
    led["body"] = body.into();
    write(api, &record_path("led"), &led);
    write(
        api,
        &record_path("corrupt"),
        &json!({"body": "{\"generation\":7}", "mac": "00"}),
    );
    write(api, &record_path("rolled"), &old);
    let of_another = read(api, &record_path("altered"));
    write(api, &record_path("moved"), &of_another);
    let paths = api.list_recursive("planton", KvVersion::V2).unwrap();
    let object = paths
        .iter()
        .find(|path| path.starts_with("planton/acme/org/replaced-"));
    let object = format!("planton/data/{}", object.unwrap());
    let sealed = read(api, &object);
    write(api, &object, &sealed);

    // Refresh and ephemeral reads, in a plan.
    workspace.write("more.tf", &ephemerals(&names)).unwrap();
    let told = Told::by_plan(&workspace, &now, &["-parallelism=20"]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("corrupt"), @r#"
    Error: Catalog Record Corrupt
      in resource "planton_secret" "corrupt"
      at resource "planton_secret" "corrupt" {

    The stored document is not a record that this release of the provider supports (parse: secrets/<15 hex>).

    If a later release wrote it, upgrade the provider. Otherwise find out who can write to the platform's storage, and restore the record from a backup.

    Original error: Data error at line 1, column 16
    "#);
    assert_snapshot!(told.at("rolled"), @r#"
    Error: Catalog Rolled Back
      in resource "planton_secret" "rolled"
      at resource "planton_secret" "rolled" {

    The record of secret "rolled" is older than the one that this state has seen: its generation was 2, and is 1 now. An old backup was restored, or old records were replayed.

    If the restore was intended, run terraform-provider-planton platform accept-rollback: the guide "Restore a backup" says what it gives up. Otherwise find out who can write to the platform's storage.
    "#);
    assert_snapshot!(told.at("led"), @r#"
    Error: Catalog Record Altered
      in resource "planton_secret" "led"
      at resource "planton_secret" "led" {

    The record of secret "led" names backend "elsewhere", but the state names another one. The provider never moves a secret, so the record was altered.

    Find out who can write to the platform's storage, and restore the record from a backup.
    "#);
    assert_snapshot!(told.at("open_altered"), @r#"
    Error: Catalog Record Altered
      in ephemeral "planton_secret" "open_altered"
      at ephemeral "planton_secret" "open_altered" {

    The record was changed without the organization's key: its authentication code is invalid, or it is the record of another name. The provider writes and opens nothing that depends on it (verify: secrets/<15 hex>).

    Find out who can write to the platform's storage, and restore the record.
    "#);
    assert_snapshot!(told.at("open_corrupt"), @r#"
    Error: Catalog Record Corrupt
      in ephemeral "planton_secret" "open_corrupt"
      at ephemeral "planton_secret" "open_corrupt" {

    The stored document is not a record that this release of the provider supports (parse: secrets/<15 hex>).

    If a later release wrote it, upgrade the provider. Otherwise find out who can write to the platform's storage, and restore the record from a backup.

    Original error: Data error at line 1, column 16
    "#);
    assert_snapshot!(told.at("open_moved"), @r#"
    Error: Catalog Record Altered
      in ephemeral "planton_secret" "open_moved"
      at ephemeral "planton_secret" "open_moved" {

    The record was changed without the organization's key: its authentication code is invalid, or it is the record of another name. The provider writes and opens nothing that depends on it (read: secrets/<15 hex>).

    Find out who can write to the platform's storage, and restore the record.
    "#);
    assert_snapshot!(told.at("open_replaced"), @r#"
    Error: Stored Secret Corrupt
      in ephemeral "planton_secret" "open_replaced"
      at ephemeral "planton_secret" "open_replaced" {

    The object under the secret's name was not written by this provider (read secret: planton/acme/org/replaced-<8 hex>).

    Write the value again by changing value_wo_version, and find out who can write to the backend.
    "#);

    // A write on top of the forged record.
    workspace.write("more.tf", "").unwrap();
    let told = Told::by_apply(&workspace, &now, &["-target=planton_secret.altered"]);
    assert_snapshot!(told.at("altered"), @r#"
    Error: Catalog Record Altered
      in resource "planton_secret" "altered"
      at resource "planton_secret" "altered" {

    The record was changed without the organization's key: its authentication code is invalid, or it is the record of another name. The provider writes and opens nothing that depends on it (verify: secrets/<15 hex>).

    Find out who can write to the platform's storage, and restore the record.
    "#);
    assert_eq!(read(api, &record_path("altered"))["mac"], record["mac"]);
    assert!(
        read(api, &record_path("altered"))["body"]
            .as_str()
            .unwrap()
            .contains("forged")
    );
}

/// Tampering by a writer of the database that drops its triggers.
#[test]
fn envelopes_that_somebody_changed_are_told() {
    let _filters = filters();
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let names = ["flipped", "cut", "moved", "foreign", "digest"];
    let workspace = scene.workspace(&configuration(&names));
    workspace.apply(&[]).unwrap().ok().unwrap();

    let database = Connection::open(scene.embedded().unwrap().join("planton.db")).unwrap();
    database
        .execute_batch("DROP TRIGGER versions_never_change")
        .unwrap();
    let payload = |name: &str| -> Vec<u8> {
        let of = format!("%/{name}-%");
        let sql =
            "SELECT payload FROM versions JOIN objects ON objects.id = object WHERE name LIKE ?1";
        database.query_row(sql, [of], |row| row.get(0)).unwrap()
    };
    let change = |name: &str, payload: &[u8]| {
        let of = format!("%/{name}-%");
        let digest = Sha256::digest(payload);
        let sql = "UPDATE versions SET payload = ?1, digest = ?2
                   WHERE object = (SELECT id FROM objects WHERE name LIKE ?3)";
        let changed = database
            .execute(sql, params![payload, digest.as_slice(), of])
            .unwrap();
        assert_eq!(changed, 1, "{name}");
    };
    let mut flipped = payload("flipped");
    let last = flipped.len() - 17;
    flipped[last] ^= 1;
    change("flipped", &flipped);
    let cut = payload("cut");
    change("cut", &cut[..cut.len() - 20]);
    let foreign = payload("foreign");
    change("moved", &foreign);
    change("foreign", b"something else altogether");
    database
        .execute(
            "UPDATE versions SET payload = CAST(payload || x'00' AS BLOB)
             WHERE object = (SELECT id FROM objects WHERE name LIKE '%/digest-%')",
            [],
        )
        .unwrap();
    drop(database);

    workspace.write("more.tf", &ephemerals(&names)).unwrap();
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("open_flipped"), @r#"
    Error: Stored Secret Rejected
      in ephemeral "planton_secret" "open_flipped"
      at ephemeral "planton_secret" "open_flipped" {

    The envelope of version 1 of secret "flipped" failed its verification: it is not the one that the catalog names, it was altered, or it belongs to another secret or key.

    Write the value again by changing value_wo_version, and find out who can write to the backend.
    "#);
    assert_snapshot!(told.at("open_cut"), @r#"
    Error: Stored Secret Malformed
      in ephemeral "planton_secret" "open_cut"
      at ephemeral "planton_secret" "open_cut" {

    The object that the backend returned for version 1 of secret "cut" is not an envelope of this provider: it was truncated or overwritten there.

    Write the value again by changing value_wo_version, and find out who can write to the backend.
    "#);
    assert_snapshot!(told.at("open_moved"), @r#"
    Error: Stored Secret Rejected
      in ephemeral "planton_secret" "open_moved"
      at ephemeral "planton_secret" "open_moved" {

    The envelope of version 1 of secret "moved" failed its verification: it is not the one that the catalog names, it was altered, or it belongs to another secret or key.

    Write the value again by changing value_wo_version, and find out who can write to the backend.
    "#);
    assert_snapshot!(told.at("open_foreign"), @r#"
    Error: Stored Secret Malformed
      in ephemeral "planton_secret" "open_foreign"
      at ephemeral "planton_secret" "open_foreign" {

    The object that the backend returned for version 1 of secret "foreign" is not an envelope of this provider: it was truncated or overwritten there.

    Write the value again by changing value_wo_version, and find out who can write to the backend.
    "#);
    assert_snapshot!(told.at("open_digest"), @r#"
    Error: Stored Secret Corrupt
      in ephemeral "planton_secret" "open_digest"
      at ephemeral "planton_secret" "open_digest" {

    The object under the secret's name was not written by this provider (get version: planton/acme/org/digest-<8 hex>).

    Write the value again by changing value_wo_version, and find out who can write to the backend.
    "#);
    assert_eq!(told.len(), 5);
}
