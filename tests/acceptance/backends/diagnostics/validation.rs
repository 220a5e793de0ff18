//! `terraform validate` reports every invalid argument of a backend's block and of the
//! provider's, each at its attribute. It sends no request.

use xtask::terraform::{Diagnostic, Workspace};

use super::declared;
use crate::reading::Told;
use crate::scene::{
    On, Scene, provider_block, terraform_1_11, terraform_1_15, with_every_terraform,
};

with_every_terraform!(
    acc_validate_finds_every_mistake_of_a_backend_beside_unknown_values,
    acc_validate_finds_nothing_in_what_may_still_be_right,
    acc_validate_finds_every_mistake_of_the_provider_block,
);

/// A block, further lines that it needs, and its mistakes. A mistake is a line, and
/// another line if the error is reported there.
type Mistake = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// The mistakes of each backend type's block.
const MISTAKES: &[Mistake] = &[
    (
        "aws_secrets_manager",
        "region = var.unknown",
        &[
            ("recovery_window_days = 7.5", ""),
            ("recovery_window_days = 6", ""),
            ("recovery_window_days = 31", ""),
            ("recovery_window_days = -1", ""),
            ("recovery_window_days = 1e30", ""),
            ("access_key_id = \"AKIA hunter2\"", ""),
            ("assume_role_arn = \"hunter2\"", ""),
            ("external_id = \"hunter2\"", ""),
            ("endpoint = \"http://hunter2.example.com\"", ""),
            (
                "secret_access_key_wo = \"hunter2\"",
                "aws_secrets_manager = {",
            ),
        ],
    ),
    (
        "aws_secrets_manager",
        "",
        &[("region = \"EU Central\"", "")],
    ),
    (
        "gcp_secret_manager",
        "project_id = var.unknown",
        &[
            ("impersonate_service_account = \"hunter2\"", ""),
            ("endpoint = \"hunter2\"", ""),
            ("replica_locations = [\"Hunter2\"]", ""),
            ("replica_locations = [var.unknown, \"Hunter2\"]", ""),
            ("replica_locations = []", ""),
            ("replica_locations = [null]", ""),
        ],
    ),
    ("gcp_secret_manager", "", &[("project_id = \"a/b\"", "")]),
    (
        "azure_key_vault",
        "vault_url = var.unknown",
        &[
            ("tenant_id = \"a/b\"", ""),
            ("client_id = \"\"", ""),
            ("authority_host = \"hunter2\"", ""),
            ("client_secret_wo = \"hunter2\"", "azure_key_vault = {"),
        ],
    ),
    (
        "azure_key_vault",
        "",
        &[(
            "vault_url = \"https://hunter2.vault.azure.net/secrets\"",
            "",
        )],
    ),
    (
        "openbao",
        "address = var.unknown",
        &[
            ("namespace = \"team a\"", ""),
            ("kv_mount_path = \"team a\"", ""),
            ("ca_cert_file = \"~/hunter2.pem\"", ""),
            ("ca_cert_pem = \"hunter2\"", ""),
            ("client_cert_file = \"a.pem\"", "openbao = {"),
            ("client_key_file = \"a.pem\"", "openbao = {"),
            ("approle = { role_id = \"\" }", ""),
            (
                "approle = { role_id = var.unknown, mount_path = \"a b\" }",
                "",
            ),
            (
                "jwt = { role = \"x\", jwt_wo = \"hunter2\", token_file = \"a\" }",
                "",
            ),
            ("jwt = { role = \"x\", token_file = \"~/hunter2\" }", ""),
            ("kubernetes = { role = \"x\", mount_path = \"a b\" }", ""),
        ],
    ),
    ("hashicorp_vault", "", &[("address = \"hunter2:8200\"", "")]),
];

fn validated(workspace: &Workspace) -> Vec<Diagnostic> {
    let outcome = workspace.run(&["validate", "-json"]).unwrap();
    let told = outcome.structured();
    for one in &told {
        let words = [&one.summary, &one.detail].map(String::as_str).concat();
        assert!(!words.contains("unter2"), "{one:?}");
        assert!(!words.contains("Defect"), "{one:?}");
    }
    told
}

const UNKNOWN: &str = "variable \"unknown\" { type = string }\n";

