//! Tests Terraform's workspaces: several states of one configuration.

use serde_json::Value as Json;
use xtask::terraform::Workspace;

use crate::scene::{Scene, record_of, with_every_terraform};
use crate::steps::{Steps, flat, has};

with_every_terraform!(acc_each_workspace_has_its_own_secrets_and_destroys_no_other);

const NAMED: &str = r#"
resource "planton_secret" "db" {
  name     = "db-${terraform.workspace}"
  generate = {}
}
"#;

/// Returns an attribute of `planton_secret.db` in the selected workspace.
fn attribute(workspace: &Workspace, name: &str) -> Json {
    let secret = workspace.resource("planton_secret.db").unwrap();
    secret.unwrap()[name].take()
}

fn acc_each_workspace_has_its_own_secrets_and_destroys_no_other(scene: &Scene) {
    let workspace = scene.workspace(NAMED);
    let select = |arguments: &[&str]| {
        let all = [&["workspace"], arguments].concat();
        workspace.run(&all).unwrap().ok().unwrap();
    };
    workspace.settled(&[]);
    let default = attribute(&workspace, "id");
    select(&["new", "staging"]);
    workspace.settled(&[]);
    let staging = attribute(&workspace, "id");
    assert_ne!(default, staging);
    assert_eq!(scene.objects().len(), 2);

    let destroyed = workspace.destroy(&[]).unwrap().ok().unwrap();
    has(&flat(destroyed.stdout()), &["1 destroyed"]);
    assert!(record_of(&scene.records(), "db-staging").is_null());
    select(&["select", "default"]);
    select(&["delete", "staging"]);
    workspace.unchanged(&[]);
    assert_eq!(record_of(&scene.records(), "db-default")["uuid"], default);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}
