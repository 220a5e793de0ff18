//! After an import into another workspace, its plan is empty.

use xtask::canary::Canary;

use crate::scene::{Scene, on_every_stage};
use crate::steps::{Steps, flat, has, text};

on_every_stage!(
    acc_secret_import_is_followed_by_an_empty_plan,
    acc_secret_import_by_identity_is_followed_by_an_empty_plan,
);

const SECRETS: &str = r#"
variable "password" {
  type      = string
  ephemeral = true
  default   = null
}
resource "planton_secret" "db" {
  name                = "db"
  environment         = "production"
  description         = "Its description"
  labels              = { team = "payments", empty = "" }
  value_wo            = var.password
  value_wo_version    = "17"
  keep_versions       = 3
  deletion_protection = true
}
resource "planton_secret" "key" {
  name       = "key"
  generate   = { length = 40, special = false, min_upper = 2 }
  on_destroy = "retain"
}
resource "planton_secret" "smtp" {
  name    = "smtp"
  backend = "platform"
  data_wo = var.password == null ? null : { password = var.password }
}
"#;

fn acc_secret_import_is_followed_by_an_empty_plan(scene: &Scene) {
    let password = Canary::new("the imported password");
    let given = [("password", password.value())];
    let owner = scene.workspace(SECRETS);
    owner.applied(&given);

    let taker = scene.workspace(SECRETS);
    let missing = taker.import("planton_secret.db", "staging/db", &given);
    let missing = flat(&missing.unwrap().error().unwrap());
    has(&missing, &["Secret Not Found", "staging/db"]);
    let invalid = taker.import("planton_secret.db", "a/b/c", &given);
    has(
        &flat(&invalid.unwrap().error().unwrap()),
        &["Invalid Import Identifier"],
    );

    // With the command line, and with blocks.
    taker
        .import("planton_secret.db", "production/db", &given)
        .unwrap()
        .ok()
        .unwrap();
    let blocks = r#"
import {
  to = planton_secret.key
  id = "key"
}
import {
  to = planton_secret.smtp
  id = "smtp"
}
"#;
    taker.write("import.tf", blocks).unwrap();
    let outcome = taker.applied(&given);
    has(
        &flat(outcome.stdout()),
        &["2 imported, 0 added, 0 changed, 0 destroyed"],
    );
    taker.unchanged(&given);
    // Without the values, the plan is empty as well.
    taker.unchanged(&[]);
    for name in ["db", "key", "smtp"] {
        assert_eq!(taker.secret(name), owner.secret(name), "{name}");
    }
    assert!(scene.objects().len() == 3, "{:?}", scene.objects());
    password.absent_below(taker.root()).unwrap();
}

fn acc_secret_import_by_identity_is_followed_by_an_empty_plan(scene: &Scene) {
    let terraform = scene.terraform();
    if terraform.is_opentofu() || !terraform.is_at_least(1, 12) {
        // Identities need Terraform 1.12. Earlier ones reject these blocks without
        // calling the provider.
        let workspace = scene.workspace(
            "import {\n  to = planton_secret.db\n  identity = { name = \"db\" }\n}\n\
             resource \"planton_secret\" \"db\" { name = \"db\" }\n",
        );
        workspace.refused(&[]);
        return;
    }
    let given = [("password", "a password")];
    let owner = scene.workspace(SECRETS);
    owner.applied(&given);
    let state = std::fs::read_to_string(owner.path().join("terraform.tfstate")).unwrap();
    has(
        &flat(&state),
        &[
            "\"identity\": { \"environment\": \"production\", \"name\": \"db\", \"organization\": \"acme\" }",
        ],
    );

    let taker = scene.workspace(SECRETS);
    let blocks = r#"
import {
  to       = planton_secret.db
  identity = { organization = "acme", environment = "production", name = "db" }
}
import {
  to       = planton_secret.key
  identity = { name = "key" }
}
import {
  to       = planton_secret.smtp
  identity = { organization = "other", name = "smtp" }
}
"#;
    taker.write("import.tf", blocks).unwrap();
    has(
        &taker.refused(&given),
        &["Different Organization", "\"other\""],
    );
    taker
        .write("import.tf", &blocks.replace("\"other\"", "\"acme\""))
        .unwrap();
    let outcome = taker.applied(&given);
    has(
        &flat(outcome.stdout()),
        &["3 imported, 0 added, 0 changed, 0 destroyed"],
    );
    taker.unchanged(&given);
    for name in ["db", "key", "smtp"] {
        assert_eq!(taker.secret(name), owner.secret(name), "{name}");
        assert_ne!(text(&taker.secret(name), "id"), "");
    }
}
