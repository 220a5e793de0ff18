//! The guide shows the provider's own policies, and the pages' examples work.

use std::path::Path;

use planton_vendors::BACKEND_TYPES;
use planton_vendors::openbao::client::{MountPath, PolicyRole, policy_text, store_policy_text};
use serde_json::json;
use xtask::terraform::Workspace;

use xtask::gcp::GcpFake;
use xtask::tools::Tools;

use crate::backends::Place;
use crate::policies::{provider, scope, token_of};
use crate::scene::{On, Scene, terraform_1_11, terraform_1_15};
use crate::steps::{Steps, flat, has, text};

/// Returns a page of the repository.
fn page(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// Returns the code blocks of a page in one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    let starts = page.split(opening.as_str()).skip(1);
    starts
        .map(|rest| rest.split("```\n").next().unwrap())
        .collect()
}

/// Returns the example unchanged, except that one of our resources replaces the other
/// vendor's consumer.
#[test]
fn the_configurations_of_the_readme_are_valid() {
    let readme = page("README.md");
    let shown = blocks(&readme, "hcl");
    let [main, backend] = shown[..] else {
        panic!("{} blocks", shown.len());
    };
    let ours = main
        .replace(
            "\"aws_db_instance\" \"main\" {",
            "\"planton_secret\" \"main\" {\n  name = \"main\"",
        )
        .replace("  password_wo  ", "  value_wo")
        .replace("  password_wo_version", "  value_wo_version");
    let variables = "variable \"role_id\" {}\nvariable \"secret_id\" {\n  ephemeral = true\n}\n";
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = scene.workspace(&[&ours, variables, backend].concat());
    workspace.write("provider.tf", "").unwrap();
    let outcome = workspace.run(&["validate", "-no-color"]).unwrap();
    outcome.ok().unwrap();
}

#[test]
fn the_guide_shows_the_policies_word_for_word() {
    let guide = page("docs/guides/openbao.md");
    for role in PolicyRole::ALL {
        let policy = policy_text(&scope("acme"), role);
        let block = format!("```hcl\n{policy}```\n");
        assert!(
            guide.contains(&block),
            "the guide lacks this block, or has an old one:\n{block}"
        );
    }
}

#[test]
fn the_guide_to_backends_shows_the_policies_that_errors_print() {
    let guide = page("docs/guides/backends.md");
    let mount = MountPath::parse("secret").unwrap();
    assert_eq!(
        blocks(&guide, "hcl"),
        [store_policy_text(&mount, "planton")]
    );
    let policies = blocks(&guide, "json");
    let policy: serde_json::Value = serde_json::from_str(policies[0]).unwrap();
    let actions = [
        "secretsmanager:CreateSecret",
        "secretsmanager:PutSecretValue",
        "secretsmanager:GetSecretValue",
        "secretsmanager:DescribeSecret",
        "secretsmanager:DeleteSecret",
    ];
    assert_eq!(policy["Statement"][0]["Action"], json!(actions));
}

/// Plans each block separately, with a value for each of its variables. This checks its
/// settings as well as its schema.
#[test]
fn the_configurations_of_the_guide_to_backends_are_planned_as_they_stand() {
    let guide = page("docs/guides/backends.md");
    let google = GcpFake::start(&Tools::locate().unwrap()).unwrap();
    let key_file = google.key_file("a@b.iam.gserviceaccount.com").unwrap();
    let shown = blocks(&guide, "terraform");
    let released = released_types();
    let mut planned = Vec::new();
    for configuration in &shown {
        let scene = Scene::new(&terraform_1_15(), On::Embedded);
        let workspace = scene.workspace(configuration);
        let variables = configuration
            .lines()
            .filter_map(|line| line.strip_prefix("variable \"")?.split('"').next());
        // A plan parses a key file.
        let value = |name| match name {
            "service_account_key" => key_file.as_str(),
            _ => "{}",
        };
        let variables: Vec<_> = variables.map(|name| (name, value(name))).collect();
        let outcome = workspace.plan(&variables).unwrap();
        outcome.changes().unwrap_or_else(|error| {
            panic!("{configuration}\n{error:?}");
        });
        let is_shown = |block: &&str| configuration.contains(&format!("  {block} = {{\n"));
        planned.extend(released.iter().copied().filter(is_shown));
    }
    for block in released {
        assert!(planned.contains(&block), "the guide shows no {block}");
    }
}

/// Returns the types of the page, which is generated from the provider as it is released.
/// The tests' provider has more.
fn released_types() -> Vec<&'static str> {
    let page = page("docs/resources/secret_backend.md");
    let types = BACKEND_TYPES.iter().map(|known| known.name());
    let is_released = |name: &&str| page.contains(&format!("\n- `{name}` (Attributes) "));
    let released: Vec<_> = types.filter(is_released).collect();
    assert!(released.len() >= 5, "{released:?}");
    released
}

