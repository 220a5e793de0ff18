//! New main keys: after everything was lost, from an escrow identity, and by a rotation of the
//! embedded platform's key file.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::terraform::Workspace;

use super::{IDENTITY, RECIPIENT, backend, escrow};
use crate::backends::Place;
use crate::backends::configuration::{VARIABLES, secret};
use crate::canary;
use crate::operator::{self, Pins, told};
use crate::scene::{On, Scene, terraform_1_11};
use crate::stages::on_buckets;
use crate::steps::{Steps, has};

const ON_OWN: &str = "backend = planton_secret_backend.own.name";
/// The identity of age's test kit: <https://github.com/C2SP/CCTV/tree/main/age>.
const STRANGER: &str = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
/// Every step of a rewrap of records and backends that a command may be killed before.
pub(crate) const STEPS: [&str; 6] = [
    "commit rewrapped organization",
    "commit rewrapped credential",
    "rewrap",
    "put rewrap",
    "commit rewrap",
    "delete superseded",
];

/// Before a new main key is created.
pub(crate) const PROVISION: &str = "provision main key";

/// An organization with an escrow key, a secret in its built-in backend, and one in a backend
/// whose credential is sealed.
struct Estate {
    place: Place,
    workspace: Workspace,
}

impl Estate {
    fn new(scene: &Scene) -> Self {
        let recipient = format!("age:{RECIPIENT}");
        let init = ["platform", "init", "--escrow", &recipient];
        told(&operator::run(scene, &init, &[]), 0);
        let place = Place::toy_folder();
        let workspace = place.workspace(scene);
        let parts = [
            VARIABLES,
            &backend(&place, &escrow(&[RECIPIENT])),
            &secret("far", ON_OWN),
            &secret("near", ""),
        ];
        workspace.write("main.tf", &parts.concat()).unwrap();
        let estate = Self { place, workspace };
        estate.workspace.settled(&estate.variables());
        estate
    }

