//! Tests applies while the connection to a backend fails.

use xtask::faults::Fault;
use xtask::terraform::{Variables, Workspace};

use super::fixtures::ACCESS_KEY;
use super::{Place, at_every_server};
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::steps::{Steps, flat, has};

at_every_server!(acc_secrets_are_created_and_rotated_while_their_backend_fails);

pub(super) const APPLY: [&str; 4] = ["apply", "-auto-approve", "-input=false", "-no-color"];

const VARIABLES: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}
variable "names" { type = set(string) }
variable "trigger" { default = "1" }

resource "planton_secret" "s" {
  for_each         = var.names
  name             = each.key
  backend          = planton_secret_backend.own.name
  value_wo         = "value ${var.trigger} of ${each.key}"
  value_wo_version = var.trigger
}
"#;

/// Makes a workspace with the backend `own`, and with `more`.
pub(super) fn workspace(scene: &Scene, place: &Place, block: &str, more: &str) -> Workspace {
    let workspace = place.workspace(scene);
    let backend = format!(
        "resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n{block}  \
         credentials_wo_version = \"1\"\n}}\n"
    );
    workspace
        .write("main.tf", &format!("{more}{backend}"))
        .unwrap();
    workspace
}

/// Returns the numbers of a secret's versions in the catalog.
pub(super) fn committed(scene: &Scene, name: &str) -> Vec<u64> {
    let record = record_of(&scene.records(), name);
    let versions = record["versions"].as_array().into_iter().flatten();
    let numbers = versions.map(|version| version["number"].as_u64().unwrap());
    numbers.collect()
}

/// Returns the number of a secret's payloads in the backend.
pub(super) fn stored(place: &Place, name: &str) -> usize {
    let part = place.part("org", name);
    let objects = place.objects().into_iter();
    let own = objects.filter(|object| object.name.contains(&part));
    own.map(|object| object.payloads.len()).sum()
}

/// The faults of one of the six secrets, and how many of them lose a response. At most
/// one does, so there is at most one superfluous version.
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
        strike("s4", vec![Fault::status(503), Fault::lose_answer()], 1),
        // Credentials expire during the put of this one.
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
    let run = workspace.spawn(&APPLY, variables).unwrap();
    gate.await_reached().unwrap();
    let logins = place.logins();
    place.expire_credentials();
    gate.open();
    let outcome = run.wait().unwrap();
    let seen = proxy.requests();
    outcome
        .ok()
        .unwrap_or_else(|error| panic!("{error:?}: {seen:?}"));
    assert_eq!(proxy.unused_faults(), [""; 0]);
    assert_eq!(proxy.troubles(), [""; 0]);
    assert_eq!(place.logins() - logins, 1, "one new login: {seen:?}");
    proxy.forget();
}

fn acc_secrets_are_created_and_rotated_while_their_backend_fails(scene: &Scene, place: Place) {
    let (place, block) = place.behind_a_proxy().with_a_session();
    let workspace = workspace(scene, &place, &block, VARIABLES);
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
    // Declares the backend first, so the faults affect the secrets only.
    let none = [("backend_secret", credential.as_str()), ("names", "[]")];
    workspace.settled(&none);

    for (trigger, versions) in [("1", &[1][..]), ("2", &[1, 2])] {
        let counted = |strike: &Strike| stored(&place, strike.secret);
        let before: Vec<usize> = strikes().iter().map(counted).collect();
        apply_under_fire(&workspace, &place, &on(trigger));
        workspace.unchanged(&on(trigger));
        for (strike, before) in strikes().iter().zip(before) {
            let name = strike.secret;
            assert_eq!(committed(scene, name), versions, "{name}");
            let new = counted(strike) - before;
            let most = 1 + place.spares() * strike.lost;
            assert!((1..=most).contains(&new), "{name}: {new} new versions");
            let value = format!("value {trigger} of {name}");
            assert_eq!(place.read(scene, name), value);
        }
    }
    workspace.destroyed(&on("2"));
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

/// Three secrets, created one after the other.
const CHAIN: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}
variable "trigger" { default = "1" }

resource "planton_secret" "first" {
  name             = "first"
  backend          = planton_secret_backend.own.name
  value_wo         = "value ${var.trigger} of first"
  value_wo_version = var.trigger
}
resource "planton_secret" "second" {
  name             = "second"
  backend          = planton_secret_backend.own.name
  value_wo         = "value ${var.trigger} of second"
  value_wo_version = var.trigger
  depends_on       = [planton_secret.first]
}
resource "planton_secret" "third" {
  name             = "third"
  backend          = planton_secret_backend.own.name
  value_wo         = "value ${var.trigger} of third"
  value_wo_version = var.trigger
  depends_on       = [planton_secret.second]
}
"#;

/// The provider cannot renew a static credential.
#[test]
fn acc_run_whose_static_key_runs_out_fails_and_loses_nothing_acknowledged() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::aws().behind_a_proxy();
    let block = place.block();
    let workspace = workspace(&scene, &place, &block, CHAIN);
    let credential = place.secret.clone();
    let on = |trigger| {
        [
            ("backend_secret", credential.as_str()),
            ("trigger", trigger),
        ]
    };
    let all = ["first", "second", "third"];
    workspace.settled(&on("1"));

    let (hold, gate) = Fault::hold();
    place.proxy().fail(hold.on(place.puts_of("second")));
    let run = workspace.spawn(&APPLY, &on("2")).unwrap();
    gate.await_reached().unwrap();
    let moto = place.moto();
    moto.expire(ACCESS_KEY).unwrap();
    gate.open();
    let told = flat(&run.wait().unwrap().error().unwrap());
    has(
        &told,
        &[
            "Secret Backend Login Failed",
            "have expired. Provide new ones",
        ],
    );
    assert_eq!(all.map(|name| committed(&scene, name).len()), [2, 1, 1]);
    assert_eq!(all.map(|name| stored(&place, name)), [2, 1, 1]);
    assert_eq!(place.proxy().count(&place.puts_of("third")), 1);

    // Renews the credential first, with `-target`: a refresh of a secret would fail with
    // the old key.
    let renewed = "AKIAPLANTONTEST0002";
    moto.allow_key(renewed, &credential, None).unwrap();
    let main = std::fs::read_to_string(workspace.path().join("main.tf")).unwrap();
    let main = main.replace(ACCESS_KEY, renewed).replace(
        "credentials_wo_version = \"1\"",
        "credentials_wo_version = \"2\"",
    );
    workspace.write("main.tf", &main).unwrap();
    let only = ["-target=planton_secret_backend.own"];
    let renewal = workspace.apply_with(&on("1"), &only).unwrap();
    renewal.ok().unwrap();
    assert_eq!(place.read(&scene, "first"), "value 2 of first");
    assert_eq!(place.read(&scene, "second"), "value 1 of second");
    workspace.settled(&on("2"));
    assert_eq!(all.map(|name| committed(&scene, name).len()), [2, 2, 2]);
    assert_eq!(all.map(|name| stored(&place, name)), [2, 2, 2]);
    assert_eq!(place.read(&scene, "third"), "value 2 of third");
    workspace.destroyed(&on("2"));
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}
