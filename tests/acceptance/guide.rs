//! The guide shows the policies as the provider means them, and the pages'
//! examples work.

use std::path::Path;

use terraform_provider_planton::clients::openbao::{PolicyRole, policy_text};

use crate::policies::scope;
use crate::scene::{On, Scene, terraform_1_15};

#[test]
fn the_guide_shows_the_policies_word_for_word() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guides/openbao.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    for role in [PolicyRole::Apply, PolicyRole::Plan] {
        let policy = policy_text(&scope("acme"), role);
        let block = format!("```hcl\n{policy}```\n");
        assert!(
            guide.contains(&block),
            "the guide lacks this block, or has an old one:\n{block}"
        );
    }
}

/// What the registry's pages show works as it stands.
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
