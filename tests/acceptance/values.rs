//! Values are read back unchanged, and only differing values are written.

use std::collections::BTreeMap;
use std::fs;

use crate::inside::Opened;
use crate::scene::{Scene, on_every_stage, with_every_terraform};
use crate::steps::{Steps, has, text};

on_every_stage!(
    acc_secret_values_come_back_byte_by_byte,
    acc_secret_without_a_trigger_is_rotated_by_its_value,
);
with_every_terraform!(
    acc_secret_value_known_only_at_apply_is_written_where_it_differs,
    acc_secret_is_generated_anew_only_with_the_trigger,
);

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UdHl5c\n-----END PRIVATE KEY-----\n";

/// Passes values through files, because variables cannot hold them. The configuration
/// reads them with `file`.
const VALUES: &str = r#"
locals { names = fileset("${path.module}/values", "*") }

resource "planton_secret" "given" {
  for_each         = local.names
  name             = each.key
  value_wo         = file("${path.module}/values/${each.key}")
  value_wo_version = "1"
}
ephemeral "planton_secret" "given" {
  for_each = local.names
  id       = planton_secret.given[each.key].id
}
resource "planton_secret" "copy" {
  for_each         = local.names
  name             = "copy-${each.key}"
  value_wo         = ephemeral.planton_secret.given[each.key].value
  value_wo_version = "1"
}

locals {
  many = merge({ for number in range(198) : "key-${number}" => "value ${number}" }, {
    "a key / with \"quotes\" and ü" = ""
    "pem"                           = file("${path.module}/values/pem")
  })
}
resource "planton_secret" "data" {
  name             = "data"
  data_wo          = local.many
  value_wo_version = "1"
}
ephemeral "planton_secret" "data" { id = planton_secret.data.id }
resource "planton_secret" "data_copy" {
  name             = "data-copy"
  data_wo          = ephemeral.planton_secret.data.data
  value_wo_version = "1"
}
"#;

fn values(limit: usize) -> BTreeMap<&'static str, String> {
    // Terraform normalizes every string to NFC. These are NFC already.
    let planes: String = (0..=16_u32)
        .flat_map(|plane| {
            [
                plane << 16 | 0x0ff0,
                plane << 16 | 0x8123,
                plane << 16 | 0xfffd,
            ]
        })
        .filter_map(char::from_u32)
        .filter(|c| {
            !('\u{f900}'..='\u{faff}').contains(c) && !('\u{2f800}'..='\u{2fa1f}').contains(c)
        })
        .collect();
    assert!(planes.chars().count() > 40, "{}", planes.chars().count());
    BTreeMap::from([
        ("empty", String::new()),
        ("composed", "\u{e9}".to_owned()),
        ("one-byte", "x".to_owned()),
        ("spaces", " \t ".to_owned()),
        ("nul", "a\0b".to_owned()),
        (
            "controls",
            (1..32)
                .map(char::from)
                .chain(['\u{7f}', '\u{feff}', '\u{2028}'])
                .collect(),
        ),
        ("lines", "\n\none\n two\n".to_owned()),
        ("crlf", "one\r\ntwo\r\n".to_owned()),
        ("pem", PEM.to_owned()),
        (
            "json",
            r#"{"a": ["\"b\"", 1e9, null], "ü": "\u0000"}"#.to_owned(),
        ),
        ("template", "${not} %{a} $${template} \\n".to_owned()),
        (
            "scripts",
            "Grüße, привет, שלום, नमस्ते, 你好, 👩‍👩‍👧‍👦, \u{1d11e}".to_owned(),
        ),
        ("planes", planes),
        ("limit", "ü".repeat(limit / 2) + &"x".repeat(limit % 2)),
    ])
}