/// The examples of backends, unchanged except for an address, on an emulator of AWS that
/// the environment names and on a real OpenBAO.
#[test]
fn the_examples_of_the_backends_pages_work_as_they_stand() {
    let (aws, openbao) = (Place::aws(), Place::openbao());
    let declared = page("examples/resources/planton_secret_backend/resource.tf");
    let address = "https://openbao.example.com:8200";
    assert!(declared.contains(address));
    let declared = declared.replace(address, &openbao.address());
    let token = [("openbao_token", openbao.secret.as_str())];
    let scene = Scene::new(&terraform_1_15(), On::Embedded);
    let workspace = ambient(&scene, &aws, &declared);
    workspace.settled(&token);
    assert_eq!(aws.secrets().len(), 1, "{:?}", aws.objects());
    for (name, source) in [("aws", "ambient"), ("openbao", "static")] {
        let state = workspace.attributes(&format!("planton_secret_backend.{name}"));
        assert_eq!(text(&state.unwrap(), "credential_source"), source);
    }
    let data = ["planton_secret_backend", "planton_default_backend"]
        .map(|name| page(&format!("examples/data-sources/{name}/data-source.tf")));
    workspace.write("more.tf", &data.concat()).unwrap();
    workspace.settled(&token);
    assert_eq!(workspace.output("aws_region"), "eu-central-1");
    assert_eq!(workspace.output("default_backend"), "platform");
    let backend = "planton_secret_backend.aws";
    imported(&scene, &aws, &declared, &[backend], &token);
    workspace.destroyed(&token);

    let declared = page("examples/resources/planton_default_backend/resource.tf");
    let workspace = ambient(&scene, &aws, &declared);
    workspace.settled(&[]);
    assert_eq!(text(&workspace.secret("session_key"), "backend"), "aws");
    let default = "planton_default_backend.this";
    imported(&scene, &aws, &declared, &[default, backend], &[]);
    workspace.destroyed(&[]);
    // AWS retains deleted secrets for its default of 30 days.
    assert!(openbao.objects().is_empty(), "{:?}", openbao.objects());
}

/// Tests the guide's text on changing the default. With `create_before_destroy` on the
/// removed backend, the order is right. Otherwise, the destroy fails.
#[test]
fn the_default_is_swapped_and_the_old_backend_removed_in_one_apply() {
    let (old, new) = (Place::openbao(), Place::aws());
    let credentials = [
        ("backend_secret", old.secret.as_str()),
        ("new_secret", new.secret.as_str()),
    ];
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = scene.workspace("");
    let first = "  lifecycle {\n    create_before_destroy = true\n  }\n";
    let declare = |name: &str, block: &str, lifecycle: &str| {
        let variables = ["backend_secret", "new_secret"]
            .map(|name| format!("variable {name:?} {{\n  type = string\n  ephemeral = true\n}}\n"));
        let lines = format!(
            "{}resource \"planton_secret_backend\" {name:?} {{\n  name = {name:?}\n{block}{lifecycle}}}\n\
             resource \"planton_default_backend\" \"this\" {{\n  backend = \
             planton_secret_backend.{name}.name\n}}\n",
            variables.concat()
        );
        workspace.write("main.tf", &lines).unwrap();
    };
    let next = new.block().replace("var.backend_secret", "var.new_secret");

    declare("old", &old.block(), "");
    workspace.settled(&credentials);
    declare("next", &next, first);
    let refused = workspace.fails(&credentials);
    has(
        &refused,
        &["Secret Backend In Use", "is the default backend"],
    );

    declare("old", &old.block(), first);
    workspace.settled(&credentials);
    declare("next", &next, first);
    workspace.settled(&credentials);
    assert_eq!(workspace.attributes("planton_secret_backend.old"), None);
    let default = workspace.attributes("planton_default_backend.this");
    assert_eq!(text(&default.unwrap(), "backend"), "next");
    assert!(old.objects().is_empty(), "{:?}", old.objects());
    workspace.destroyed(&credentials);
    assert!(new.objects().is_empty(), "{:?}", new.objects());
}

/// Tests the guide's text on roles that only plan.
#[test]
fn a_role_that_only_plans_is_told_which_backends_it_cannot_look_at() {
    let (aws, openbao) = (Place::aws(), Place::openbao());
    let declared = page("examples/resources/planton_secret_backend/resource.tf");
    let declared = declared.replace("https://openbao.example.com:8200", &openbao.address());
    let more = r#"
resource "planton_default_backend" "this" {
  backend = planton_secret_backend.openbao.name
}
resource "planton_secret" "kept" {
  name       = "kept"
  generate   = {}
  depends_on = [planton_default_backend.this]
}
"#;
    let credential = [("openbao_token", openbao.secret.as_str())];
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let workspace = ambient(&scene, &aws, &format!("{declared}{more}"));
    workspace.settled(&credential);

    let server = scene.openbao().unwrap();
    let policy = policy_text(&scope("acme"), PolicyRole::Plan);
    let token = token_of(server.api(), "plan", &policy);
    workspace
        .write("provider.tf", &provider(server, &token))
        .unwrap();
    let told = flat(workspace.unchanged(&credential).stdout());
    has(
        &told,
        &[
            "Secret Backend Not Checked",
            "did not check whether backend \"openbao\" still contains secret \"kept\"",
        ],
    );
    assert!(!told.contains("secret \"database\""), "{told}");
    assert!(!told.contains("similar warning"), "{told}");
}

