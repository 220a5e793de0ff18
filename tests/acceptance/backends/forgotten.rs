//! Tests `terraform-provider-planton forget` for a backend whose server is permanently
//! lost.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::Place;
use super::configuration::{VARIABLES, plain_backend, secret};
use crate::scene::{On, Scene, assert_tombstones, record_of, terraform_1_11};
use crate::steps::{Steps, flat, has};

/// Runs the command without a terminal.
fn forget(scene: &Scene, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terraform-provider-planton"));
    command.arg("forget").args(arguments);
    command.env("PLANTON_ORG", "acme").envs(scene.environment());
    command.stdin(Stdio::null()).output().unwrap()
}

/// Returns a command's output on one line, after it exited with `status`.
#[track_caller]
fn told(output: &Output, status: i32) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    flat(&text)
}

#[test]
fn acc_secrets_and_a_backend_that_is_gone_are_forgotten_and_their_states_drop_them() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::openbao();
    let variables = [
        ("backend_secret", place.secret.as_str()),
        ("value", "hunter2"),
    ];
    let workspace = place.workspace(&scene);
    let on = "backend = planton_secret_backend.own.name";
    let parts = [
        VARIABLES,
        &plain_backend(&place, "own"),
        &secret("db", on),
        &secret("api", &format!("{on}\n  deletion_protection = true")),
    ];
    workspace.write("main.tf", &parts.concat()).unwrap();
    workspace.settled(&variables);
    let record = record_of(&scene.records(), "db");
    let uuid = |name: &str| {
        record_of(&scene.records(), name)["uuid"]
            .as_str()
            .map(str::to_owned)
    };
    let [db, api] = ["db", "api"].map(|name| uuid(name).unwrap());

    // The server is permanently lost: every plan and destroy fails.
    let secret = place.secret.clone();
    drop(place);
    let variables = [("backend_secret", secret.as_str()), ("value", "hunter2")];
    workspace.refused(&variables);
    let before = scene.records();

    // No confirmation, an invalid name, an absent secret, a protected secret, and a
    // backend in use.
    has(
        &told(&forget(&scene, &["secret", "db"]), 2),
        &["Confirmation Required", "--yes"],
    );
    has(
        &told(&forget(&scene, &["secret", "no such name", "--yes"]), 2),
        &["1 to 63 characters"],
    );
    has(
        &told(&forget(&scene, &["secret", "other", "--yes"]), 3),
        &["Secret Not Found"],
    );
    let elsewhere = ["secret", "db", "--environment", "prod", "--yes"];
    has(
        &told(&forget(&scene, &elsewhere), 3),
        &["Secret Not Found", "prod/db"],
    );
    has(
        &told(&forget(&scene, &["secret", "api", "--yes"]), 1),
        &["Secret Deletion Protected", "--ignore-protection"],
    );
    has(
        &told(&forget(&scene, &["backend", "own", "--yes"]), 1),
        &["Secret Backend In Use", "api", "db"],
    );
    assert_eq!(scene.records(), before, "nothing was changed");

    // The command reports the uuid, the owner, and the objects that may remain.
    let output = forget(&scene, &["secret", "db", "--yes", "--json"]);
    told(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["forgotten"], "secret");
    assert_eq!(report["uuid"], db);
    assert_eq!(report["owner"]["run"], record["owner"]["stamp"]["run"]);
    let left = report["may_be_left"][0].as_str().unwrap();
    assert!(
        left.contains(record["remote_name"].as_str().unwrap()),
        "{left}"
    );
    let forgotten = forget(&scene, &["secret", "api", "--yes", "--ignore-protection"]);
    has(
        &told(&forgotten, 0),
        &["Forgot secret \"api\"", &api, "may remain"],
    );
    let again = forget(&scene, &["secret", "db", "--yes", "--json"]);
    has(&told(&again, 3), &["\"error\":", "Secret Not Found"]);
    let forgotten = forget(&scene, &["backend", "own", "--yes"]);
    has(
        &told(&forgotten, 0),
        &["Forgot backend \"own\"", "backend/own-"],
    );
    has(
        &told(&forget(&scene, &["backend", "own", "--yes"]), 3),
        &["Secret Backend Not Found"],
    );
    assert_tombstones(&scene.records());

    // The next apply removes them from the state, protected or not.
    workspace.write("main.tf", VARIABLES).unwrap();
    let applied = workspace.settled(&variables);
    has(applied.stdout(), &["0 added, 0 changed, 0 destroyed"]);
    for address in [
        "planton_secret.db",
        "planton_secret.api",
        "planton_secret_backend.own",
    ] {
        assert!(workspace.attributes(address).is_none(), "{address}");
    }
}
