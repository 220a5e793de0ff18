//! Every ordered pair of types of platforms, with buckets of several vendors.

use planton_vendors::openbao::client::{PolicyRole, policy_text};
use xtask::bucket::BucketService;

use super::Place;
use super::canary::{LeftBehind, OpenDatabase};
use crate::operator::{KILL, killed, told};
use crate::policies::{scope, token_of};
use crate::scene::read_values_in;
use crate::steps::{Steps, has};

/// A secret that rotates, a generated one of an environment, and one that goes.
const SECRETS: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
}
variable "trigger" {}
variable "temporary" { default = true }

resource "planton_secret" "given" {
  name             = "given"
  value_wo         = var.value
  value_wo_version = var.trigger
}

resource "planton_secret" "generated" {
  name        = "generated"
  environment = "prod"
  generate    = { length = 40 }
}

resource "planton_secret" "temporary" {
  count    = var.temporary ? 1 : 0
  name     = "temporary"
  generate = {}
}
"#;

/// The migration that prepares the bucket of Google, which has a rule that deletes objects.
const FIRST_IN_GCS: usize = 1;

/// The first migrations from the embedded platform and to it. A kill leaves the log of the
/// database as the copying has written it.
const KILLED: [usize; 2] = [0, 2];

#[test]
fn acc_migration_between_each_pair_keeps_states_valid() {
    let (embedded, openbao) = (Place::embedded(), Place::openbao());
    let [gcs, azure] = [BucketService::Gcs, BucketService::Azure].map(Place::bucket);
    gcs.bucket_of().expire("").unwrap();
    // Each ordered pair of types once, and a platform of each type is left and returned to.
    let way = [
        &embedded, &openbao, &gcs, &embedded, &gcs, &openbao, &embedded, &azure, &embedded,
    ];
    let mut left = LeftBehind::new(&[&embedded, &openbao, &gcs, &azure]);
    let secrets = SECRETS.replace("\"given\"\n", &format!("{:?}\n", left.mark()));
    let mut workspace = embedded.workspace(&secrets);
    let mut value = left.plant();
    workspace.applied(&[("value", &value), ("trigger", "0")]);
    workspace.applied(&[("value", &value), ("trigger", "0"), ("temporary", "false")]);
    left.plant_value("the generated value", &generated_value(&embedded));
    let generated = workspace.secret("generated");

    refuses_what_is_no_migration(&embedded, &openbao);
    let log = OpenDatabase::of(&embedded);
    for (hop, pair) in way.windows(2).enumerate() {
        let (source, target) = (pair[0], pair[1]);
        let mut migration = source.migration(target, &["--apply"]);
        migration.env("TF_LOG", "TRACE").env("RUST_LOG", "trace");
        if KILLED.contains(&hop) {
            let output = migration.env(KILL, "verify migration").output().unwrap();
            killed(&output, "verify migration");
            left.add_output(hop, &output);
            left.add_log(hop, &log);
            migration.env_remove(KILL);
        }
        let output = migration.output().unwrap();
        let moved = told(&output, 0);
        left.add_output(hop, &output);
        left.add_platforms(hop, &[source, target], &log);
        has(&moved, &["The migration is complete", &target.described()]);
        let is_told = moved.contains("Lifecycle Rule Deletes Objects");
        assert_eq!(is_told, hop == FIRST_IN_GCS, "once: {moved}");
        let before = [
            ("value", value.as_str()),
            ("trigger", &hop.to_string()),
            ("temporary", "false"),
        ];
        let late = workspace.refused(&before);
        has(&late, &["Organization Moved", &target.described()]);
        target.configure(&mut workspace);
        workspace.unchanged(&before);
        value = left.plant();
        let trigger = (hop + 1).to_string();
        workspace.applied(&[
            ("value", &value),
            ("trigger", &trigger),
            ("temporary", "false"),
        ]);
        assert_eq!(target.value(left.mark()), value);
    }
    assert_eq!(workspace.secret("generated")["id"], generated["id"]);
    has(&told(&embedded.run(&["verify"], &[]), 0), &["verified"]);
    left.search(&openbao);
    let last = [("value", value.as_str()), ("trigger", "8")];
    workspace.destroyed(&last);
}

fn generated_value(place: &Place) -> String {
    let mut workspace = place.workspace("");
    place.configure(&mut workspace);
    let selector = "name = \"generated\"\n  environment = \"prod\"".to_owned();
    let mut values = read_values_in(&workspace, &[("generated", selector)]);
    values.remove("generated").unwrap()
}

/// A dry run, a migration to the same type of platform, and one to nowhere.
fn refuses_what_is_no_migration(source: &Place, target: &Place) {
    let dry = told(&source.migration(target, &[]).output().unwrap(), 0);
    has(
        &dry,
        &["2 secrets, 0 backends", "Nothing was changed", "--apply"],
    );
    let same = source.migration(&Place::embedded(), &[]).output();
    has(&told(&same.unwrap(), 1), &["Migration Within A Platform"]);
    let mut none = source.command(&["platform", "migrate"]);
    has(
        &told(&none.output().unwrap(), 1),
        &["Platform Missing", "PLANTON_TARGET_ADDR"],
    );
}

#[test]
fn acc_migration_needs_the_init_policy_on_the_target_and_the_apply_policy_on_the_source() {
    let (embedded, openbao) = (Place::embedded(), Place::openbao());
    let mut workspace = embedded.workspace(SECRETS);
    let values = [("value", "hunter2"), ("trigger", "1")];
    workspace.applied(&values);
    let [(_, fingerprint), _] = &embedded.pins()[..] else {
        panic!("the organization exists");
    };
    let bucket = Place::bucket_with_aws_kms(fingerprint);
    let token = |role: PolicyRole| {
        let server = openbao.openbao_server();
        token_of(
            server.api(),
            role.name(),
            &policy_text(&scope("acme"), role),
        )
    };
    let mut arrival = embedded.migration(&openbao, &["--apply"]);
    arrival.env("PLANTON_TARGET_TOKEN", token(PolicyRole::Init));
    told(&arrival.output().unwrap(), 0);
    let mut departure = openbao.migration(&bucket, &["--apply"]);
    departure.env("PLANTON_TOKEN", token(PolicyRole::Apply));
    told(&departure.output().unwrap(), 0);
    bucket.configure(&mut workspace);
    workspace.unchanged(&values);

    // A plan that was saved before changes nothing on the platform that it was made for.
    workspace
        .plan_with(&[("value", "next"), ("trigger", "2")], &["-out=plan"])
        .unwrap();
    told(
        &bucket.migration(&embedded, &["--apply"]).output().unwrap(),
        0,
    );
    let late = workspace.run_with(&["apply", "-input=false", "plan"], &[("value", "next")]);
    has(
        &crate::steps::flat(&late.unwrap().error().unwrap()),
        &["Organization Moved", &embedded.described()],
    );
    assert_eq!(embedded.value("given"), "hunter2");
}
