//! Tests a partly unknown provider configuration while backends and the default change,
//! and blocks that are unknown in the plan.

use xtask::terraform::Workspace;

use super::Place;
use super::configuration::VARIABLES;
use crate::scene::{Scene, provider_block, with_every_terraform};
use crate::steps::{Steps, text};

with_every_terraform!(
    acc_backends_change_beside_any_unknown_provider_argument,
    acc_type_of_a_backend_with_unknown_blocks_is_never_planned_wrongly,
    acc_data_sources_of_a_new_organization_answer_the_built_in_backend,
);

const OWN: &str = "planton_secret_backend.own";

fn acc_backends_change_beside_any_unknown_provider_argument(scene: &Scene) {
    let place = Place::openbao();
    let given = ("backend_secret", place.secret.as_str());
    let path = format!("{:?}", scene.embedded().unwrap().display().to_string());
    let workspace = place.workspace(scene);
    let rest = format!(
        "{VARIABLES}variable \"edition\" {{ default = \"0\" }}\nresource \"terraform_data\" \"of\" \
         {{\n  input            = {{ organization = \"acme\", path = {path}, environment = \
         \"production\", label = \"team-${{var.edition}}\" }}\n  triggers_replace = \
         var.edition\n}}\nresource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n  \
         description = var.edition\n{}  credentials_wo_version = \"1\"\n}}\nresource \
         \"planton_default_backend\" \"this\" {{\n  backend = var.edition == \"3\" ? \"platform\" : \
         {OWN}.name\n}}\n",
        place.block()
    );
    let embedded = format!("embedded = {{ path = {path} }}");
    let provider = |platform: &str, more: &str| {
        workspace
            .write("provider.tf", &provider_block(platform, more))
            .unwrap();
    };
    workspace.write("main.tf", &rest).unwrap();
    provider(&embedded, "");
    workspace.settled(&[given]);
    for (edition, platform, more) in [
        (
            "1",
            embedded.as_str(),
            "default_labels = { team = terraform_data.of.output.label }",
        ),
        (
            "2",
            &embedded,
            "default_environment = terraform_data.of.output.environment",
        ),
        (
            "3",
            "embedded = { path = terraform_data.of.output.path }",
            "",
        ),
        (
            "4",
            "embedded = { path = terraform_data.of.output.path }",
            "default_labels = { a = \"b\" }",
        ),
    ] {
        provider(platform, more);
        // No credential is needed.
        workspace.settled(&[("edition", edition)]);
        let own = workspace.attributes(OWN).unwrap();
        assert_eq!(text(&own, "description"), edition);
        assert_eq!(text(&own, "credential_source"), "static");
        let default = if edition == "3" { "platform" } else { "own" };
        assert_eq!(scene.records()["default"]["backend"], default);
    }
    workspace.destroyed(&[("edition", "4")]);
}

fn undecided(workspace: &Workspace, place: &Place, chosen: &str, edition: &str) {
    let whole = format!(
        "{VARIABLES}resource \"terraform_data\" \"choice\" {{\n  input = {chosen:?}\n  \
         triggers_replace = {edition:?}\n}}\nlocals {{ choice = terraform_data.choice.output }}\n\
         resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n  description = \
         {edition:?}\n  openbao = local.choice == \"openbao\" ? {{ address = {address:?}, token_wo = \
         var.backend_secret }} : null\n  hashicorp_vault = local.choice == \"vault\" ? {{ address = \
         {address:?}, token_wo = var.backend_secret }} : null\n  credentials_wo_version = \"1\"\n}}\n",
        address = place.address()
    );
    workspace.write("main.tf", &whole).unwrap();
}

