//! Tests that a plan of many unchanged secrets takes a few requests, and sees every change.

use xtask::terraform::Workspace;

use crate::reading::{Requests, tally};
use crate::scene::{On, Scene, terraform_1_11};

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

/// The greatest number of secrets whose records and versions are one page each.
const PAGE: &str = "1000";

fn plans_nothing(workspace: &Workspace, number: &str) {
    let planned = workspace.plan_with(&[("number", number)], &["-detailed-exitcode"]);
    assert_eq!(planned.unwrap().outcome().code(), Some(0));
}

#[test]
fn a_plan_of_a_thousand_unchanged_secrets_takes_twelve_requests_on_openbao() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let mut workspace = scene.workspace(SECRETS);
    let apply = ["apply", "-auto-approve", "-no-color", "-parallelism=64"];
    let started = std::time::Instant::now();
    let applied = workspace.run_with(&apply, &[("number", PAGE)]).unwrap();
    applied.ok().unwrap();
    println!("apply {:?}", started.elapsed());
    let requests = Requests::of(&mut workspace);
    let started = std::time::Instant::now();
    plans_nothing(&workspace, PAGE);
    println!("plan {:?}", started.elapsed());
    let sent = requests.take();
    println!("{:?}", tally(&sent));
    assert!(sent.len() <= 12, "{:?}", tally(&sent));
}