fn acc_secret_values_come_back_byte_by_byte(scene: &Scene) {
    // The backend's limit less the largest envelope and the kind byte.
    let limit = if scene.openbao().is_some() {
        42_702
    } else {
        59_090
    };
    let values = values(limit);
    let workspace = scene.workspace(VALUES);
    let folder = workspace.path().join("values");
    fs::create_dir(&folder).unwrap();
    for (name, value) in &values {
        fs::write(folder.join(name), value).unwrap();
    }
    // Terraform composes decomposed characters before it calls the provider.
    fs::write(folder.join("composed"), "e\u{301}").unwrap();
    workspace.settled(&[]);
    for (name, value) in &values {
        for resource in ["given", "copy"] {
            let address = format!("planton_secret.{resource}[\"{name}\"]");
            let secret = workspace.attributes(&address).unwrap();
            let opened = scene.open(&text(&secret, "id")).text.unwrap();
            assert!(opened == *value, "{address}: {} bytes", opened.len());
        }
    }
    let copy = scene.open(&text(&workspace.secret("data_copy"), "id"));
    let data = copy.data.unwrap();
    assert_eq!(data.len(), 200);
    assert_eq!(data["key-197"], "value 197");
    assert_eq!(data["a key / with \"quotes\" and ü"], "");
    assert_eq!(data["pem"], PEM);

    // The plan rejects one byte more, and a mebibyte.
    let objects = scene.objects();
    let limit_text = format!("at most {limit} bytes");
    for bytes in [limit + 1, 1 << 20] {
        fs::write(folder.join("too-large"), "x".repeat(bytes)).unwrap();
        let refused = workspace.refused(&[]);
        let size = format!("The value has {bytes} bytes");
        has(
            &refused,
            &[
                "Secret Value Too Large",
                &size,
                &limit_text,
                "Nothing was written",
            ],
        );
        assert!(!refused.contains("xxxx"), "{refused}");
    }
    // The apply rejects a value that is unknown in the plan.
    fs::remove_file(folder.join("too-large")).unwrap();
    let late = format!(
        "resource \"terraform_data\" \"late\" {{ input = join(\"\", [for i in range({}) : \"x\"]) }}\n\
         resource \"planton_secret\" \"late\" {{\n  name = \"late\"\n  \
         value_wo = terraform_data.late.output\n}}\n",
        // Under range's own limit of 1,024: sixteen bytes each.
        1024
    )
    .replace("\"x\"", "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"");
    workspace.write("late.tf", &late).unwrap();
    let refused = workspace.fails(&[]);
    has(
        &refused,
        &["Secret Value Too Large", "65536 bytes", &limit_text],
    );
    assert_eq!(scene.objects(), objects);
}

fn acc_secret_without_a_trigger_is_rotated_by_its_value(scene: &Scene) {
    let configuration = |lines: &str| {
        format!(
            "variable \"password\" {{\n  type = string\n  ephemeral = true\n  default = null\n}}\n\
             resource \"planton_secret\" \"db\" {{\n  name = \"db\"\n  {lines}\n}}\n"
        )
    };
    let by_value = configuration("value_wo = var.password");
    let workspace = scene.workspace(&by_value);
    let one = [("password", "one")];
    let two = [("password", "two")];
    workspace.settled(&one);
    let id = text(&workspace.secret("db"), "id");
    workspace.unchanged(&[]);

    let plan = workspace.changes(&two);
    has(
        &plan,
        &[
            "will be updated in-place",
            "0 to add, 1 to change, 0 to destroy",
        ],
    );
    workspace.settled(&two);
    assert_eq!(scene.open(&id), Opened::text(2, "two"));

    // A trigger that is added or removed writes nothing if the value is the same.
    let before = workspace.secret("db");
    for lines in [
        "value_wo = var.password\n  value_wo_version = \"a\"",
        "value_wo = var.password",
    ] {
        workspace.write("main.tf", &configuration(lines)).unwrap();
        workspace.settled(&two);
        let after = workspace.secret("db");
        for name in ["version", "revision"] {
            assert_eq!(after[name], before[name], "{name} after {lines}");
        }
    }
    assert_eq!(
        workspace.secret("db")["value_wo_version"],
        serde_json::Value::Null
    );

    // A trigger that is added together with another value writes it.
    let lines = "value_wo = var.password\n  value_wo_version = \"b\"";
    workspace.write("main.tf", &configuration(lines)).unwrap();
    workspace.settled(&one);
    assert_eq!(scene.open(&id), Opened::text(3, "one"));

    // A text secret becomes a key-value secret.
    workspace
        .write(
            "main.tf",
            &configuration("data_wo = { password = var.password }"),
        )
        .unwrap();
    workspace.settled(&one);
    let opened = scene.open(&id);
    let data = BTreeMap::from([("password".to_owned(), "one".to_owned())]);
    assert_eq!((opened.version, opened.data), (4, Some(data)));
}

fn acc_secret_value_known_only_at_apply_is_written_where_it_differs(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "value" {}
variable "again" {}
variable "trigger" { default = null }
resource "terraform_data" "source" {
  input            = var.value
  triggers_replace = var.again
}
resource "planton_secret" "db" {
  name             = "db"
  value_wo         = terraform_data.source.output
  value_wo_version = var.trigger
}
"#,
    );
    workspace.settled(&[("value", "one"), ("again", "1")]);
    let first = workspace.secret("db");
    let id = text(&first, "id");
    // Unknown in the plan, and the same in the apply.
    let again = [("value", "one"), ("again", "2")];
    has(
        &workspace.changes(&again),
        &["planton_secret.db will be updated in-place"],
    );
    workspace.settled(&again);
    let second = workspace.secret("db");
    for name in ["version", "revision"] {
        assert_eq!(second[name], first[name], "{name}");
    }
    // Unknown in the plan, and another value in the apply.
    workspace.settled(&[("value", "two"), ("again", "3")]);
    assert_eq!(scene.open(&id), Opened::text(2, "two"));
    // With an unchanged trigger, the provider does not compare an unknown value.
    workspace.settled(&[("value", "two"), ("again", "3"), ("trigger", "a")]);
    workspace.settled(&[("value", "three"), ("again", "4"), ("trigger", "a")]);
    assert_eq!(scene.open(&id), Opened::text(2, "two"));
}

fn acc_secret_is_generated_anew_only_with_the_trigger(scene: &Scene) {
    let configuration = |length: u32, trigger: &str| {
        format!(
            "resource \"planton_secret\" \"key\" {{\n  name = \"key\"\n  \
             generate = {{ length = {length}, special = false, min_numeric = 3 }}\n  {trigger}\n}}\n"
        )
    };
    let workspace = scene.workspace(&configuration(20, ""));
    workspace.settled(&[]);
    let id = text(&workspace.secret("key"), "id");
    let first = scene.open(&id);
    let text = first.text.clone().unwrap();
    assert_eq!(text.len(), 20);
    assert!(text.bytes().filter(u8::is_ascii_digit).count() >= 3);

    // Other parameters only, an added trigger, and an unchanged trigger.
    let trigger = "value_wo_version = \"1\"";
    for (length, lines) in [(30, ""), (30, trigger), (40, trigger)] {
        workspace
            .write("main.tf", &configuration(length, lines))
            .unwrap();
        workspace.settled(&[]);
        assert_eq!(workspace.secret("key")["generate"]["length"], length);
        assert_eq!(scene.open(&id), first, "{length} {lines}");
    }
    workspace
        .write("main.tf", &configuration(40, "value_wo_version = \"2\""))
        .unwrap();
    workspace.settled(&[]);
    let second = scene.open(&id);
    assert_eq!((second.version, second.text.unwrap().len()), (2, 40));
}
