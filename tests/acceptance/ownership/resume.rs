//! A `PLANTON_RESUME` that stays set, or that no error printed, adopts nothing.

use serde_json::Value;

use crate::crash::resumed;
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::steps::{Steps, has, text};

const SECRETS: &str = r#"
variable "names" { type = set(string) }
variable "label" { default = "first" }
variable "trigger" { default = "1" }
resource "planton_secret" "s" {
  for_each         = var.names
  name             = each.key
  generate         = {}
  value_wo_version = each.key == "rotated" ? var.trigger : "1"
  labels           = { edition = each.key == "labelled" ? var.label : "first" }
}
"#;

#[test]
fn acc_resume_variable_that_is_expired_malformed_or_of_no_run_adopts_nothing() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let names = ("names", r#"["left"]"#);
    let owner = scene.workspace(SECRETS);
    owner.applied(&[names]);
    let records = scene.records();
    // In another organization, as another run.
    let other = scene.workspace(SECRETS);
    let elsewhere = scene.provider("").replace("\"acme\"", "\"other\"");
    other.write("provider.tf", &elsewhere).unwrap();
    other.applied(&[names]);
    let path = other.path().join("terraform.tfstate");
    std::fs::remove_file(path).unwrap();
    let of_other = resumed(&other.fails(&[names]));

    let mut second = scene.workspace(SECRETS);
    let line = resumed(&second.fails(&[names]));
    let (run, expiry) = line.split_once('@').unwrap();
    for (value, summary) in [
        (format!("{run}@2020-01-01T00:00:00Z"), "Resume Expired"),
        (
            format!("{run}@2999-01-01T00:00:00Z"),
            "Invalid Resume Variable",
        ),
        (run.to_owned(), "Invalid Resume Variable"),
        (
            format!("{run}@{}", expiry.trim_end_matches('Z')),
            "Invalid Resume Variable",
        ),
        (format!("first@{expiry}"), "Invalid Resume Variable"),
    ] {
        second.env("PLANTON_RESUME", &value);
        let told = second.refused(&[names]);
        has(
            &told,
            &[&format!("Error: {summary}"), "Unset PLANTON_RESUME"],
        );
    }
    // An empty variable counts as unset, and an unknown run has left nothing here.
    let unknown = format!("0198c2f4-6d3a-8c51-9b1e-2f6d8a4c0b11@{expiry}");
    for value in ["", &unknown, &of_other] {
        second.env("PLANTON_RESUME", value);
        let told = second.fails(&[names]);
        has(&told, &["Error: Secret Already Exists"]);
        assert!(!told.contains("Interrupted"), "{told}");
    }
    second.destroyed(&[("names", "[]")]);
    assert_eq!(scene.records(), records);
    owner.unchanged(&[names]);
}

#[test]
fn acc_resume_of_what_was_changed_since_adopts_nothing() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let all = ("names", r#"["rotated", "labelled", "adopted", "left"]"#);
    let owner = scene.workspace(SECRETS);
    owner.applied(&[all]);
    let mut second = scene.workspace(SECRETS);
    let line = resumed(&second.fails(&[all]));

    owner.settled(&[all, ("label", "second"), ("trigger", "2")]);
    let mut third = scene.workspace(SECRETS);
    third.env("PLANTON_RESUME", &line);
    let adopted = ("names", r#"["adopted"]"#);
    has(
        third.applied(&[adopted]).stdout(),
        &["Interrupted Creation Completed"],
    );
    third.env_remove("PLANTON_RESUME");
    let records = scene.records();

    second.env("PLANTON_RESUME", &line);
    for name in ["rotated", "labelled", "adopted"] {
        let told = second.fails(&[("names", &format!("[{name:?}]"))]);
        has(&told, &["Error: Secret Already Exists", "import {"]);
        assert!(!told.contains("Interrupted"), "{told}");
        // If an error offers the line, it is for the present owner.
        let offered = told.contains("PLANTON_RESUME=");
        assert_eq!(offered, name == "adopted", "{told}");
        assert_eq!(offered, told.contains("adopted it at"), "{told}");
    }
    assert_eq!(scene.records(), records);
    third.unchanged(&[adopted]);

    // An unchanged secret is adopted, so the line was valid throughout.
    let left = ("names", r#"["left"]"#);
    second.settled(&[left]);
    let owner_of = |records, name: &str| -> Value { record_of(records, name)["owner"].clone() };
    let now = scene.records();
    assert_ne!(owner_of(&now, "left"), owner_of(&records, "left"));
    let id = text(&record_of(&now, "left"), "uuid");
    let address = "planton_secret.s[\"left\"]";
    assert_eq!(text(&second.attributes(address).unwrap(), "id"), id);
}
