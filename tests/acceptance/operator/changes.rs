//! Escrow keys that are added and removed, and rewraps: each command killed before each step.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::rotation::expect_rotation;
use super::terminal::expect_progress;
use super::{ESCROW, Files, INITIALIZE, Pins, SECRET, VALUE, json, run, told};
use crate::backup;
use crate::crash::{OPEN, calls};
use crate::gc::COLLECT;
use crate::keys::{customers, recovery, reseal};
use crate::scene::{On, Scene, terraform_1_11};
use crate::stages::on_buckets;
use crate::steps::{Steps, has};

const ADD: [&str; 4] = [
    "add escrow key",
    "commit escrow key",
    "forget history",
    "answer",
];
const REMOVE: [&str; 4] = [
    "remove escrow key",
    "commit escrow key",
    "forget history",
    "answer",
];
/// Steps of `rewrap` on the built-in backend.
const REWRAP: [&str; 4] = ["rewrap", "put rewrap", "commit rewrap", "delete superseded"];

#[test]
fn every_step_of_an_operator_command_has_a_crash_test() {
    let tested: BTreeSet<String> = [
        &INITIALIZE[..1],
        &ADD,
        &REMOVE,
        &REWRAP,
        &recovery::STEPS,
        &[recovery::PROVISION],
        &reseal::STEPS,
        &customers::REMOVE_FORMER,
        &COLLECT,
        &backup::STEPS,
        // `refresh.rs` kills the unwrap of a MAC key.
        &OPEN,
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect();
    let operations = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src/operations");
    let files = ["keys", "rewrap", "gc", "backup"].map(|folder| operations.join(folder));
    let files = files.map(|folder| std::fs::read_dir(folder).unwrap());
    let mut steps = BTreeSet::new();
    for entry in files.into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let code = std::fs::read_to_string(path).unwrap();
        steps.extend(calls(&code, "before(\""));
        steps.extend(calls(&code, "crash_point(\""));
    }
    assert_eq!(steps, tested);
}

#[test]
fn acc_escrow_key_is_added_and_removed_by_killed_commands_on_embedded() {
    changed(&Scene::new(&terraform_1_11(), On::Embedded));
}

#[test]
fn acc_escrow_key_is_added_and_removed_by_killed_commands_on_openbao() {
    changed(&Scene::new(&terraform_1_11(), On::OpenBao));
}

#[test]
fn acc_escrow_key_is_added_and_removed_by_killed_commands_on_a_bucket() {
    on_buckets(changed);
}