    fn variables(&self) -> [(&'static str, &str); 1] {
        [("backend_secret", self.place.secret.as_str())]
    }

    /// Checks that the plan is empty, and that values are read and written.
    fn expect_whole(&self, scene: &Scene) {
        self.workspace.unchanged(&self.variables());
        for name in ["far", "near"] {
            assert_eq!(self.place.read(scene, name), "first value");
        }
        let [secret] = self.variables();
        let next = [secret, ("rotation", "2"), ("value", "second value")];
        self.workspace.settled(&next);
        assert_eq!(scene.read_version("near", 1), "first value");
        assert_eq!(self.place.read(scene, "far"), "second value");
        self.workspace.destroyed(&next);
    }
}

#[track_caller]
fn report(pins: &Pins, scene: &Scene, arguments: &[&str]) -> Value {
    let output = pins.run(scene, arguments);
    told(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn key_file(scene: &Scene) -> PathBuf {
    scene.key_file().unwrap()
}

/// Loses the keys of the organization.
fn lose(scene: &Scene) {
    let Some(server) = scene.openbao() else {
        fs::remove_file(key_file(scene)).unwrap();
        return;
    };
    for key in ["planton-acme", "planton-acme.mac"] {
        let path = format!("transit/keys/{key}");
        let allowed = json!({"deletion_allowed": true});
        let config = format!("{path}/config");
        server.api().ok("POST", &config, Some(&allowed)).unwrap();
        server.api().ok("DELETE", &path, None).unwrap();
    }
}

#[test]
fn acc_everything_is_lost_and_the_escrow_identity_installs_a_new_main_key_on_embedded() {
    recovered(&Scene::new(&terraform_1_11(), On::Embedded));
}

#[test]
fn acc_everything_is_lost_and_the_escrow_identity_installs_a_new_main_key_on_openbao() {
    recovered(&Scene::new(&terraform_1_11(), On::OpenBao));
}

#[test]
fn acc_everything_is_lost_and_the_escrow_identity_installs_a_new_main_key_on_a_bucket() {
    on_buckets(recovered);
}

fn recovered(scene: &Scene) {
    let estate = Estate::new(scene);
    let mut pins = Pins::of(scene);
    let files = TempDir::new().unwrap();
    let path = |name: &str| files.path().join(name).display().to_string();
    fs::write(path("id"), format!("# escrow\n{IDENTITY}\n")).unwrap();
    fs::write(path("stranger"), STRANGER).unwrap();
    lose(scene);
    told(&pins.run(scene, &["rewrap"]), 1);
    if scene.key_file().is_some() {
        let create = ["platform", "key-file", "create", "--json"];
        let created = report(&pins, scene, &create);
        has(&told(&pins.run(scene, &create), 2), &["Key File Exists"]);
        let (id, identity) = (created["key_id"].as_str().unwrap(), path("id"));
        // Nobody has said yet that the new key may wrap.
        let refused = pins.run(scene, &["rewrap", "--with", &identity]);
        has(&told(&refused, 1), &["Encryption Key Not Allowed", id]);
        pins = pins.and(id);
    }
    let records = scene.records();
    let refused = pins.run(scene, &["rewrap", "--with", &path("stranger")]);
    has(&told(&refused, 1), &["Not An Escrow Identity", "age:"]);
    let identity = path("id");
    let rewrap = ["rewrap", "--with", &identity, "--json"];
    pins.killed(scene, &rewrap, PROVISION);
    assert_eq!(scene.records(), records, "nothing was changed");
    for step in STEPS {
        pins.killed(scene, &rewrap, step);
    }
    let done = report(&pins, scene, &rewrap);
    assert_eq!(done["records"]["failed"], json!([]), "{done}");
    for backend in done["backends"].as_array().unwrap() {
        assert_eq!(backend["failed"], json!([]), "{done}");
    }
    let fingerprint = pins.variables()[0].1.to_owned();
    assert_eq!(Pins::of(scene).variables()[0].1, fingerprint);
    // The main key alone has everything now.
    let again = report(&pins, scene, &["rewrap", "--json"]);
    assert_eq!(again["records"]["mac_key_rewrapped"], false, "{again}");
    for backend in again["backends"].as_array().unwrap() {
        assert_eq!(backend["rewrapped"], 0, "{again}");
    }
    estate.expect_whole(scene);
}

#[test]
fn acc_key_file_is_rotated_and_its_former_root_key_is_removed_once_nothing_needs_it() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let estate = Estate::new(&scene);
    let beta = [("PLANTON_ORG", "beta")];
    let init = ["platform", "init"];
    let killed = operator::run(&scene, &init, &[beta[0], (operator::KILL, "answer")]);
    operator::killed(&killed, "answer");
    let again = told(&operator::run(&scene, &init, &beta), 0);
    has(&again, &["existed already, with the same escrow keys"]);
    let pins = Pins::of(&scene);
    let before = fs::read(key_file(&scene)).unwrap();
    let rotated = pins.run(&scene, &["platform", "key-file", "rotate", "--json"]);
    told(&rotated, 0);
    // Both root keys are in the file now.
    let both = fs::read(key_file(&scene)).unwrap();
    expect_no_part_of(&both, &rotated);
    let rotated: Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!(rotated["former_key_ids"].as_array().unwrap().len(), 1);
    estate.workspace.unchanged(&estate.variables());
    assert_eq!(estate.place.read(&scene, "near"), "first value");
    without_the_key_file(&scene, &estate);
    let refused = pins.run(&scene, &["rewrap"]);
    has(&told(&refused, 1), &["Encryption Key Not Allowed"]);
    let pins = pins.and(rotated["key_id"].as_str().unwrap());

    let rewrap = ["rewrap", "--remove-former-keys", "--json"];
    for step in STEPS {
        pins.killed(&scene, &rewrap, step);
        assert_eq!(estate.place.read(&scene, "far"), "first value");
    }
    // The other organization still needs the former root key.
    let needed = pins.run(&scene, &rewrap);
    told(&needed, 1);
    expect_no_part_of(&both, &needed);
    let needed: Value = serde_json::from_slice(&needed.stdout).unwrap();
    let by = &needed["key_file"]["needed_by"];
    assert_eq!(by.as_array().unwrap().len(), 1, "{needed}");
    assert_eq!(by[0]["organization"], "beta");
    assert_eq!(by[0]["record"], "organization");

    let status = operator::run(&scene, &["platform", "status", "--json"], &beta);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let allowed = status["key_ids"][0].as_str().unwrap();
    let fingerprint = status["fingerprint"].as_str().unwrap();
    let variables = [
        beta[0],
        ("PLANTON_ORGANIZATION_FINGERPRINT", fingerprint),
        ("PLANTON_ALLOWED_KEY_IDS", allowed),
    ];
    let done = operator::run(&scene, &rewrap, &variables);
    told(&done, 0);
    expect_no_part_of(&both, &done);
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done["key_file"]["removed"].as_array().unwrap().len(), 1);
    assert_eq!(done["key_file"]["needed_by"], json!([]));
    // One root key, which is not the former one.
    let after = fs::read(key_file(&scene)).unwrap();
    assert_eq!((after.len(), before.len()), (85, 85));
    assert_ne!(after, before);
    let drafts = fs::read_dir(key_file(&scene).parent().unwrap()).unwrap();
    let drafts = drafts.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let drafts: Vec<_> = drafts.filter(|name| name.contains("key.")).collect();
    // The lock is an empty file, and no draft is left.
    assert_eq!(drafts, [".planton.key.lock"]);
    estate.expect_whole(&scene);
}

/// Checks that a command printed no part of a key file.
#[track_caller]
fn expect_no_part_of(file: &[u8], output: &Output) {
    let printed = [&output.stdout[..], &output.stderr].concat();
    canary::expect_no_part_of(file, "the output", &printed);
}

/// While the key file is away, a refresh of the built-in backend works, a read names the remedy,
/// and no other file takes its place.
fn without_the_key_file(scene: &Scene, estate: &Estate) {
    let file = key_file(scene);
    let away = file.with_extension("away");
    fs::rename(&file, &away).unwrap();
    // The sealed credential of a backend does need the key.
    let near = ["-target=planton_secret.near"];
    let planned = estate.workspace.plan_with(&estate.variables(), &near);
    planned.unwrap().no_changes().unwrap();
    let text = estate.workspace.refused(&estate.variables());
    has(
        &text,
        &["Encryption Key Missing", "with planton_secret.far"],
    );
    let reader = estate.place.workspace(scene);
    let read = "ephemeral \"planton_secret\" \"near\" {\n  name = \"near\"\n}\n";
    reader.write("main.tf", read).unwrap();
    let remedy = "Restore the key file from a copy";
    has(&reader.fails(&[]), &["Encryption Key Missing", remedy]);
    // A command would begin what the key is needed to end.
    let status = operator::run(scene, &["platform", "status"], &[]);
    has(
        &operator::told(&status, 1),
        &["Embedded Platform Not Usable", "without its key file"],
    );
    assert!(
        !file.exists(),
        "a key was made for a database that has another"
    );
    fs::rename(&away, &file).unwrap();
    assert_eq!(estate.place.read(scene, "near"), "first value");
}
