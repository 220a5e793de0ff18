//! Tests a backend of which a plan has only the name, and a backend that no resource
//! declares, which is a warning in the plan.

use xtask::terraform::Workspace;

use super::configuration::VARIABLES;
use super::{Place, at_every_place};
use crate::reading::Told;
use crate::scene::{On, Scene, terraform_1_11, terraform_1_15, with_every_terraform};
use crate::steps::{Steps, has, text};

at_every_place!(acc_backend_at_an_unknown_address_serves_a_secret_of_its_apply);
with_every_terraform!(
    acc_backend_of_an_unknown_type_serves_a_secret_of_its_apply,
    acc_backend_of_another_alias_is_a_warning_in_the_plan,
    acc_backend_that_nobody_declares_is_an_error_in_the_apply,
);

/// A value above the smallest size limit of all backend types.
const LARGE: &str = "value_wo = join(\"\", [for i in range(1000) : \"0123456789abcdefghijklmnopqrst\"])\n  \
                     value_wo_version = \"1\"";

fn declared(blocks: &str) -> String {
    format!(
        "resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n{blocks}  \
         credentials_wo_version = \"1\"\n}}\n"
    )
}

fn secret(name: &str, lines: &str) -> String {
    format!("resource \"planton_secret\" \"{name}\" {{\n  name = \"{name}\"\n  {lines}\n}}\n")
}

const ON_OWN: &str = "backend = planton_secret_backend.own.name\n  generate = {}";

fn acc_backend_at_an_unknown_address_serves_a_secret_of_its_apply(scene: &Scene, place: Place) {
    let variables = [("backend_secret", place.secret.as_str())];
    let address = format!("{:?}", place.address());
    let server = format!("resource \"terraform_data\" \"server\" {{\n  input = {address}\n}}\n");
    let block = place
        .block()
        .replacen(&address, "terraform_data.server.output", 1);
    assert!(block.contains("terraform_data"), "{block}");
    let default = "resource \"planton_default_backend\" \"this\" {\n  backend = \
                   planton_secret_backend.own.name\n}\n";
    let whole = [
        VARIABLES,
        &server,
        &declared(&block),
        &secret("s", ON_OWN),
        default,
    ];
    let workspace = place.workspace(scene);
    workspace.write("main.tf", &whole.concat()).unwrap();
    let told = Told::by_plan(&workspace, &variables, &[]);
    assert!(told.success && told.len() == 0, "{told:#?}");
    workspace.settled(&variables);
    assert_eq!(text(&workspace.secret("s"), "backend"), "own");
    let own = workspace.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(text(&own, "type"), place.block_name);
    workspace.destroyed(&variables);
}

/// Writes a backend of one of two types. A resource of the same apply determines which.
fn write_undecided(workspace: &Workspace, place: &Place, more: &str) {
    let blocks = format!(
        "  openbao = local.choice == \"openbao\" ? {{ address = {:?}, token_wo = \
         var.backend_secret }} : null\n  gcp_secret_manager = local.choice == \"gcp\" ? {{ \
         project_id = \"acme\" }} : null\n",
        place.address()
    );
    let choice = "variable \"edition\" { default = \"1\" }\nresource \"terraform_data\" \"choice\" \
                  {\n  input            = \"openbao\"\n  triggers_replace = var.edition\n}\n\
                  locals { choice = terraform_data.choice.output }\n";
    let whole = [VARIABLES, choice, &declared(&blocks), more];
    workspace.write("main.tf", &whole.concat()).unwrap();
}

fn acc_backend_of_an_unknown_type_serves_a_secret_of_its_apply(scene: &Scene) {
    let place = Place::openbao();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(scene);
    let on_own = format!("backend = planton_secret_backend.own.name\n  {LARGE}");
    write_undecided(&workspace, &place, &secret("s", &on_own));
    has(
        &workspace.changes(&variables),
        &["+ type = (known after apply)", "3 to add"],
    );
    workspace.settled(&variables);
    let own = workspace.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(text(&own, "type"), "openbao");
    assert_eq!(text(&own, "credential_source"), "static");
    workspace.destroyed(&variables);
}

