//! A backend on a way that fails, in the middle of an apply.

use std::time::{Duration, Instant};

use xtask::faults::Fault;
use xtask::terraform::{Variables, Workspace};

use super::{Object, Place, at_every_place};
use crate::scene::{Scene, record_of};
use crate::steps::Steps;

at_every_place!(
    acc_secrets_are_created_and_rotated_while_their_backend_fails,
    acc_secret_create_against_a_backend_that_never_answers_ends_in_time,
);

/// How long Terraform may take around an operation that is bounded itself.
const AROUND: Duration = Duration::from_secs(60);

const VARIABLES: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}
variable "names" { type = set(string) }
variable "trigger" { default = "1" }
variable "create" { default = "10m" }

resource "planton_secret" "s" {
  for_each         = var.names
  name             = each.key
  backend          = planton_secret_backend.own.name
  value_wo         = "value ${var.trigger} of ${each.key}"
  value_wo_version = var.trigger
  timeouts         = { create = var.create }
}
"#;

fn workspace(scene: &Scene, place: &Place, block: &str) -> Workspace {
    let workspace = place.workspace(scene);
    let backend = format!(
        "resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n{block}  \
         credentials_wo_version = \"1\"\n}}\n"
    );
    workspace
        .write("main.tf", &format!("{VARIABLES}{backend}"))
        .unwrap();
    workspace
}

/// The number of versions that the catalog knows of a secret.
fn committed(scene: &Scene, name: &str) -> Vec<u64> {
    let record = record_of(&scene.records(), name);
    let versions = record["versions"].as_array().into_iter().flatten();
    let numbers = versions.map(|version| version["number"].as_u64().unwrap());
    numbers.collect()
}

/// The number of payloads that the backend holds of a secret.
fn stored(place: &Place, name: &str) -> usize {
    let part = ["", "org", &format!("{name}-")].join(place.separator());
    let objects = place.objects().into_iter();
    let own = objects.filter(|object| object.name.contains(&part));
    own.map(|object| object.payloads.len()).sum()
}

/// What strikes one of the six secrets, and how many answers are lost by it.
struct Strike {
    secret: &'static str,
    faults: Vec<Fault>,
    lost: usize,
}

fn strikes() -> Vec<Strike> {
    let strike = |secret, faults, lost| Strike {
        secret,
        faults,
        lost,
    };
    vec![
        strike("s0", vec![Fault::status(503).times(3)], 0),
        strike("s1", vec![Fault::lose_answer()], 1),
        strike("s2", vec![Fault::status(429).retry_after(1)], 0),
        strike("s3", vec![Fault::reset(), Fault::truncate()], 1),
        strike("s4", vec![Fault::truncate(), Fault::lose_answer()], 2),
        // The one during whose put credentials run out.
        strike("s5", Vec::new(), 0),
    ]
}

/// Applies while faults strike.
fn apply_under_fire(workspace: &Workspace, place: &Place, variables: Variables<'_>) {
    let proxy = place.proxy();
    proxy.forget();
    for strike in strikes() {
        for fault in strike.faults {
            proxy.fail(fault.on(place.puts_of(strike.secret)));
        }
    }
    let (hold, gate) = Fault::hold();
    proxy.fail(hold.on(place.puts_of("s5")));
    let arguments = ["apply", "-auto-approve", "-input=false", "-no-color"];
    let run = workspace.spawn(&arguments, variables).unwrap();
    gate.await_reached().unwrap();
    let logins = place.logins();
    let expired = place.expire_credentials();
    gate.open();
    let outcome = run.wait().unwrap();
    let seen = proxy.requests();
    outcome
        .ok()
        .unwrap_or_else(|error| panic!("{error:?}: {seen:?}"));
    assert_eq!(proxy.unused_faults(), [""; 0]);
    assert_eq!(proxy.troubles(), [""; 0]);
    if let Some(before) = logins {
        assert!(expired);
        assert_eq!(
            place.logins().unwrap() - before,
            1,
            "one new login: {seen:?}"
        );
    }
    proxy.forget();
}

fn acc_secrets_are_created_and_rotated_while_their_backend_fails(scene: &Scene, place: Place) {
    let place = place.behind_a_proxy();
    let workspace = workspace(scene, &place, &place.block_with_a_session());
    let names: Vec<_> = strikes().iter().map(|strike| strike.secret).collect();
    let names = format!("{names:?}");
    let credential = place.secret.clone();
    let on = |trigger: &'static str| {
        [
            ("backend_secret", credential.as_str()),
            ("names", names.as_str()),
            ("trigger", trigger),
        ]
    };
    // The backend is there; what fails is what the secrets need.
    let none = [("backend_secret", credential.as_str()), ("names", "[]")];
    workspace.settled(&none);

    let mut spares = 0;
    for (trigger, versions) in [("1", &[1][..]), ("2", &[1, 2])] {
        apply_under_fire(&workspace, &place, &on(trigger));
        workspace.unchanged(&on(trigger));
        spares += 1;
        for strike in strikes() {
            let name = strike.secret;
            assert_eq!(committed(scene, name), versions, "{name}");
            let (least, most) = (versions.len(), versions.len() + spares * strike.lost);
            let there = stored(&place, name);
            assert!((least..=most).contains(&there), "{name}: {there} versions");
            let value = format!("value {trigger} of {name}");
            assert_eq!(place.read(scene, name), value);
        }
    }
    workspace.destroyed(&on("2"));
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

fn acc_secret_create_against_a_backend_that_never_answers_ends_in_time(
    scene: &Scene,
    place: Place,
) {
    let place = place.behind_a_proxy();
    let workspace = workspace(scene, &place, &place.block());
    let credential = place.secret.clone();
    let none = [("backend_secret", credential.as_str()), ("names", "[]")];
    workspace.settled(&none);

    // One put is never seen by the vendor, and one is carried out.
    let proxy = place.proxy();
    proxy.fail(Fault::stall().on(place.puts_of("unseen")).times(100));
    proxy.fail(Fault::stall_answer().on(place.puts_of("landed")).times(100));
    let names = r#"["unseen", "landed"]"#;
    let both = [none[0], ("names", names), ("create", "5s")];
    let started = Instant::now();
    let told = workspace.fails(&both);
    let took = started.elapsed();
    assert_eq!(told.matches("Operation Timed Out").count(), 2, "{told}");
    assert!(told.contains("timeouts block"), "{told}");
    let bounds = Duration::from_secs(5)..Duration::from_secs(5) + AROUND;
    assert!(bounds.contains(&took), "{took:?}");
    for name in ["unseen", "landed"] {
        assert_eq!(committed(scene, name), [0; 0], "{name}");
        assert_eq!(proxy.count(&place.puts_of(name)), 1, "{name}");
    }
    assert_eq!(stored(&place, "unseen"), 0);
    assert!(stored(&place, "landed") <= 1);

    proxy.forget();
    workspace.settled(&both);
    for (name, most) in [("unseen", 1), ("landed", 2)] {
        assert_eq!(committed(scene, name), [1], "{name}");
        let there = stored(&place, name);
        assert!((1..=most).contains(&there), "{name}: {there} versions");
        assert_eq!(place.read(scene, name), format!("value 1 of {name}"));
    }
    workspace.destroyed(&both);
    // A version whose answer never came is nobody's: it goes with its object, or
    // is for the collection of garbage to find.
    let left = place.objects();
    let spare = |object: &Object| object.name.contains("/org/landed-");
    let expected = usize::from(place.keeps_versions_apart());
    assert!(left.iter().all(spare), "{left:?}");
    assert!(left.len() <= expected, "{left:?}");
}
