//! Imports that name nothing.

use insta::assert_snapshot;

use crate::reading::{Told, filters};
use crate::scene::{On, Scene, terraform_1_11, terraform_1_15};

const SECRET: &str = "resource \"planton_secret\" \"db\" {\n  name = \"db\"\n}\n";

#[test]
fn an_import_that_names_nothing_tells_why() {
    let _filters = filters();
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let import = |id: &str| {
        let block = format!("import {{\n  to = planton_secret.db\n  id = \"{id}\"\n}}\n");
        let workspace = scene.workspace(&format!("{SECRET}{block}"));
        Told::by_plan(&workspace, &[], &[]).everything()
    };
    assert_snapshot!(import("acme/prod/db"), @"");
    assert_snapshot!(import("prod/DB"), @"");
    assert_snapshot!(import("prod/db"), @"");

    let workspace = scene.workspace(
        "resource \"planton_secret\" \"other\" {\n  name = \"other\"\n  value_wo = \"x\"\n}\n",
    );
    workspace.apply(&[]).unwrap().ok().unwrap();
    assert_snapshot!(import("prod/db"), @"");
    let told = workspace
        .import("planton_secret.other", "a b", &[])
        .unwrap();
    assert!(!told.success());
}

#[test]
fn an_identity_of_another_organization_is_refused() {
    let _filters = filters();
    let scene = Scene::new(&terraform_1_15(), On::Embedded);
    let workspace = scene.workspace(&format!(
        "{SECRET}import {{\n  to = planton_secret.db\n  identity = {{\n    organization = \"other\"\n    \
         name = \"db\"\n  }}\n}}\n"
    ));
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @"");
}
