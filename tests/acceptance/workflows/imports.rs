//! Tests an import block for several secrets.

use crate::scene::{Scene, with_every_terraform};
use crate::steps::{Steps, flat, has};

with_every_terraform!(acc_import_with_for_each_is_followed_by_an_empty_plan);

const EACH: &str = r#"
locals { names = toset(["a", "b", "c"]) }
resource "planton_secret" "s" {
  for_each = local.names
  name     = each.key
  generate = {}
}
"#;

pub(super) fn acc_import_with_for_each_is_followed_by_an_empty_plan(scene: &Scene) {
    let workspace = scene.workspace(EACH);
    workspace.settled(&[]);
    let values = scene.read(&["a", "b", "c"]);
    std::fs::remove_file(workspace.path().join("terraform.tfstate")).unwrap();
    let import = "import {\n  for_each = local.names\n  to       = planton_secret.s[each.key]\n  \
                  id       = each.key\n}\n";
    workspace.write("import.tf", import).unwrap();
    let applied = workspace.applied(&[]);
    let printed = flat(applied.stdout());
    has(&printed, &["3 imported, 0 added, 0 changed, 0 destroyed"]);
    workspace.unchanged(&[]);
    assert_eq!(scene.read(&["a", "b", "c"]), values);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}
