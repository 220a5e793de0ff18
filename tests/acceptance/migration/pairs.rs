//! Every ordered pair of platforms.

use planton_vendors::openbao::client::{PolicyRole, policy_text};
use xtask::canary::Canary;

use super::Place;
use crate::operator::told;
use crate::policies::{scope, token_of};
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

#[test]
fn acc_migration_between_each_pair_keeps_states_valid() {
    let (embedded, openbao, bucket) = (Place::embedded(), Place::openbao(), Place::bucket());
    // Each ordered pair once, and each platform is left and returned to.
    let way = [
        &embedded, &openbao, &bucket, &embedded, &bucket, &openbao, &embedded,
    ];
    let mut workspace = embedded.workspace(SECRETS);
    let mut value = "hunter2 number 0".to_owned();
    workspace.applied(&[("value", &value), ("trigger", "0")]);
    workspace.applied(&[("value", &value), ("trigger", "0"), ("temporary", "false")]);
    let generated = workspace.secret("generated");

    let dry = told(&embedded.migration(&openbao, &[]).output().unwrap(), 0);
    has(
        &dry,
        &["2 secrets, 0 backends", "Nothing was changed", "--apply"],
    );
    let same = embedded.migration(&Place::embedded(), &[]).output();
    has(&told(&same.unwrap(), 1), &["Migration Within A Platform"]);
    let mut none = embedded.command(&["platform", "migrate"]);
    has(
        &told(&none.output().unwrap(), 1),
        &["Platform Missing", "PLANTON_TARGET_ADDR"],
    );
    for (hop, pair) in way.windows(2).enumerate() {
        let (source, target) = (pair[0], pair[1]);
        let mut migration = source.migration(target, &["--apply"]);
        migration.env("TF_LOG", "TRACE").env("RUST_LOG", "trace");
        let output = migration.output().unwrap();
        let token = openbao.openbao_server().root_token();
        let planted = [
            Canary::of("the value", &value),
            Canary::of("a token", token),
        ];
        for canary in &planted {
            assert!(canary.find_in(&output.stdout).is_empty(), "{hop}");
            assert!(canary.find_in(&output.stderr).is_empty(), "{hop}");
            for (key, content) in bucket.objects() {
                assert!(canary.find_in(&content).is_empty(), "{key}");
            }
        }
        let moved = told(&output, 0);
        has(&moved, &["The migration is complete", &target.described()]);
        let before = [
            ("value", value.as_str()),
            ("trigger", &hop.to_string()),
            ("temporary", "false"),
        ];
        let late = workspace.refused(&before);
        has(&late, &["Organization Moved", &target.described()]);
        target.configure(&mut workspace);
        workspace.unchanged(&before);
        value = format!("hunter2 number {}", hop + 1);
        let trigger = (hop + 1).to_string();
        workspace.applied(&[
            ("value", &value),
            ("trigger", &trigger),
            ("temporary", "false"),
        ]);
        assert_eq!(target.value("given"), value);
    }
    assert_eq!(workspace.secret("generated")["id"], generated["id"]);
    has(&told(&embedded.run(&["verify"], &[]), 0), &["verified"]);
    let last = [("value", value.as_str()), ("trigger", "6")];
    workspace.destroyed(&last);
}

#[test]
fn acc_migration_needs_the_init_policy_on_the_target_and_the_apply_policy_on_the_source() {
    let (embedded, openbao, bucket) = (Place::embedded(), Place::openbao(), Place::bucket());
    let mut workspace = embedded.workspace(SECRETS);
    let values = [("value", "hunter2"), ("trigger", "1")];
    workspace.applied(&values);
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
