//! Reads stored versions with Google's own client.

use std::process::Command;
use std::time::Duration;

use planton_core::store::{Deletion, PutOptions, SecretStore};
use serde_json::{Value, json};
use xtask::process;
use xtask::tools::Tools;

use super::support::{PAYLOAD, Place, name, version};

const SCRIPT: &str = include_str!("official_client.py");

//= docs/format.md#20-places
//= type=test
//# On GCP Secret Manager, a writer MUST write an envelope at the place and in the form of this
//# table.
#[tokio::test]
async fn googles_own_client_sees_names_labels_and_envelopes() {
    let place = Place::new();
    let store = place.store();
    let labels = [("environment".to_owned(), "prod".to_owned())];
    let options = PutOptions {
        labels: labels.into(),
        ..version(1, &[])
    };
    let one = store.put(name(), PAYLOAD, options).await.unwrap();
    let two = store.put(name(), b"PSE1 two", version(2, &[&one]));
    let two = two.await.unwrap();
    let three = store.put(name(), b"PSE1 three", version(3, &[&one, &two]));
    three.await.unwrap();
    let what = Deletion::Versions(vec![two]);
    store.delete(name(), what).await.unwrap();

    let tools = Tools::locate().unwrap();
    let token = place.fake.token().unwrap();
    let mut python = Command::new(tools.python());
    python
        .args(["-c", SCRIPT, place.fake.address(), "acme"])
        .env("TOKEN", token);
    let finished = process::run(&mut python, Duration::from_secs(120)).unwrap();
    let finished = finished.ok().unwrap();
    let seen: Value = serde_json::from_str(&finished.stdout).unwrap();
    let versions = json!([
        {"number": 3, "state": "ENABLED", "payload": "PSE1 three"},
        {"number": 2, "state": "DESTROYED", "payload": null},
        {"number": 1, "state": "ENABLED", "payload": "PSE1 sealed"},
    ]);
    let expected = json!([{
        "name": name().as_str(),
        "labels": {"environment": "prod", "managed-by": "terraform-provider-planton"},
        "annotations": ["planton-attempt"],
        "versions": versions,
    }]);
    assert_eq!(seen, expected);
}