fn acc_validate_finds_every_mistake_of_a_backend_beside_unknown_values(scene: &Scene) {
    let workspace = scene.workspace("");
    let mut expected = Vec::new();
    let mut whole = UNKNOWN.to_owned();
    for (block, needed, mistakes) in MISTAKES {
        for (line, at) in *mistakes {
            let name = format!("b{}", expected.len());
            let lines = format!("  {block} = {{\n    {needed}\n    {line}\n  }}");
            whole.push_str(&declared(&name, &lines));
            let at = if at.is_empty() { *line } else { *at };
            expected.push((format!("planton_secret_backend.{name}"), at));
        }
    }
    // Reports two mistakes of one block at once, and those of all blocks.
    let two =
        "  aws_secrets_manager = {\n    recovery_window_days = 7.5\n    endpoint = \"x\"\n  }";
    whole.push_str(&declared("two", two));
    for at in ["recovery_window_days = 7.5", "endpoint = \"x\""] {
        expected.push(("planton_secret_backend.two".to_owned(), at));
    }
    workspace.write("main.tf", &whole).unwrap();
    let told = validated(&workspace);
    let shows_attributes = scene.terraform().is_at_least(1, 15);
    for (address, at) in &expected {
        let found: Vec<_> = told
            .iter()
            .filter(|one| one.address.as_ref() == Some(address))
            .collect();
        assert!(!found.is_empty(), "{address}: nothing for {at}");
        let code = |one: &&Diagnostic| one.code.as_deref().unwrap_or_default().to_owned();
        let codes: Vec<_> = found.iter().map(code).collect();
        if shows_attributes {
            assert!(
                codes.iter().any(|code| code.starts_with(at)),
                "{at}: {found:?}"
            );
        }
        assert!(found.iter().all(|one| one.severity == "error"), "{found:?}");
    }
    // Azure's client secret lacks two other attributes, so it has two errors.
    assert_eq!(told.len(), expected.len() + 1, "{told:#?}");
}

fn acc_validate_finds_nothing_in_what_may_still_be_right(scene: &Scene) {
    let workspace = scene.workspace("");
    let fine = [
        (
            "aws_secrets_manager",
            "recovery_window_days = var.number\n    external_id = \"x\"\n    assume_role_arn = var.unknown",
        ),
        (
            "aws_secrets_manager",
            "access_key_id = var.unknown\n    secret_access_key_wo = \"x\"",
        ),
        ("aws_secrets_manager", "access_key_id = \"AKIA1\""),
        (
            "gcp_secret_manager",
            "project_id = \"acme\"\n    service_account_key_json_wo = var.unknown",
        ),
        (
            "azure_key_vault",
            "vault_url = var.unknown\n    tenant_id = var.unknown\n    client_id = var.unknown\n    client_secret_wo = \"x\"",
        ),
        (
            "azure_key_vault",
            "vault_url = \"https://a.vault.azure.net\"\n    use_msi = var.flag\n    use_cli = var.flag",
        ),
        (
            "openbao",
            "address = var.unknown\n    client_cert_file = \"a.pem\"\n    client_key_file = var.unknown",
        ),
        (
            "openbao",
            "address = var.unknown\n    token_wo = var.unknown\n    approle = { role_id = \"x\" }",
        ),
        (
            "openbao",
            "address = \"https://bao.example.com\"\n    jwt = { role = \"x\", jwt_wo = \"x\", token_file = var.unknown }",
        ),
    ];
    let mut whole = format!(
        "{UNKNOWN}variable \"number\" {{ type = number }}\nvariable \"flag\" {{ type = bool }}\n"
    );
    for (number, (block, lines)) in fine.iter().enumerate() {
        let lines = format!("  {block} = {{\n    {lines}\n  }}");
        whole.push_str(&declared(&format!("b{number}"), &lines));
    }
    workspace.write("main.tf", &whole).unwrap();
    assert_eq!(validated(&workspace), []);
}

