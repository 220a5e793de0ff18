//! Kills the provider between two requests of one operation, where the provider has no
//! step. The second request still arrives, after the death of its sender.
//!
//! On AWS and GCP, the object is created first, and its first version is put after that.
//! On Azure, a first put follows a read, and a purge follows a deletion. On KV, each verb
//! is one request, so only the steps before and after it can be tested: see `crash`.

use xtask::faults::Fault;
use xtask::process::Signal;

use super::Place;
use super::faults::{APPLY, committed, stored, workspace};
use crate::canary::provider_of;
use crate::scene::{On, Scene, assert_tombstones, record_of, terraform_1_11};
use crate::steps::Steps;

const VARIABLES: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}
variable "names" { type = set(string) }
variable "rotated" {
  type    = set(string)
  default = []
}

resource "planton_secret" "s" {
  for_each         = var.names
  name             = each.key
  backend          = planton_secret_backend.own.name
  value_wo         = "value ${contains(var.rotated, each.key) ? 2 : 1} of ${each.key}"
  value_wo_version = contains(var.rotated, each.key) ? "2" : "1"
}
"#;

#[test]
fn acc_secrets_survive_a_kill_between_two_requests_on_aws() {
    acc_secrets_survive_a_kill_between_two_requests(Place::aws());
}

#[test]
fn acc_secrets_survive_a_kill_between_two_requests_on_gcp() {
    acc_secrets_survive_a_kill_between_two_requests(Place::gcp());
}

#[test]
fn acc_secrets_survive_a_kill_between_two_requests_on_azure() {
    acc_secrets_survive_a_kill_between_two_requests(Place::azure());
}

/// At the time of the kill, one secret is being created, one rotated and one deleted.
fn acc_secrets_survive_a_kill_between_two_requests(place: Place) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = place.behind_a_proxy();
    let workspace = workspace(&scene, &place, &place.block(), VARIABLES);
    let credential = place.secret.clone();
    let of = |names, rotated| {
        [
            ("backend_secret", credential.as_str()),
            ("names", names),
            ("rotated", rotated),
        ]
    };
    place.put("stray", "somebody's", "something");
    let others = || {
        let kept = place.part("org", "kept");
        let mut others = place.objects();
        others.retain(|object| object.name == "stray" || object.name.contains(&kept));
        for object in &mut others {
            // Labels are unordered.
            object.about.sort_unstable();
        }
        others
    };
    workspace.settled(&of(r#"["rotated", "deleted", "kept"]"#, "[]"));
    let untouched = (others(), record_of(&scene.records(), "kept"));
    assert_eq!(untouched.0.len(), 2, "{:?}", untouched.0);

    let after = of(r#"["created", "rotated", "kept"]"#, r#"["rotated"]"#);
    let proxy = place.proxy();
    let gates = [
        place.puts_of("created"),
        place.puts_of("rotated"),
        place.last_deletes_of("deleted"),
    ]
    .map(|requests| {
        let (hold, gate) = Fault::hold();
        proxy.fail(hold.on(requests));
        gate
    });
    let run = workspace.spawn(&APPLY, &after).unwrap();
    for gate in &gates {
        gate.await_reached().unwrap();
    }
    // The earlier requests are complete, and none of them was acknowledged.
    let made = || {
        let part = place.part("org", "created");
        let mut objects = place.objects().into_iter();
        objects.any(|object| object.name.contains(&part))
    };
    assert_eq!(made(), place.over_http().creates_before_put());
    assert_eq!(stored(&place, "created"), 0);
    let provider = rustix::process::Pid::from_raw(provider_of(run.running.pid()).cast_signed());
    rustix::process::kill_process(provider.unwrap(), Signal::KILL).unwrap();
    let killed = run.wait().unwrap();
    assert!(!killed.success(), "{killed:?}");
    for gate in &gates {
        gate.open();
        gate.await_answered().unwrap();
    }
    assert_eq!(proxy.unused_faults(), [""; 0]);
    assert_eq!(committed(&scene, "created"), [0; 0]);
    assert_eq!(committed(&scene, "rotated"), [1]);
    assert_eq!(place.read(&scene, "rotated"), "value 1 of rotated");
    let deleted = record_of(&scene.records(), "deleted");
    assert_eq!(deleted["state"], "deleting");

    workspace.settled(&after);
    assert_eq!(committed(&scene, "created"), [1]);
    assert_eq!(committed(&scene, "rotated"), [1, 2]);
    assert!(record_of(&scene.records(), "deleted").is_null());
    assert_eq!(stored(&place, "deleted"), 0);
    for (name, versions) in [("created", 1), ("rotated", 2)] {
        let there = stored(&place, name);
        // No record names the version of the late request.
        assert!(
            (versions..=versions + 1).contains(&there),
            "{name}: {there}"
        );
    }
    assert_eq!(place.read(&scene, "created"), "value 1 of created");
    assert_eq!(place.read(&scene, "rotated"), "value 2 of rotated");
    assert_eq!(others(), untouched.0);
    assert_eq!(record_of(&scene.records(), "kept"), untouched.1);
    workspace.destroyed(&after);
    assert_tombstones(&scene.records());
    place.remove("stray");
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}
