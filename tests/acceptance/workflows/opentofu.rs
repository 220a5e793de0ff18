//! Tests features of OpenTofu only. They run if `tofu` is on PATH. `cargo xtask test`
//! reports at its end if it is not.

use xtask::terraform::Terraform;

use crate::scene::{ORGANIZATION, On, Scene, record_of};
use crate::steps::{Steps, flat, has, text};

/// Runs a test with the OpenTofu on PATH, if it has at least this version.
fn with_opentofu(since: (u32, u32), test: impl Fn(&Scene)) {
    let found = Terraform::named("tofu");
    match found.filter(|tofu| tofu.is_opentofu() && tofu.is_at_least(since.0, since.1)) {
        Some(tofu) => test(&Scene::new(&tofu, On::Embedded)),
        None => eprintln!("not run: no OpenTofu {}.{} on PATH", since.0, since.1),
    }
}

/// Returns a secret with this value and further lines.
fn secret(name: &str, lines: &str) -> String {
    format!("resource \"planton_secret\" \"{name}\" {{\n  name = \"{name}\"\n  {lines}\n}}\n")
}

const VALUE: &str = "value_wo = \"the first\"\n  value_wo_version = \"1\"";

#[test]
fn acc_opentofu_destroy_false_leaves_a_secret_that_is_taken_up_by_import_alone() {
    with_opentofu((1, 12), |scene| {
        let kept = format!("{VALUE}\n  lifecycle {{ destroy = false }}");
        let workspace = scene.workspace(&secret("db", &kept));
        workspace.settled(&[]);
        let record = record_of(&scene.records(), "db");

        // Another secret replaces it. The first one is forgotten, and still exists.
        let renamed = secret("db", &kept).replacen("name = \"db\"", "name = \"db2\"", 1);
        workspace.write("main.tf", &renamed).unwrap();
        workspace.applied(&[]);
        assert_eq!(record_of(&scene.records(), "db"), record);

        // Declared again with its first arguments, and with another value.
        for value in ["the first", "another"] {
            let again = VALUE.replace("the first", value);
            let again = secret("db", &again)
                .replace("\"planton_secret\" \"db\"", "\"planton_secret\" \"again\"");
            workspace.write("again.tf", &again).unwrap();
            let refused = workspace.fails(&[]);
            has(&refused, &["Secret Already Exists", "import {"]);
            assert_eq!(record_of(&scene.records(), "db"), record);
        }
        let import = "import {\n  to = planton_secret.again\n  id = \"db\"\n}\n";
        workspace.write("import.tf", import).unwrap();
        workspace.applied(&[]);
        workspace.unchanged(&[]);
        assert_eq!(text(&workspace.secret("again"), "id"), record["uuid"]);
    });
}

#[test]
fn acc_opentofu_enabled_false_destroys_and_true_creates() {
    with_opentofu((1, 11), |scene| {
        let toggled = "variable \"on\" { type = bool }\n".to_owned()
            + &secret(
                "db",
                &format!("{VALUE}\n  lifecycle {{ enabled = var.on }}"),
            );
        let workspace = scene.workspace(&toggled);
        for _ in 0..2 {
            workspace.settled(&[("on", "true")]);
            assert_eq!(scene.read(&["db"])["db"], "the first");
            workspace.settled(&[("on", "false")]);
            assert!(record_of(&scene.records(), "db").is_null());
        }
        assert_eq!(scene.objects(), [""; 0]);
    });
}

#[test]
fn acc_opentofu_provider_for_each_keeps_organizations_apart() {
    with_opentofu((1, 11), |scene| {
        let other = "globex";
        let provider = scene
            .provider("")
            .replace(
                "provider \"planton\" {\n",
                "provider \"planton\" {\n  alias    = \"each\"\n  for_each = local.organizations\n",
            )
            .replace(&format!("{ORGANIZATION:?}"), "each.key");
        let configuration = format!(
            "locals {{\n  organizations = toset([{ORGANIZATION:?}, {other:?}])\n}}\n\
             resource \"planton_secret\" \"db\" {{\n  for_each = local.organizations\n  \
             provider = planton.each[each.key]\n  name     = \"db\"\n  \
             value_wo = \"of ${{each.key}}\"\n  value_wo_version = \"1\"\n}}\n"
        );
        let workspace = scene.workspace(&configuration);
        workspace.write("provider.tf", &provider).unwrap();
        workspace.settled(&[]);
        let id = |organization: &str| {
            let address = format!("planton_secret.db[\"{organization}\"]");
            text(&workspace.attributes(&address).unwrap(), "id")
        };
        assert_ne!(id(ORGANIZATION), id(other));
        assert_eq!(scene.read(&["db"])["db"], format!("of {ORGANIZATION}"));
        workspace.destroyed(&[]);
        assert_eq!(scene.objects(), [""; 0]);
    });
}

