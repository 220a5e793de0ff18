//! A consumer with a secret's revision as its trigger gets every value: of each version,
//! and of each secret that replaces another.

use serde_json::Value;
use xtask::terraform::{Variables, Workspace};

use crate::scene::{Scene, with_every_terraform};
use crate::steps::{Steps, has, text};

with_every_terraform!(
    acc_consumer_follows_every_rotation_and_every_replacement,
    acc_consumer_follows_a_secret_that_was_deleted_elsewhere,
    acc_consumers_follow_secrets_whose_index_shifts,
    acc_data_source_tells_the_revision,
);

const PAIR: &str = r#"
variable "name" { default = "db" }
variable "environment" { default = null }
variable "trigger" { default = "1" }
variable "description" { default = null }

resource "planton_secret" "db" {
  name             = var.name
  environment      = var.environment
  description      = var.description
  generate         = {}
  value_wo_version = var.trigger
}
ephemeral "planton_secret" "db" {
  id      = planton_secret.db.id
  version = planton_secret.db.version
}
resource "planton_secret" "consumer" {
  name             = "consumer"
  value_wo         = ephemeral.planton_secret.db.value
  value_wo_version = planton_secret.db.revision
}
"#;

fn revision(secret: &Value) -> u64 {
    secret["revision"].as_u64().unwrap()
}

/// A secret, its consumer, and their last observed values.
struct Pair<'a> {
    scene: &'a Scene,
    workspace: Workspace,
    revision: u64,
    value: String,
}

impl<'a> Pair<'a> {
    fn new(scene: &'a Scene) -> Self {
        let workspace = scene.workspace(PAIR);
        workspace.settled(&[]);
        let mut pair = Self {
            scene,
            workspace,
            revision: 0,
            value: String::new(),
        };
        pair.another("creation");
        pair
    }

    /// Checks that there is another value with a higher revision, and that the consumer
    /// has it.
    #[track_caller]
    fn another(&mut self, what: &str) {
        let db = self.workspace.secret("db");
        let consumer = self.workspace.secret("consumer");
        let now = revision(&db);
        assert!(now > self.revision, "{what}: {} then {now}", self.revision);
        self.revision = now;
        let value = self.scene.open(&text(&db, "id")).text.unwrap();
        assert_ne!(value, self.value, "{what}");
        let consumed = self.scene.open(&text(&consumer, "id")).text.unwrap();
        assert_eq!(consumed, value, "{what}");
        assert_eq!(consumer["value_wo_version"], now.to_string(), "{what}");
        self.value = value;
    }

    #[track_caller]
    fn settled(&mut self, what: &str, variables: Variables<'_>) {
        self.workspace.settled(variables);
        self.another(what);
    }
}

fn acc_consumer_follows_every_rotation_and_every_replacement(scene: &Scene) {
    let mut pair = Pair::new(scene);
    // The revision is a whole number of milliseconds since 1970, in this century.
    assert!((1_000_000_000_000..10_000_000_000_000).contains(&pair.revision));

    let by_force = ["-replace=planton_secret.db"];
    let replaced = pair.workspace.apply_with(&[], &by_force).unwrap();
    replaced.ok().unwrap();
    pair.workspace.unchanged(&[]);
    pair.another("-replace");
    assert_eq!(pair.workspace.secret("db")["version"], 1);

    let tainted = pair.workspace.run(&["taint", "planton_secret.db"]).unwrap();
    tainted.ok().unwrap();
    pair.settled("taint", &[]);

    pair.settled("rotation", &[("trigger", "2")]);
    let renamed = [("trigger", "2"), ("name", "renamed")];
    pair.settled("another name", &renamed);
    let moved = [
        ("trigger", "2"),
        ("name", "renamed"),
        ("environment", "production"),
    ];
    pair.settled("another environment", &moved);

    // A change without a new version does not affect the consumer.
    let before = pair.workspace.secret("consumer");
    let described = [&moved[..], &[("description", "For people.")]].concat();
    pair.workspace.settled(&described);
    assert_eq!(revision(&pair.workspace.secret("db")), pair.revision);
    assert_eq!(pair.workspace.secret("consumer"), before);
}

fn acc_consumer_follows_a_secret_that_was_deleted_elsewhere(scene: &Scene) {
    let mut pair = Pair::new(scene);
    let other = scene.workspace("resource \"planton_secret\" \"db\" {\n  name = \"db\"\n}\n");
    let imported = other.import("planton_secret.db", "db", &[]).unwrap();
    imported.ok().unwrap();
    assert_eq!(revision(&other.secret("db")), pair.revision);
    other.destroyed(&[]);

    has(
        &pair.workspace.changes(&[]),
        &["planton_secret.db will be created", "1 to add, 1 to change"],
    );
    pair.settled("created again", &[]);
    assert_eq!(pair.workspace.secret("db")["version"], 1);
}

fn acc_consumers_follow_secrets_whose_index_shifts(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "names" { type = list(string) }
resource "planton_secret" "db" {
  count            = length(var.names)
  name             = var.names[count.index]
  generate         = {}
  value_wo_version = "1"
}
ephemeral "planton_secret" "db" {
  count   = length(var.names)
  id      = planton_secret.db[count.index].id
  version = planton_secret.db[count.index].version
}
resource "planton_secret" "consumer" {
  for_each         = { for index, name in var.names : tostring(index) => name }
  name             = "consumer-${each.key}"
  value_wo         = ephemeral.planton_secret.db[tonumber(each.key)].value
  value_wo_version = planton_secret.db[tonumber(each.key)].revision
}
output "pairs" {
  value = [for index, name in var.names : {
    db       = planton_secret.db[index].id
    consumer = planton_secret.consumer[tostring(index)].id
  }]
}
"#,
    );
    let assert_pairs = |count: usize| {
        let pairs = workspace.output("pairs");
        let pairs = pairs.as_array().unwrap();
        assert_eq!(pairs.len(), count);
        for pair in pairs {
            let of = |name: &str| scene.open(&text(pair, name)).text;
            assert_eq!(of("consumer"), of("db"), "{pair}");
        }
    };
    workspace.settled(&[("names", r#"["a", "b", "c"]"#)]);
    assert_pairs(3);
    // The names move, so each address gets another secret.
    workspace.settled(&[("names", r#"["d", "e"]"#)]);
    assert_pairs(2);
}

fn acc_data_source_tells_the_revision(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "trigger" { default = "1" }
resource "planton_secret" "db" {
  name             = "db"
  generate         = {}
  value_wo_version = var.trigger
}
data "planton_secret" "db" {
  name       = planton_secret.db.name
  depends_on = [planton_secret.db]
}
output "revision" { value = data.planton_secret.db.revision }
"#,
    );
    for trigger in ["1", "2"] {
        workspace.settled(&[("trigger", trigger)]);
        let secret = workspace.secret("db");
        assert_eq!(workspace.output("revision"), secret["revision"]);
    }
}
