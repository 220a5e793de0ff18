//! Tests a backend that does not respond. Each operation ends at the deadline of its
//! timeouts block, and loses or half-writes nothing.

use std::time::{Duration, Instant};

use xtask::faults::Fault;

use super::faults::{committed, stored, workspace};
use super::{Object, Place, at_every_server};
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::steps::{Steps, has};

at_every_server!(acc_secrets_on_a_backend_that_never_answers_end_in_time);

/// The time that Terraform may take in addition to a bounded operation.
const AROUND: Duration = Duration::from_secs(60);

const LIMIT: Duration = Duration::from_secs(5);

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
variable "limit" { default = null }

resource "planton_secret" "s" {
  for_each         = var.names
  name             = each.key
  backend          = planton_secret_backend.own.name
  value_wo         = "value ${contains(var.rotated, each.key) ? 2 : 1} of ${each.key}"
  value_wo_version = contains(var.rotated, each.key) ? "2" : "1"
  timeouts = {
    create = var.limit
    read   = var.limit
    update = var.limit
    delete = var.limit
  }
}
"#;

/// Stalls creation, rotation and deletion in one run. For each, one request never reaches
/// the vendor, and one is carried out without a response.
fn acc_secrets_on_a_backend_that_never_answers_end_in_time(scene: &Scene, place: Place) {
    let place = place.behind_a_proxy();
    let workspace = workspace(scene, &place, &place.block(), VARIABLES);
    let credential = place.secret.clone();
    let rotated = r#"["rotate-unseen", "rotate-landed"]"#;
    let of = |names, rotated| {
        [
            ("backend_secret", credential.as_str()),
            ("limit", "5s"),
            ("names", names),
            ("rotated", rotated),
        ]
    };
    let before = of(
        r#"["rotate-unseen", "rotate-landed", "delete-unseen", "delete-landed"]"#,
        "[]",
    );
    workspace.settled(&before);
    let proxy = place.proxy();
    let in_time = |started: Instant| {
        let took = started.elapsed();
        assert!((LIMIT..LIMIT + AROUND).contains(&took), "{took:?}");
    };

    // In a refresh, the deadline comes from the state.
    let looks = place.looks_of("rotate-unseen");
    proxy.fail(Fault::stall().on(looks).times(100));
    let started = Instant::now();
    let told = workspace.refused(&before);
    in_time(started);
    has(&told, &["Operation Timed Out", "timeouts block"]);
    proxy.forget();
    workspace.unchanged(&before);

    let after = of(
        r#"["rotate-unseen", "rotate-landed", "create-unseen", "create-landed"]"#,
        rotated,
    );
    let stalled = [
        place.puts_of("create-unseen"),
        place.puts_of("create-landed"),
        place.puts_of("rotate-unseen"),
        place.puts_of("rotate-landed"),
        place.deletes_in("org", "delete-unseen"),
        place.deletes_in("org", "delete-landed"),
    ];
    proxy.forget();
    for (requests, fault) in stalled
        .iter()
        .zip([Fault::stall, Fault::stall_answer].into_iter().cycle())
    {
        proxy.fail(fault().on(requests.clone()).times(100));
    }
    let started = Instant::now();
    let told = workspace.fails(&after);
    in_time(started);
    assert_eq!(told.matches("Operation Timed Out").count(), 6, "{told}");
    assert_eq!(told.matches("Error: ").count(), 6, "{told}");
    for requests in &stalled {
        assert_eq!(proxy.count(requests), 1, "{requests:?}");
    }
    proxy.forget();
    for (name, versions, payloads) in [
        ("create-unseen", &[][..], 0..=0),
        ("create-landed", &[], 0..=1),
        ("rotate-unseen", &[1], 1..=1),
        ("rotate-landed", &[1], 1..=2),
        ("delete-unseen", &[1], 1..=1),
        ("delete-landed", &[1], 0..=0),
    ] {
        assert_eq!(committed(scene, name), versions, "{name}");
        let there = stored(&place, name);
        assert!(payloads.contains(&there), "{name}: {there} versions");
    }
    let value = place.read(scene, "rotate-landed");
    assert_eq!(value, "value 1 of rotate-landed");

    // The next apply converges.
    workspace.settled(&after);
    for (name, versions, most) in [
        ("create-unseen", &[1][..], 1),
        ("create-landed", &[1], 2),
        ("rotate-unseen", &[1, 2], 2),
        ("rotate-landed", &[1, 2], 3),
    ] {
        assert_eq!(committed(scene, name), versions, "{name}");
        let there = stored(&place, name);
        assert!(
            (versions.len()..=most).contains(&there),
            "{name}: {there} versions"
        );
    }
    for name in ["delete-unseen", "delete-landed"] {
        assert!(record_of(&scene.records(), name).is_null(), "{name}");
        assert_eq!(stored(&place, name), 0, "{name}");
    }
    assert_eq!(
        place.read(scene, "create-landed"),
        "value 1 of create-landed"
    );
    assert_eq!(
        place.read(scene, "rotate-landed"),
        "value 2 of rotate-landed"
    );
    workspace.destroyed(&after);
    // No record names a version whose response was lost. It is deleted with its object,
    // or stays as garbage.
    let left = place.objects();
    let spare = |object: &Object| object.name.contains("-landed-");
    let expected = if place.stores_versions_apart() { 2 } else { 0 };
    assert!(left.iter().all(spare), "{left:?}");
    assert!(left.len() <= expected, "{left:?}");
}

/// Stalls each of two puts once, with the release's default timeouts. The provider gives
/// the request up after its own 15 s, and retries it. No timer of this test ends the stall.
///
/// All vendors use the same HTTP client with these timeouts, so one place suffices: GCP,
/// whose puts have no idempotency key.
#[test]
fn acc_put_that_stalls_as_long_as_a_request_may_take_is_made_again() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::gcp().behind_a_proxy();
    let workspace = workspace(&scene, &place, &place.block(), VARIABLES);
    let credential = place.secret.clone();
    let none = [("backend_secret", credential.as_str()), ("names", "[]")];
    workspace.applied(&none);
    let proxy = place.proxy();
    proxy.forget();
    proxy.fail(Fault::stall().on(place.puts_of("unseen")));
    proxy.fail(Fault::stall_answer().on(place.puts_of("landed")));
    let both = [none[0], ("names", r#"["unseen", "landed"]"#)];
    workspace.settled(&both);
    assert_eq!(proxy.unused_faults(), [""; 0]);
    for (name, spares) in [("unseen", 0), ("landed", place.spares())] {
        let puts = place.puts_of(name);
        let seen = proxy.requests().into_iter().filter(|seen| seen.is(&puts));
        let gave_up: Vec<bool> = seen.map(|seen| seen.gave_up()).collect();
        assert_eq!(gave_up, [true, false], "{name}");
        assert_eq!(committed(&scene, name), [1], "{name}");
        let there = stored(&place, name);
        assert!(
            (1..=1 + spares).contains(&there),
            "{name}: {there} versions"
        );
        assert_eq!(place.read(&scene, name), format!("value 1 of {name}"));
    }
    workspace.destroyed(&both);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}
