//! A path of the embedded platform with a typing error.

use super::{run, told};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, has};

const READ: &str = r#"
data "planton_default_backend" "default" {}
resource "planton_secret" "db" {
  name     = "db"
  generate = {}
}
"#;

#[test]
fn acc_a_path_without_a_platform_is_named_and_stays_empty_until_an_apply() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let directory = scene.embedded().unwrap();
    let file = directory.with_file_name("backup");
    let file = file.display().to_string();
    let commands: [&[&str]; 10] = [
        &["platform", "status"],
        &["platform", "escrow", "list"],
        &["platform", "backup", &file],
        &["platform", "accept-rollback"],
        &["verify"],
        &["gc"],
        &["rewrap"],
        &["reseal", "platform"],
        &["forget", "secret", "db", "--yes"],
        &["open", "--from-backend", "--secret", "db", "--platform-key"],
    ];
    for command in commands {
        let printed = told(&run(&scene, command, &[]), 1);
        let place = directory.display().to_string();
        has(&printed, &["Embedded Platform Not Found", &place]);
    }
    let workspace = scene.workspace(READ);
    workspace.plan(&[]).unwrap().changes().unwrap();
    workspace
        .apply_with(&[], &["-target=data.planton_default_backend.default"])
        .unwrap()
        .ok()
        .unwrap();
    assert!(!directory.exists(), "something was created");

    workspace.settled(&[]);
    for name in ["planton.key", "planton.db"] {
        assert!(directory.join(name).exists(), "{name}");
    }
    told(&run(&scene, &["verify"], &[]), 0);
}
