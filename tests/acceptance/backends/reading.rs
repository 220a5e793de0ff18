//! Reads a secret while a rotation deletes the version that its record named. The
//! vendor's response is held until that version is deleted.

use std::thread;

use xtask::faults::Fault;

use super::Place;
use super::faults::workspace;
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, flat, has};

const SECRETS: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}
variable "rotation" {}

resource "planton_secret" "s" {
  for_each         = toset(["read", "planned"])
  name             = each.key
  backend          = planton_secret_backend.own.name
  keep_versions    = 1
  value_wo         = "value ${var.rotation}"
  value_wo_version = var.rotation
}
"#;

#[test]
fn acc_read_and_plan_that_meet_a_rotation_see_its_version_on_kv() {
    read_and_plan_meet_a_rotation(Place::openbao());
}

#[test]
fn acc_read_and_plan_that_meet_a_rotation_see_its_version_on_gcp() {
    read_and_plan_meet_a_rotation(Place::gcp());
}

fn read_and_plan_meet_a_rotation(place: Place) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = place.behind_a_proxy();
    let owner = workspace(&scene, &place, &place.block(), SECRETS);
    let credential = place.secret.clone();
    let of = |version| {
        [
            ("backend_secret", credential.as_str()),
            ("rotation", version),
        ]
    };
    owner.settled(&of("1"));
    let planner = workspace(&scene, &place, &place.block(), SECRETS);
    let state = owner.state_text().unwrap();
    planner.write("terraform.tfstate", &state).unwrap();
    let proxy = place.proxy();
    let held = |requests| {
        let (hold, gate) = Fault::hold();
        proxy.fail(hold.on(requests));
        gate
    };

    let gate = held(place.reads_of("read"));
    let value = thread::scope(|threads| {
        let read = threads.spawn(|| place.read(&scene, "read"));
        gate.await_reached().unwrap();
        owner.applied(&of("2"));
        gate.open();
        read.join().unwrap()
    });
    assert_eq!(value, "value 2");
    assert_eq!(proxy.unused_faults(), [""; 0]);

    let gate = held(place.looks_of("planned"));
    let planned = thread::scope(|threads| {
        let plan = threads.spawn(|| planner.plan_with(&of("2"), &["-refresh-only"]).unwrap());
        gate.await_reached().unwrap();
        owner.applied(&of("3"));
        gate.open();
        plan.join().unwrap().changes().unwrap()
    });
    let planned = flat(planned.stdout());
    assert!(!planned.contains("-> null"), "{planned}");
    has(&planned, &["~ version = 1 -> 3"]);
    assert_eq!(proxy.unused_faults(), [""; 0]);
}