fn acc_validate_finds_every_mistake_of_the_provider_block(scene: &Scene) {
    let shows_attributes = scene.terraform().is_at_least(1, 15);
    let openbao = |lines: &str| format!("openbao = {{\n    {lines}\n  }}");
    for (platform, at) in [
        ("embedded = { path = \"~/hunter2\" }".to_owned(), "embedded"),
        ("embedded = { path = \"\" }".to_owned(), "embedded"),
        (
            openbao("address = \"hunter2:8200\"\n    token = var.unknown"),
            "address",
        ),
        (openbao("address = var.unknown\n    token = \"\""), "token"),
        (
            openbao("address = var.unknown\n    token_file = \"~/hunter2\""),
            "token_file",
        ),
        (
            openbao("address = var.unknown\n    token_file = \"\""),
            "token_file",
        ),
        (
            openbao("address = var.unknown\n    kv_mount_path = \"a b\""),
            "kv_mount_path",
        ),
        (
            openbao("address = var.unknown\n    transit_mount_path = \"a//b\""),
            "transit_mount_path",
        ),
        (
            openbao("address = var.unknown\n    ca_cert_file = \"~/hunter2\""),
            "ca_cert_file",
        ),
        (
            openbao("address = var.unknown\n    ca_cert_pem = \"hunter2\""),
            "ca_cert_pem",
        ),
        (
            openbao(
                "address = var.unknown\n    approle = { role_id = \"\", secret_id = var.unknown }",
            ),
            "approle",
        ),
        (
            openbao("address = var.unknown\n    approle = { role_id = \"x\", secret_id = \"\" }"),
            "approle",
        ),
        (
            openbao("address = var.unknown\n    jwt = { role = \"x\", token = \"\" }"),
            "jwt",
        ),
        (
            openbao("address = var.unknown\n    jwt = { role = \"x\", token_file = \"~/a\" }"),
            "jwt",
        ),
        (
            openbao(
                "address = var.unknown\n    kubernetes = { role = \"x\", mount_path = \"a b\" }",
            ),
            "kubernetes",
        ),
        (
            "embedded = {}\n  default_labels = { a = null }".to_owned(),
            "default_labels",
        ),
    ] {
        // Terraform does not validate a provider that no resource uses.
        let secret = "resource \"planton_secret\" \"s\" {\n  name = \"s\"\n  generate = {}\n}\n";
        let workspace = scene.workspace(&format!("{UNKNOWN}{secret}"));
        workspace
            .write("provider.tf", &provider_block(&platform, ""))
            .unwrap();
        let told = validated(&workspace);
        assert_eq!(told.len(), 1, "{platform}: {told:?}");
        if shows_attributes {
            let code = told[0].code.as_deref().unwrap_or_default();
            assert!(code.starts_with(at), "{platform}: {told:?}");
        }
    }
}

/// A plan rejects an invalid credential if it takes the credential. Validation does not.
#[test]
fn acc_wrong_credential_is_refused_by_the_plan_that_takes_it() {
    for terraform in [terraform_1_11(), terraform_1_15()] {
        let scene = Scene::new(&terraform, On::Embedded);
        let openbao = |login: &str| {
            format!("  openbao = {{\n    address = \"http://127.0.0.1:1\"\n    {login}\n  }}")
        };
        let wrong = [
            "  gcp_secret_manager = {\n    project_id = \"acme\"\n    service_account_key_json_wo \
             = \"hunter2\"\n  }"
                .to_owned(),
            "  aws_secrets_manager = {\n    session_token_wo = \"hunter2\"\n  }".to_owned(),
            openbao("token_wo = \"\""),
            openbao("approle = { role_id = \"x\", secret_id_wo = \"\" }"),
        ];
        let all = wrong.iter().enumerate();
        let whole: String = all
            .map(|(number, lines)| declared(&format!("b{number}"), lines))
            .collect();
        let workspace = scene.workspace(&whole);
        assert_eq!(validated(&workspace), []);
        let told = Told::by_plan(&workspace, &[], &[]);
        for number in 0..wrong.len() {
            assert!(
                told.at(&format!("b{number}")).contains("Error: "),
                "{told:#?}"
            );
        }
        assert!(!told.words().contains("hunter2"), "{told:#?}");
    }
}

/// Validation, plan and apply each reject a fraction.
#[test]
fn acc_fraction_is_refused_by_validate_plan_and_apply() {
    for terraform in [terraform_1_11(), terraform_1_15()] {
        let scene = Scene::new(&terraform, On::Embedded);
        let lines = "  verify_connection = false\n  aws_secrets_manager = {\n    region = \
                     \"eu-central-1\"\n    recovery_window_days = 7.5\n  }";
        let workspace = scene.workspace(&declared("aws", lines));
        let validated = workspace.validate().unwrap().error().unwrap();
        let planned = workspace.plan(&[]).unwrap().error().unwrap();
        let applied = workspace.apply(&[]).unwrap().error().unwrap();
        for told in [validated, planned, applied] {
            assert!(
                told.contains("recovery_window_days must be from 7 to 30"),
                "{told}"
            );
            assert!(!told.contains("Defect"), "{told}");
        }
    }
}