/// Creates a workspace whose environment leads to this AWS.
fn ambient(scene: &Scene, aws: &Place, configuration: &str) -> Workspace {
    let mut workspace = scene.workspace(configuration);
    for (name, value) in aws.ambient() {
        workspace.env(name, value);
    }
    workspace
}

/// Imports the first of these resources and its dependencies into other workspaces, in
/// each way that its examples show. Nothing is left to do afterwards.
fn imported(
    scene: &Scene,
    aws: &Place,
    configuration: &str,
    addresses: &[&str],
    variables: &[(&str, &str)],
) {
    let example = |address: &str, name: &str| {
        let kind = address.split('.').next().unwrap();
        page(&format!("examples/resources/{kind}/{name}"))
    };
    for import in ["import-by-string-id.tf", "import-by-identity.tf"] {
        let workspace = ambient(scene, aws, configuration);
        let imports = addresses.iter().map(|address| example(address, import));
        workspace
            .write("import.tf", &imports.collect::<String>())
            .unwrap();
        let only = format!("-target={}", addresses[0]);
        let applied = workspace.apply_with(variables, &[&only]).unwrap();
        let applied = applied.ok().unwrap();
        let told = format!("{} imported, 0 added, 0 changed", addresses.len());
        assert!(applied.stdout().contains(&told), "{applied:?}");
    }
    let commands = example(addresses[0], "import.sh");
    let command = commands
        .lines()
        .find_map(|line| line.strip_prefix("terraform import "));
    let (into, id) = command.unwrap().split_once(' ').unwrap();
    assert_eq!(into, addresses[0]);
    let workspace = ambient(scene, aws, configuration);
    workspace.import(into, id, variables).unwrap().ok().unwrap();
}

/// The examples on the registry's pages work unchanged.
#[test]
fn the_examples_of_the_pages_work_as_they_stand() {
    let scene = Scene::new(&terraform_1_15(), On::Embedded);
    let workspace = scene.workspace("");
    let password = [("database_password", "hunter2")];
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let read = |name: &str| std::fs::read_to_string(examples.join(name)).unwrap();
    let show = |name: &str| workspace.write("main.tf", &read(name)).map(|_| ()).unwrap();

    let resource = "resources/planton_secret/resource.tf";
    show(resource);
    workspace.apply(&password).unwrap().ok().unwrap();
    workspace.plan(&password).unwrap().no_changes().unwrap();
    let more = [
        read("ephemeral-resources/planton_secret/ephemeral-resource.tf"),
        read("data-sources/planton_secret/data-source.tf"),
        read("functions/secret_ref/function.tf"),
        read("functions/parse_secret_ref/function.tf"),
    ];
    workspace.write("more.tf", &more.concat()).unwrap();
    workspace.apply(&password).unwrap().ok().unwrap();
    workspace.plan(&password).unwrap().no_changes().unwrap();
    let outputs = workspace.outputs().unwrap();
    assert_eq!(outputs["database_version"]["value"], 1);
    assert_eq!(
        outputs["reference"]["value"],
        "$secret/@production/database/password"
    );
    let parts = serde_json::json!({"environment": "production", "name": "database", "key": null});
    assert_eq!(outputs["parts"]["value"], parts);

    for import in ["import-by-string-id.tf", "import-by-identity.tf"] {
        let elsewhere = scene.workspace(&read(resource));
        let import = read(&format!("resources/planton_secret/{import}"));
        elsewhere.write("import.tf", &import).unwrap();
        let only = "-target=planton_secret.database";
        let imported = elsewhere
            .apply_with(&password, &[only])
            .unwrap()
            .ok()
            .unwrap();
        assert!(
            imported
                .stdout()
                .contains("1 imported, 0 added, 0 changed, 0 destroyed"),
            "{imported:?}"
        );
    }
    let by_command = scene.workspace(&read(resource));
    let commands = read("resources/planton_secret/import.sh");
    let mut imports = 0;
    for command in commands
        .lines()
        .filter(|line| line.starts_with("terraform import "))
    {
        let words: Vec<_> = command.split(' ').collect();
        by_command
            .import(words[2], words[3], &password)
            .unwrap()
            .ok()
            .unwrap();
        imports += 1;
    }
    assert_eq!(imports, 2);

    let provider = scene.workspace("");
    provider
        .write("provider.tf", &read("provider/provider.tf"))
        .unwrap();
    provider.validate().unwrap().ok().unwrap();
}