fn changed(scene: &Scene) {
    let mut workspace = scene.workspace(SECRET);
    workspace.env("PLANTON_KEY_ROTATION_PERIOD", "720h");
    workspace.settled(&[]);
    expect_rotation(scene, 30);
    let records = scene.records();
    let add = ["platform", "escrow", "add", ESCROW];
    let refused = told(&run(scene, &add, &[]), 1);
    has(
        &refused,
        &["Pins Required", "PLANTON_ALLOWED_KEY_IDS are not set"],
    );
    has(&told(&run(scene, &["rewrap"], &[]), 1), &["Pins Required"]);
    let pins = Pins::of(scene);
    let refused = told(&pins.run(scene, &add), 1);
    has(&refused, &["Encryption Key Not Allowed", "\"age:"]);
    assert_eq!(scene.records(), records, "nothing was changed");
    let id = refused.split("The key \"").nth(1).unwrap();
    let id = id.split('"').next().unwrap().to_owned();
    let pins = pins.and(&id);

    let [begin, commit, forget, _] = ADD;
    for step in [begin, commit] {
        pins.killed(scene, &add, step);
        assert_eq!(scene.records(), records, "{step}");
    }
    pins.killed(scene, &add, forget);
    has(
        &told(&pins.run(scene, &add), 0),
        &["has this escrow key already", &id],
    );
    let list = ["platform", "escrow", "list"];
    has(
        &told(&run(scene, &list, &[]), 0),
        &[&id, "recipient: age1t7"],
    );

    // The version that existed before follows with a rewrap, whatever kills it.
    has(
        &told(&Files::of(scene).open("id", &[]), 1),
        &["No Wrap For This Key"],
    );
    for step in REWRAP {
        pins.killed(scene, &["rewrap"], step);
        workspace.unchanged(&[]);
    }
    let done = json(&pins.run(scene, &["rewrap", "--json"]));
    let platform = &done["backends"][0];
    assert_eq!(platform["backend"], "platform");
    assert_eq!(
        (&platform["rewrapped"], &platform["current"]),
        (&0.into(), &1.into())
    );
    assert_eq!(platform["failed"], Value::Array(Vec::new()));
    workspace.unchanged(&[]);
    let files = Files::of(scene);
    let revealed = files.open("id", &["--reveal"]);
    assert_eq!(String::from_utf8(revealed.stdout).unwrap(), VALUE);
    assert_eq!(files.open_by_a_stranger(), VALUE);

    let identity = files.path("id").display().to_string();
    let drill = ["verify", "--drill", &identity, "--json"];
    let verified = json(&pins.run(scene, &drill));
    assert_eq!(verified["drill"]["opened"], 1, "{verified}");
    assert_eq!(verified["findings"], Value::Array(Vec::new()));
    // Another identity opens nothing, which the drill finds.
    let stranger = files.path("stranger").display().to_string();
    let missed = pins.run(scene, &["verify", "--drill", &stranger]);
    has(
        &told(&missed, 1),
        &["drill: it is not wrapped for the key of the drill"],
    );

    removed(scene, &pins, &id);
    let without = Pins::of(scene);
    let rewrapped = told(&without.run(scene, &["rewrap", "--backend", "platform"]), 0);
    has(
        &rewrapped,
        &["1 version rewrapped", "platform: 1 of 1 secrets"],
    );
    expect_progress(scene, &without);
    has(
        &told(&Files::of(scene).open("id", &[]), 1),
        &["No Wrap For This Key"],
    );
    assert_eq!(scene.read(&["db"])["db"], VALUE);
    workspace.destroyed(&[]);
}

/// Removes the escrow key `id`, adds it again and removes it, each time with a killed command.
fn removed(scene: &Scene, pins: &Pins, id: &str) {
    let json_of = |arguments: &[&str]| json(&pins.run(scene, &[arguments, &["--json"]].concat()));
    let add = ["platform", "escrow", "add", ESCROW];
    let remove = ["platform", "escrow", "remove", id];
    let list = ["platform", "escrow", "list"];
    let [begin, commit, forget, answer] = REMOVE;
    for step in [begin, commit] {
        pins.killed(scene, &remove, step);
        let listed = json_of(&list);
        assert_eq!(listed["escrow"][0]["id"], id, "{step}: {listed}");
        assert_eq!(listed["escrow"][0]["settings"]["type"], "age", "{listed}");
    }
    has(
        &told(&pins.run(scene, &remove), 0),
        &["Removed the escrow key", "rewrap"],
    );
    let gone = pins.run(scene, &["platform", "escrow", "remove", ESCROW]);
    has(&told(&gone, 3), &["Escrow Key Not Found"]);
    for step in [forget, answer] {
        pins.killed(scene, &add, ADD[3]);
        let added = json_of(&add);
        assert_eq!(
            (&added["action"], &added["changed"]),
            (&"added".into(), &false.into())
        );
        assert_eq!(added["escrow"][0]["id"], id, "{added}");
        pins.killed(scene, &remove, step);
        let listed = json_of(&list);
        assert_eq!(
            listed["escrow"],
            Value::Array(Vec::new()),
            "{step}: {listed}"
        );
    }
    let added = json_of(&add);
    assert_eq!(added["changed"], true, "{added}");
    let removed = json_of(&remove);
    assert_eq!(
        (&removed["action"], &removed["changed"]),
        (&"removed".into(), &true.into())
    );
    assert_eq!(removed["key"]["id"], id, "{removed}");
    assert_eq!(removed["escrow"], Value::Array(Vec::new()), "{removed}");
}
