//! Tests the diagnostics for arguments of functions.

use insta::assert_snapshot;

use crate::reading::Told;
use crate::scene::{On, Scene, terraform_1_11};

#[test]
fn a_function_tells_which_argument_is_wrong() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = scene.workspace(
        r#"
output "parsed" {
  value = provider::planton::parse_secret_ref("secret/db")
}
output "name" {
  value = provider::planton::secret_ref("Not a slug", null, null)
}
output "key" {
  value = provider::planton::secret_ref("db", "prod", "a/b")
}
"#,
    );
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @r#"
    Error: Invalid function argument
      in output "key"
      at value = provider::planton::secret_ref("db", "prod", "a/b")

    Invalid value for "key" parameter: the key must not be empty and must not hold a slash.

    Error: Invalid function argument
      in output "name"
      at value = provider::planton::secret_ref("Not a slug", null, null)

    Invalid value for "name" parameter: the name must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit.

    Error: Invalid function argument
      in output "parsed"
      at value = provider::planton::parse_secret_ref("secret/db")

    Invalid value for "reference" parameter: the reference is not of the form $secret/<name>, $secret/<name>/<key>, $secret/@<environment>/<name> or $secret/@<environment>/<name>/<key>.
    "#);
}
