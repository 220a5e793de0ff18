//! Tests a connection that fails in everything except a put, which `faults` covers: in a
//! declaration, a refresh, an ephemeral read, and a deletion.
//!
//! The suite of `tests/support/store_faults` covers each verb of each vendor. These tests
//! cover Terraform's view, once with a vendor's SDK and once with our own client.

use xtask::faults::{Fault, Match};

use super::Place;
use super::faults::{committed, stored, workspace};
use crate::scene::{On, Scene, assert_tombstones, terraform_1_11};
use crate::steps::Steps;

const VARIABLES: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}
variable "names" { type = set(string) }

resource "planton_secret" "s" {
  for_each         = var.names
  name             = each.key
  backend          = planton_secret_backend.own.name
  value_wo         = "value of ${each.key}"
  value_wo_version = "1"
}
"#;

#[test]
fn acc_backend_and_its_secrets_live_on_a_way_that_fails_over_a_vendors_sdk() {
    acc_backend_and_its_secrets_live_on_a_way_that_fails(Place::aws());
}

#[test]
fn acc_backend_and_its_secrets_live_on_a_way_that_fails_over_our_own_client() {
    acc_backend_and_its_secrets_live_on_a_way_that_fails(Place::vault());
}

fn acc_backend_and_its_secrets_live_on_a_way_that_fails(place: Place) {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = place.behind_a_proxy();
    let workspace = workspace(&scene, &place, &place.block(), VARIABLES);
    let credential = place.secret.clone();
    let none = [("backend_secret", credential.as_str()), ("names", "[]")];
    let two = [none[0], ("names", r#"["outage", "lost"]"#)];
    let proxy = place.proxy();
    // The first request fails three times, and the response of the other is lost.
    let strike = |outage: Match, lost: Match| {
        proxy.forget();
        proxy.fail(Fault::status(503).times(3).on(outage));
        proxy.fail(Fault::lose_answer().on(lost));
    };
    let struck = |what: &str| {
        assert_eq!(proxy.unused_faults(), [""; 0], "{what}");
        assert_eq!(proxy.troubles(), [""; 0], "{what}");
        proxy.forget();
    };

    strike(
        place.puts_in("probe", "own"),
        place.puts_in("backend", "own"),
    );
    workspace.applied(&none);
    struck("a declaration");
    let objects = place.objects();
    assert_eq!(objects.len(), 1, "its marker: {objects:?}");
    assert_eq!(objects[0].payloads.len(), 1, "once: {objects:?}");
    workspace.settled(&two);

    strike(place.looks_of("outage"), place.looks_of("lost"));
    workspace.unchanged(&two);
    struck("a refresh");

    for (name, fault) in [
        ("outage", Fault::status(503).times(3)),
        ("lost", Fault::lose_answer()),
    ] {
        proxy.fail(fault.on(place.reads_of(name)));
        assert_eq!(place.read(&scene, name), format!("value of {name}"));
        struck("an ephemeral read");
        assert_eq!(committed(&scene, name), [1], "{name}");
        assert_eq!(stored(&place, name), 1, "{name}");
    }

    strike(
        place.deletes_in("org", "outage"),
        place.deletes_in("org", "lost"),
    );
    proxy.fail(Fault::lose_answer().on(place.deletes_in("backend", "own")));
    workspace.destroyed(&two);
    struck("a deletion");
    assert_tombstones(&scene.records());
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}