fn acc_type_of_a_backend_with_unknown_blocks_is_never_planned_wrongly(scene: &Scene) {
    let place = Place::openbao();
    let given = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(scene);
    let kind = |workspace: &Workspace| text(&workspace.attributes(OWN).unwrap(), "type");
    undecided(&workspace, &place, "vault", "1");
    workspace.settled(&given);
    assert_eq!(kind(&workspace), "hashicorp_vault");
    // The type is unknown in the plan again. The apply gets the same type, then another
    // one.
    undecided(&workspace, &place, "vault", "2");
    workspace.settled(&given);
    assert_eq!(kind(&workspace), "hashicorp_vault");
    undecided(&workspace, &place, "openbao", "3");
    workspace.settled(&given);
    assert_eq!(kind(&workspace), "openbao");

    // A block that is set determines the type, although another block is unknown.
    let whole = format!(
        "{VARIABLES}resource \"terraform_data\" \"no\" {{ triggers_replace = \"4\" }}\nresource \
         \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n  description = \"4\"\n{}  \
         gcp_secret_manager = terraform_data.no.id == \"\" ? {{ project_id = \"acme\" }} : null\n  \
         credentials_wo_version = \"1\"\n}}\n",
        place.block()
    );
    let before = workspace.attributes(OWN).unwrap();
    workspace.write("main.tf", &whole).unwrap();
    workspace.settled(&given);
    let after = workspace.attributes(OWN).unwrap();
    assert_eq!(after["id"], before["id"], "changed in place");
    assert_eq!(text(&after, "description"), "4");
    workspace.destroyed(&given);
}

fn acc_data_sources_of_a_new_organization_answer_the_built_in_backend(scene: &Scene) {
    let data = r#"
data "planton_default_backend" "now" {}
data "planton_secret_backend" "platform" { name = data.planton_default_backend.now.backend }
output "default" { value = data.planton_default_backend.now }
output "platform" { value = data.planton_secret_backend.platform }
resource "planton_secret" "s" {
  name             = "s"
  backend          = data.planton_default_backend.now.backend
  generate         = {}
  value_wo_version = "1"
}
"#;
    let workspace = scene.workspace(data);
    workspace.plan(&[]).unwrap().changes().unwrap();
    assert!(scene.objects().is_empty(), "a plan writes nothing");
    workspace.applied(&[]);
    assert_eq!(workspace.output("default")["id"], "acme");
    assert_eq!(workspace.output("default")["backend"], "platform");
    assert_eq!(text(&workspace.secret("s"), "backend"), "platform");
    // The organization exists, so the data source has the uuid.
    workspace.applied(&[]);
    let id = workspace.output("platform")["id"].clone();
    assert_eq!(id.as_str().map(str::len), Some(36), "{id}");
    workspace.unchanged(&[]);

    // No other backend exists in a new organization either.
    let other = Scene::new(scene.terraform(), crate::scene::On::Embedded);
    let named = "data \"planton_secret_backend\" \"own\" { name = \"own\" }\n";
    let workspace = other.workspace(named);
    let refused = workspace.refused(&[]);
    assert!(refused.contains("Organization Not Found"), "{refused}");
    // A secret of the same configuration does not exist before it is created. The error
    // prints the remedies, and both converge.
    let secret = "resource \"planton_secret\" \"s\" {\n  name = \"s\"\n  generate = {}\n}\n";
    let readers = |by_name: &str, by_id: &str| {
        format!(
            "{secret}data \"planton_secret\" \"s\" {{ {by_name} }}\n\
             ephemeral \"planton_secret\" \"s\" {{ {by_id} }}\n"
        )
    };
    let literal = "name = \"s\"";
    workspace
        .write("main.tf", &readers(literal, literal))
        .unwrap();
    let refused = workspace.refused(&[]);
    for remedy in [
        "name = planton_secret.<name>.name",
        "id = planton_secret.<name>.id",
    ] {
        assert!(refused.contains(remedy), "{refused}");
    }
    let remedies = readers("name = planton_secret.s.name", "id = planton_secret.s.id");
    workspace.write("main.tf", &remedies).unwrap();
    workspace.settled(&[]);
}
