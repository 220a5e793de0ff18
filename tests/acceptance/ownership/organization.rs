//! Tests a catalog that is not empty, but lacks the organization's record.

use crate::scene::{On, Scene, terraform_1_11, terraform_1_15};
use crate::steps::{Steps, has, text};

const SECRET: &str = "resource \"planton_secret\" \"db\" {\n  name = \"db\"\n  generate = {}\n}\n";
const OTHER: &str = "resource \"planton_secret\" \"b\" {\n  name = \"b\"\n  generate = {}\n}\n";
const BACKEND: &str = r#"
resource "planton_secret_backend" "corp" {
  name              = "corp"
  verify_connection = false
  openbao = {
    address       = "http://127.0.0.1:1"
    kv_mount_path = "secret"
    token_wo      = "root"
  }
  credentials_wo_version = "1"
}
"#;

/// Removes the organization's record. Another workspace applies, and gets an error before
/// it writes anything.
fn refused_without_its_record(scene: &Scene) {
    let taken = scene.take_organization();
    let left = scene.records();
    assert!(!left.is_empty() && !left.contains_key("organization"));
    let objects = scene.objects();
    let other = scene.workspace(&[OTHER, BACKEND].concat());
    let refused = other.fails(&[]);
    assert_eq!(
        refused
            .matches("Error: Organization Record Missing")
            .count(),
        2,
        "{refused}"
    );
    has(
        &refused,
        &["Restore it from a backup: terraform-provider-planton platform restore"],
    );
    other.destroyed(&[]);
    assert_eq!(scene.records(), left);
    assert_eq!(scene.objects(), objects);
    // Follows the remedy in the message.
    scene.put_organization(&taken);
}

#[test]
fn acc_second_organization_over_a_full_catalog_is_refused_on_embedded() {
    full_catalog(&Scene::new(&terraform_1_15(), On::Embedded));
}

#[test]
fn acc_second_organization_over_a_full_catalog_is_refused_on_openbao() {
    full_catalog(&Scene::new(&terraform_1_11(), On::OpenBao));
}

fn full_catalog(scene: &Scene) {
    let workspace = scene.workspace(SECRET);
    workspace.settled(&[]);
    let id = text(&workspace.secret("db"), "id");
    let value = scene.open(&id);
    refused_without_its_record(scene);
    workspace.unchanged(&[]);
    assert_eq!(scene.open(&id), value);

    // The secret leaves a tombstone, which is sufficient.
    workspace.destroyed(&[]);
    refused_without_its_record(scene);
    workspace.settled(&[]);
}

#[test]
fn acc_second_organization_over_a_backend_alone_is_refused() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = scene.workspace(BACKEND);
    workspace.settled(&[]);
    refused_without_its_record(&scene);
    workspace.unchanged(&[]);
}
