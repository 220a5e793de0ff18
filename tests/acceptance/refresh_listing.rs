//! Tests that a plan of many unchanged secrets takes a few requests, and sees every change.

use std::process::Command;

use test_support::plugin_client::Process;
use xtask::bucket::BucketService;
use xtask::terraform::Workspace;

use crate::bucket::scene::OnBucket;
use crate::reading::{Requests, tally};
use crate::scene::{On, PROVIDER, Scene, terraform_1_11};

const SECRETS: &str = r#"
variable "number" {
  type = number
}
resource "planton_secret" "each" {
  count            = var.number
  name             = "of-${count.index}"
  value_wo         = "hunter2"
  value_wo_version = "1"
}
"#;

/// Rotates one of them in another state.
const ROTATION: &str = r#"
resource "planton_secret" "each" {
  name             = "of-7"
  value_wo         = "other"
  value_wo_version = "2"
}
import {
  to = planton_secret.each
  id = "of-7"
}
"#;

/// The greatest number of secrets whose records and versions are one page each.
const PAGE: &str = "1000";

/// The most requests that wrap the data keys of a page of creations. How many share one depends
/// on the host, since Terraform writes its state between two creations: about 280 on one at rest,
/// and 550 on a busy one. Without sharing, each creation takes one.
const MOST_WRAPS: usize = 900;

/// Plans, and expects that nothing changes. Returns the number of requests.
fn plan(workspace: &Workspace, number: &str, requests: &Requests) -> usize {
    let planned = workspace.plan_with(&[("number", number)], &["-detailed-exitcode"]);
    assert_eq!(planned.unwrap().outcome().code(), Some(0));
    let sent = requests.take();
    println!("{:?}", tally(&sent));
    sent.len()
}

/// Returns whether one of three plans takes at most so many requests. On a busy host, up to nine
/// secrets are asked for singly before the tenth comes.
fn takes(workspace: &Workspace, number: &str, requests: &Requests, most: usize) -> bool {
    (0..3).any(|_| plan(workspace, number, requests) <= most)
}

#[test]
fn a_plan_of_a_thousand_unchanged_secrets_takes_twelve_requests_on_openbao() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let mut workspace = scene.workspace(SECRETS);
    let requests = Requests::of(&mut workspace);
    let apply = ["apply", "-auto-approve", "-no-color", "-parallelism=64"];
    let applied = workspace.run_with(&apply, &[("number", PAGE)]).unwrap();
    applied.ok().unwrap();
    let sent = requests.take();
    let wraps = sent
        .iter()
        .filter(|kind| kind.starts_with("POST transit encrypt"));
    let wraps = wraps.count();
    println!("{wraps} requests of Transit wrap a thousand data keys");
    assert!(wraps <= MOST_WRAPS, "{wraps}");
    assert!(takes(&workspace, PAGE, &requests, 12));
    // Another state rotates one.
    scene.workspace(ROTATION).apply(&[]).unwrap().ok().unwrap();
    let planned = workspace.plan_with(&[("number", PAGE)], &["-detailed-exitcode"]);
    let planned = planned.unwrap();
    assert_eq!(planned.outcome().code(), Some(2), "{planned:?}");
    assert!(requests.take().len() < 60);
}

/// A page has a thousand objects there as well, so thirty secrets take as many requests as a
/// thousand, which `tests/bucket/listing.rs` counts.
fn is_listed_in_a_bucket(service: BucketService) {
    let on = OnBucket::new(service);
    let mut workspace = on.workspace(SECRETS);
    let number = "30";
    workspace
        .apply(&[("number", number)])
        .unwrap()
        .ok()
        .unwrap();
    let requests = Requests::of(&mut workspace);
    assert!(takes(&workspace, number, &requests, 6));
}

#[test]
fn a_plan_of_unchanged_secrets_takes_six_requests_on_s3() {
    is_listed_in_a_bucket(BucketService::S3);
}

#[test]
fn a_plan_of_unchanged_secrets_takes_six_requests_on_gcs() {
    is_listed_in_a_bucket(BucketService::Gcs);
}

#[test]
fn a_plan_of_unchanged_secrets_takes_six_requests_on_azure() {
    is_listed_in_a_bucket(BucketService::Azure);
}

#[test]
fn a_second_plan_of_a_debug_server_sees_what_applies_between_them_did() {
    let on = OnBucket::new(BucketService::Gcs);
    let mut workspace = on.workspace(SECRETS);
    let number = [("number", "40")];
    workspace.apply(&number).unwrap().ok().unwrap();
    let requests = Requests::of(&mut workspace);
    // All further runs in this folder share one provider process.
    let mut debugged = Command::new(PROVIDER);
    let log = workspace.root().join("requests.log");
    debugged.arg("--debug").env("PLANTON_HTTP_REQUEST_LOG", log);
    let debugged = Process::start(debugged);
    let line = debugged.first_line.as_str();
    let providers = line.strip_prefix("TF_REATTACH_PROVIDERS='").unwrap();
    workspace.env(
        "TF_REATTACH_PROVIDERS",
        providers.strip_suffix('\'').unwrap(),
    );
    workspace.plan(&number).unwrap().no_changes().unwrap();
    let sent = requests.take();
    assert!((1..40).contains(&sent.len()), "a listing: {sent:?}");

    // By another process. Unless the machine is slow, the listing is younger than five seconds
    // when the next plan begins.
    on.workspace(ROTATION).apply(&[]).unwrap().ok().unwrap();
    workspace.plan(&number).unwrap().changes().unwrap();
    // By the process itself.
    workspace.apply(&number).unwrap().ok().unwrap();
    workspace.plan(&number).unwrap().no_changes().unwrap();
    assert!(!requests.take().is_empty(), "served by the process");
}
