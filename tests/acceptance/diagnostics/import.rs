//! Tests the diagnostics for imports of missing objects.

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
    assert_snapshot!(import("acme/prod/db"), @r#"
    Error: Invalid Import Identifier

    "acme/prod/db" is not the name or id of a secret.

    Import by name, by environment/name, or by id:<uuid>. For example: terraform import planton_secret.db production/db
    "#);
    assert_snapshot!(import("prod/DB"), @r#"
    Error: Invalid Import Identifier

    "prod/DB" is not the name or id of a secret.

    Import by name, by environment/name, or by id:<uuid>. For example: terraform import planton_secret.db production/db
    "#);
    assert_snapshot!(import("prod/db"), @r#"
    Error: Organization Not Found

    Organization "acme" has no record on this platform: no secret was created in it here yet.

    Check the provider's organization and its platform (openbao, bucket or embedded). The first planton_secret that is applied creates the record, and so does the operator command platform init.
    "#);

    let workspace = scene.workspace(
        "resource \"planton_secret\" \"other\" {\n  name = \"other\"\n  value_wo = \"x\"\n}\n",
    );
    workspace.apply(&[]).unwrap().ok().unwrap();
    assert_snapshot!(import("prod/db"), @r#"
    Error: Secret Not Found

    Secret "prod/db" does not exist in this organization.

    Check its name and its environment. A secret of organization scope has no environment.
    "#);
    assert_snapshot!(import("62888bc8-3aab-4c0e-9d3e-2f6d8a4c0b11"), @r#"
    Error: Secret Not Found

    Secret "<uuid>" does not exist in this organization.

    Check its name and its environment. A secret of organization scope has no environment. To import a secret by its uuid, use the id "id:<uuid>".
    "#);
    let backend = "resource \"planton_secret_backend\" \"db\" {\n  name = \"db\"\n  openbao = { address \
                   = \"https://bao\" }\n}\nimport {\n  to = planton_secret_backend.db\n  id = \
                   \"platform\"\n}\n";
    let told = Told::by_plan(&scene.workspace(backend), &[], &[]).everything();
    assert_snapshot!(told, @r#"
    Error: Built-In Backend Not Importable

    "platform" is the built-in backend. It needs no declaration, and no resource manages it.

    Remove the import and its resource. To use this backend in a secret, set backend = "platform".
    "#);
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
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @r#"
    Error: Different Organization

    The identity names organization "other", but the provider is configured for "acme".

    Import with a provider of organization "other".
    "#);
}
