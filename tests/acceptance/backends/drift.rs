//! Changes a secret's versions at the vendor. The next plan reports each lost version or
//! object, and the next apply repairs it.

use std::collections::BTreeMap;

use super::configuration::plain_backend;
use super::intruder::{Deed, Found};
use super::{Place, at_every_place};
use crate::scene::{Scene, record_of};
use crate::steps::{Steps, has, text};

at_every_place!(acc_secret_drift_at_its_vendor_is_mended_by_one_apply);

const SECRETS: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}
variable "credentials" { default = "1" }
variable "password" {
  type      = string
  ephemeral = true
}
variable "trigger" {}
resource "planton_secret" "db" {
  for_each         = toset(NAMES)
  name             = each.key
  backend          = planton_secret_backend.own.name
  value_wo         = var.password
  value_wo_version = var.trigger
}
"#;

fn acc_secret_drift_at_its_vendor_is_mended_by_one_apply(scene: &Scene, place: Place) {
    let deeds = place.deeds();
    let names: Vec<_> = deeds.iter().map(|(name, ..)| *name).collect();
    let secrets = SECRETS.replace("NAMES", &format!("{names:?}"));
    let workspace = place.workspace(scene);
    let whole = [secrets, plain_backend(&place, "own")].concat();
    workspace.write("main.tf", &whole).unwrap();
    let credential = place.secret.clone();
    let round = |trigger, password| {
        [
            ("backend_secret", credential.as_str()),
            ("trigger", trigger),
            ("password", password),
        ]
    };
    workspace.applied(&round("1", "the first value"));
    let rotated = round("2", "the value");
    workspace.applied(&rotated);

    let secret = |name: &str| {
        let address = format!("planton_secret.db[\"{name}\"]");
        workspace.attributes(&address).unwrap()
    };
    let before: BTreeMap<_, _> = names.iter().map(|name| (*name, secret(name))).collect();
    let records = scene.records();
    let object = |name: &str| text(&record_of(&records, name), "remote_name");
    let native_ids = before
        .iter()
        .map(|(name, secret)| (*name, scene.native_id(secret)));
    let native_ids: BTreeMap<&str, String> = native_ids.collect();
    let native_id = |name: &str| native_ids[name].clone();
    for (name, deed, _) in deeds {
        place.commit(*deed, &object(name), &native_id(name));
    }

    // A refresh sets a lost version to null, and the plan adds a version.
    let count = |wanted: Found| {
        let found = deeds.iter().filter(|(_, _, found)| *found == wanted);
        found.count()
    };
    let (gone, lost) = (count(Found::Gone), count(Found::VersionLost));
    let planned = workspace.changes(&rotated);
    let to_do = format!("Plan: 0 to add, {} to change, 0 to destroy", gone + lost);
    has(&planned, &[&to_do]);
    let null = "+ version = (known after apply)";
    assert_eq!(planned.matches(null).count(), gone + lost, "{planned}");

    workspace.settled(&rotated);
    for (name, deed, found) in deeds {
        let (before, after) = (&before[name], secret(name));
        // The secret is the same, since its record still exists.
        assert_eq!(after["id"], before["id"], "{name}");
        if *found == Found::Nothing {
            assert_eq!(after["version"], 2, "{name}");
            assert_eq!(scene.native_id(&after), native_id(name), "{name}");
            if *deed == Deed::Disabled {
                place.enable(&object(name), &native_id(name));
            }
        } else {
            assert_eq!(after["version"], 3, "{name}");
        }
    }

    // New versions continue the numbering, and former versions keep their values.
    workspace.settled(&round("3", "the last value"));
    let mut selectors = Vec::new();
    let mut expected = BTreeMap::new();
    let mut expect = |name: &'static str, version: u64, value: &'static str| {
        let selector = format!("name = {name:?}\n  version = {version}");
        selectors.push((format!("{name} {version}"), selector));
        expected.insert(format!("{name} {version}"), value.to_owned());
    };
    for (name, _, found) in deeds {
        match found {
            Found::Nothing => {
                expect(name, 2, "the value");
                expect(name, 3, "the last value");
            }
            Found::VersionLost => {
                expect(name, 1, "the first value");
                expect(name, 3, "the value");
                expect(name, 4, "the last value");
            }
            // The former versions are lost with the object.
            Found::Gone => {
                expect(name, 3, "the value");
                expect(name, 4, "the last value");
            }
        }
    }
    let selectors: Vec<_> = selectors
        .iter()
        .map(|(key, selector)| (key.as_str(), selector.clone()))
        .collect();
    assert_eq!(place.read_each(scene, &selectors), expected);

    // An object of somebody else under a former name is not deleted.
    workspace.destroyed(&rotated);
    let gone = deeds.iter().filter(|(_, _, found)| *found == Found::Gone);
    let mut theirs: Vec<_> = gone.map(|(name, ..)| object(name)).collect();
    theirs.sort_unstable();
    place.assert_left(&theirs);
    for stored in place.objects() {
        let ours = |payload: &Vec<u8>| payload.to_ascii_lowercase().starts_with(b"pse1");
        assert!(!stored.payloads.iter().any(ours), "{stored:?}");
    }
}