/// Returns the provider block of `scene` with the alias `other`.
fn alias(scene: &Scene) -> String {
    let provider = scene.provider("alias = \"other\"");
    let (_, block) = provider.split_once("provider \"planton\"").unwrap();
    format!("provider \"planton\"{block}")
}

fn acc_backend_of_another_alias_is_a_warning_in_the_plan(scene: &Scene) {
    let place = Place::openbao();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(scene);
    let elsewhere = format!("provider = planton.other\n  {ON_OWN}");
    let large =
        format!("provider = planton.other\n  backend = planton_secret_backend.own.name\n  {LARGE}");
    let default = "resource \"planton_default_backend\" \"this\" {\n  provider = planton.other\n  \
                   backend = planton_secret_backend.own.name\n}\n";
    let whole = [
        VARIABLES,
        &alias(scene),
        &declared(&place.block()),
        &secret("s", &elsewhere),
        &secret("large", &large),
        default,
    ];
    workspace.write("main.tf", &whole.concat()).unwrap();
    let told = Told::by_plan(&workspace, &variables, &[]);
    assert!(told.success, "{told:#?}");
    assert_eq!(told.len(), 3, "{told:#?}");
    for name in ["s", "large", "this"] {
        has(
            &told.at(name),
            &[
                "Warning: Secret Backend Not Declared Yet",
                "another alias of the provider",
                "planton_secret_backend.own.name",
            ],
        );
    }
    // One apply creates everything, and the next plan is empty.
    workspace.settled(&variables);
    for name in ["s", "large"] {
        assert_eq!(text(&workspace.secret(name), "backend"), "own", "{name}");
    }
    let told = Told::by_plan(&workspace, &variables, &[]);
    assert_eq!(told.len(), 0, "{told:#?}");
    workspace.destroyed(&variables);
}

fn acc_backend_that_nobody_declares_is_an_error_in_the_apply(scene: &Scene) {
    let workspace = scene.workspace(&secret("first", "generate = {}"));
    workspace.applied(&[]);
    let nowhere = secret("s", "backend = \"nowhere\"\n  generate = {}");
    let default = "resource \"planton_default_backend\" \"this\" {\n  backend = \"nowhere\"\n}\n";
    for (address, lines) in [
        ("planton_secret.s", nowhere.as_str()),
        ("planton_default_backend.this", default),
    ] {
        workspace.write("more.tf", lines).unwrap();
        let told = Told::by_plan(&workspace, &[], &[]);
        assert!(told.success, "{told:#?}");
        has(
            &told.everything(),
            &["Warning: Secret Backend Not Declared Yet", "\"nowhere\""],
        );
        let refused = workspace.fails(&[]);
        has(
            &refused,
            &["Error: Secret Backend Not Found", "\"nowhere\""],
        );
        assert!(workspace.attributes(address).is_none(), "{address}");
    }
    assert_eq!(scene.objects().len(), 1);
}

/// A backend whose plan fails counts as declared, so its secret causes no second error.
#[test]
fn acc_backend_that_is_refused_causes_no_second_error() {
    for terraform in [terraform_1_11(), terraform_1_15()] {
        let scene = Scene::new(&terraform, On::Embedded);
        let block = "  openbao = { address = \"https://bao.example.com\", approle = { role_id = \
                     \"x\" } }\n";
        let whole = [declared(block), secret("s", ON_OWN)];
        let workspace = scene.workspace(&whole.concat());
        let told = Told::by_plan(&workspace, &[], &[]);
        assert_eq!(told.len(), 1, "{told:#?}");
        has(&told.at("own"), &["Error: Secret Backend Login Failed"]);
    }
}