#[test]
fn acc_opentofu_encrypted_state_and_plan_carry_a_secret_through_its_life() {
    with_opentofu((1, 11), |scene| {
        let workspace = scene.workspace(&secret("db", VALUE));
        let encryption = r#"
terraform {
  encryption {
    key_provider "pbkdf2" "passphrase" {
      passphrase = "correct horse battery staple"
    }
    method "aes_gcm" "method" {
      keys = key_provider.pbkdf2.passphrase
    }
    state {
      method   = method.aes_gcm.method
      enforced = true
    }
    plan {
      method   = method.aes_gcm.method
      enforced = true
    }
  }
}
"#;
        workspace.write("encryption.tf", encryption).unwrap();
        let planned = workspace.plan_with(&[], &["-out=saved"]).unwrap();
        planned.changes().unwrap();
        workspace.apply_with(&[], &["saved"]).unwrap().ok().unwrap();
        workspace.unchanged(&[]);
        let raw = |file: &str| std::fs::read(workspace.path().join(file)).unwrap();
        for file in ["saved", "terraform.tfstate"] {
            let text = String::from_utf8_lossy(&raw(file)).into_owned();
            assert!(!text.contains("planton_secret"), "{file} is not encrypted");
        }
        workspace
            .write("main.tf", &secret("db", &VALUE.replace("\"1\"", "\"2\"")))
            .unwrap();
        workspace.settled(&[]);
        workspace.destroyed(&[]);
        assert_eq!(scene.objects(), [""; 0]);
    });
}

#[test]
fn acc_opentofu_exclude_leaves_a_secret_and_its_consumers_alone() {
    with_opentofu((1, 11), |scene| {
        let configuration = secret("db", VALUE)
            + &secret("other", VALUE)
            + "ephemeral \"planton_secret\" \"db\" {\n  id = planton_secret.db.id\n}\n"
            + &secret(
                "consumer",
                "value_wo = ephemeral.planton_secret.db.value\n  \
                 value_wo_version = planton_secret.db.version",
            );
        let workspace = scene.workspace(&configuration);
        let exclude = ["-exclude=planton_secret.db"];
        let applied = workspace.apply_with(&[], &exclude).unwrap().ok().unwrap();
        has(&flat(applied.stdout()), &["1 added"]);
        assert!(record_of(&scene.records(), "db").is_null());
        assert!(record_of(&scene.records(), "consumer").is_null());
        workspace.settled(&[]);
        assert_eq!(scene.read(&["consumer"])["consumer"], "the first");
        workspace.destroyed(&[]);
        assert_eq!(scene.objects(), [""; 0]);
    });
}

#[test]
fn acc_opentofu_import_with_for_each_is_followed_by_an_empty_plan() {
    with_opentofu(
        (1, 11),
        super::imports::acc_import_with_for_each_is_followed_by_an_empty_plan,
    );
}

#[test]
fn acc_opentofu_mock_provider_works_with_ephemeral_resources() {
    with_opentofu((1, 12), |scene| {
        let configuration = secret("db", VALUE)
            + "ephemeral \"planton_secret\" \"db\" {\n  id      = planton_secret.db.id\n  \
               version = planton_secret.db.version\n}\n"
            + &secret(
                "consumer",
                "value_wo = ephemeral.planton_secret.db.value\n  \
                 value_wo_version = planton_secret.db.version",
            );
        let workspace = scene.workspace(&configuration);
        std::fs::create_dir(workspace.path().join("tests")).unwrap();
        let test = "mock_provider \"planton\" {}\nrun \"applies\" {}\n";
        workspace.write("tests/a.tftest.hcl", test).unwrap();
        let passed = workspace.run(&["test", "-no-color"]).unwrap().ok().unwrap();
        has(&flat(passed.stdout()), &["1 passed, 0 failed"]);
        assert_eq!(scene.objects(), [""; 0]);
    });
}

#[test]
fn acc_opentofu_unknown_provider_configuration_is_deferred_with_depends_on() {
    with_opentofu((1, 12), |scene| {
        let known = format!("{ORGANIZATION:?}");
        let provider = scene
            .provider("")
            .replace(&known, "terraform_data.organization.output");
        let configuration = |more: &str| {
            format!("resource \"terraform_data\" \"organization\" {{ input = {known} }}\n")
                + &format!(
                    "ephemeral \"planton_secret\" \"db\" {{\n  name = \"db\"\n  {more}\n}}\n"
                )
                + &secret(
                    "consumer",
                    "value_wo = ephemeral.planton_secret.db.value\n  value_wo_version = \"1\"",
                )
        };
        let owner = scene.workspace(&secret("db", VALUE));
        owner.settled(&[]);
        let workspace = scene.workspace(&configuration(""));
        workspace.write("provider.tf", &provider).unwrap();
        let refused = workspace.refused(&[]);
        has(
            &refused,
            &["Provider Configuration Not Known", "depends_on"],
        );
        let deferred = configuration("depends_on = [terraform_data.organization]");
        workspace.write("main.tf", &deferred).unwrap();
        workspace.settled(&[]);
    });
}
