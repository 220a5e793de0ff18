//! A catalog is backed up, lost and restored, with the real binary and a real Terraform.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use planton_vendors::openbao::client::{PolicyRole, policy_text};
use xtask::terraform::{Variables, Workspace};

use crate::operator::{KILL, Pins, json, killed, run, told};
use crate::policies::{scope, token_of};
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::stages::on_buckets;
use crate::steps::{Steps as _, flat, has};

/// Steps of `platform backup`, `restore` and `accept-rollback`.
pub(crate) const STEPS: [&str; 6] = [
    "back up",
    "restore",
    "begin restore",
    "restore record",
    "end restore",
    "accept rollback",
];

const SECRETS: &str = r#"
variable "rotation" { type = string }
variable "names" { type = set(string) }

resource "planton_secret" "db" {
  name             = "db"
  value_wo         = "hunter2 of rotation ${var.rotation}"
  value_wo_version = var.rotation
}

resource "planton_secret" "token" {
  name             = "token"
  generate         = { length = 24 }
  value_wo_version = var.rotation
}

resource "planton_secret" "one" {
  for_each         = var.names
  name             = each.key
  value_wo         = "hunter2 of ${each.key}"
  value_wo_version = "1"
}
"#;

fn at<'a>(rotation: &'a str, names: &'a str) -> [(&'a str, &'a str); 2] {
    [("rotation", rotation), ("names", names)]
}

#[test]
fn acc_backup_of_a_lost_catalog_is_restored_and_accepted_by_killed_commands_on_embedded() {
    restored(&Scene::new(&terraform_1_11(), On::Embedded));
}

#[test]
fn acc_backup_of_a_lost_catalog_is_restored_and_accepted_by_killed_commands_on_openbao() {
    restored(&Scene::new(&terraform_1_11(), On::OpenBao));
}

#[test]
fn acc_backup_of_a_lost_catalog_is_restored_and_accepted_by_killed_commands_on_a_bucket() {
    on_buckets(restored);
}

fn restored(scene: &Scene) {
    let workspace = scene.workspace(SECRETS);
    workspace.settled(&at("1", r#"["destroyed"]"#));
    let pins = Pins::of(scene);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acme.backup");
    let backed_up = Backup {
        scene,
        pins: &pins,
        path: path.to_str().unwrap(),
    };
    backed_up.take();

    // What the backup does not have: a version of each secret, a destruction, a creation, and a
    // newer version of the key.
    workspace.settled(&at("2", "[]"));
    workspace.settled(&at("2", r#"["created"]"#));
    rotate_key(scene);
    scene.lose_records();
    workspace.refused(&at("2", r#"["created"]"#));

    backed_up.restore(&workspace, &at("2", r#"["created"]"#));
    let text = workspace.refused(&at("2", r#"["created"]"#));
    has(&text, &["Catalog Rolled Back", "platform accept-rollback"]);
    let gc = ["gc", "--orphans", "--older-than", "0s", "--delete"];
    has(&told(&pins.run(scene, &gc), 1), &["Restore Not Accepted"]);
    let objects = scene.objects();
    backed_up.accept(&workspace, &at("2", r#"["created"]"#));
    assert_eq!(scene.objects(), objects, "nothing was deleted");
    converges(scene, &workspace);
}

/// A backup in a file.
struct Backup<'a> {
    scene: &'a Scene,
    pins: &'a Pins,
    path: &'a str,
}

impl Backup<'_> {
    /// Takes the backup, which has nothing secret, and replaces no file.
    fn take(&self) {
        let Self { scene, path, .. } = self;
        let backup = ["platform", "backup", path, "--json"];
        killed(&run(scene, &backup, &[(KILL, STEPS[0])]), STEPS[0]);
        assert!(!Path::new(path).exists());
        // The read policy suffices.
        let token = scene.openbao().map(|server| {
            let policy = policy_text(&scope("acme"), PolicyRole::Read);
            token_of(server.api(), "read", &policy)
        });
        let token = token.as_deref().map(|token| ("PLANTON_TOKEN", token));
        let done = json(&run(scene, &backup, token.as_slice()));
        assert_eq!(done["records"], scene.records().len(), "{done}");
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.contains("destroyed") && !text.contains("hunter2"),
            "{text}"
        );
        let again = told(&run(scene, &backup, &[]), 2);
        has(&again, &["Backup File Exists"]);
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }

    /// Restores the backup, killed before each step. In between, nothing opens the organization.
    fn restore(&self, workspace: &Workspace, variables: Variables<'_>) {
        let Self { scene, pins, path } = self;
        let records = 4;
        let restore = ["platform", "restore", path, "--apply", "--json"];
        has(&told(&run(scene, &restore, &[]), 1), &["Pins Required"]);
        let shown = json(&pins.run(scene, &["platform", "restore", path, "--json"]));
        assert_eq!(shown["missing"], records, "{shown}");
        for step in &STEPS[1..3] {
            pins.killed(scene, &restore, step);
            assert_eq!(scene.records().len(), 0, "{step}");
        }
        for step in &STEPS[3..5] {
            pins.killed(scene, &restore, step);
            let text = workspace.refused(variables);
            has(&text, &["Restore Not Finished", "platform restore again"]);
        }
        let accept = ["platform", "accept-rollback", "--apply"];
        has(
            &told(&pins.run(scene, &accept), 1),
            &["Restore Not Finished"],
        );
        let done = json(&pins.run(scene, &restore));
        assert_eq!(done["accept_rollback_due"], true, "{done}");
        assert_eq!(done["different"], serde_json::json!([]), "{done}");
        assert_eq!(scene.records().len(), records);
        let status = told(&pins.run(scene, &["platform", "status"]), 0);
        has(&status, &["platform accept-rollback"]);
    }

    /// Accepts the rollback, by a killed command and again.
    fn accept(&self, workspace: &Workspace, variables: Variables<'_>) {
        let Self { scene, pins, .. } = self;
        let accept = ["platform", "accept-rollback", "--apply", "--json"];
        let shown = json(&pins.run(scene, &["platform", "accept-rollback", "--json"]));
        assert_eq!(
            (&shown["due"], &shown["accepted"]),
            (&true.into(), &false.into())
        );
        pins.killed(scene, &accept, STEPS[5]);
        has(&workspace.refused(variables), &["Catalog Rolled Back"]);
        // The commit is made, and its answer is lost.
        pins.killed(scene, &accept, "forget history");
        let again = json(&pins.run(scene, &accept));
        assert_eq!(again["due"], false, "{again}");
    }
}

/// Plans show what the restored catalog lacks, and applies make it.
fn converges(scene: &Scene, workspace: &Workspace) {
    // Without a refresh, what was planned from the lost records is a conflict.
    let stale = workspace.apply_with(&at("3", r#"["created"]"#), &["-refresh=false"]);
    let stale = flat(&stale.unwrap().error().unwrap());
    has(&stale, &["Changed Concurrently"]);
    let plan = workspace.changes(&at("2", r#"["created"]"#));
    has(
        &plan,
        &["Secret Record Missing", "2 to change, 0 to destroy"],
    );
    assert_eq!(scene.read(&["db"])["db"], "hunter2 of rotation 1");
    let lost_token = scene.read(&["token"])["token"].clone();
    // The secret that was created after the backup leaves the state, and is created anew.
    workspace.applied(&at("2", "[]"));
    assert_eq!(scene.read(&["db"])["db"], "hunter2 of rotation 2");
    assert_ne!(scene.read(&["token"])["token"], lost_token);
    workspace.settled(&at("2", r#"["created"]"#));
    assert_eq!(scene.read(&["created"])["created"], "hunter2 of created");

    // The secret that was destroyed after the backup has a record again, and no object.
    let destroyed = at("2", r#"["created", "destroyed"]"#);
    let text = workspace.fails(&destroyed);
    has(&text, &["Secret Already Exists"]);
    assert!(!record_of(&scene.records(), "destroyed").is_null());
    let verify = told(&run(scene, &["verify"], &[]), 1);
    has(&verify, &["destroyed, version 1: envelope"]);
    let forget = ["forget", "secret", "destroyed", "--yes"];
    told(&run(scene, &forget, &[]), 0);
    workspace.settled(&destroyed);
    told(&run(scene, &["verify"], &[]), 0);
}

/// Makes a newer version of the organization's key.
fn rotate_key(scene: &Scene) {
    match scene.openbao() {
        Some(server) => {
            let path = "transit/keys/planton-acme/rotate";
            let body = serde_json::json!({});
            server.api().ok("POST", path, Some(&body)).unwrap();
        }
        None => drop(told(
            &run(scene, &["platform", "key-file", "rotate"], &[]),
            0,
        )),
    }
}

#[test]
fn acc_backup_of_the_whole_platform_is_accepted_though_nothing_notes_it() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let platform = scene.embedded().unwrap();
    let copy = platform.with_extension("copy");
    rolled_back(&scene, || {
        copied(&platform, &copy);
        Box::new(|| {
            std::fs::remove_dir_all(&platform).unwrap();
            copied(&copy, &platform);
        })
    });
}

#[test]
fn acc_backup_by_a_snapshot_of_the_server_is_accepted_though_nothing_notes_it() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let server = scene.openbao().unwrap();
    rolled_back(&scene, || {
        let snapshot = server.snapshot().unwrap();
        Box::new(move || server.restore_snapshot(&snapshot).unwrap())
    });
}

/// Rotates secrets after a backup of the whole platform, which `back_up` takes and what it
/// returns restores.
fn rolled_back<'a>(scene: &Scene, back_up: impl FnOnce() -> Box<dyn FnOnce() + 'a>) {
    let workspace = scene.workspace(SECRETS);
    workspace.settled(&at("1", r#"["kept"]"#));
    let pins = Pins::of(scene);
    let restore = back_up();
    workspace.settled(&at("2", r#"["kept"]"#));
    restore();

    has(
        &workspace.refused(&at("2", r#"["kept"]"#)),
        &["Catalog Rolled Back"],
    );
    let accept = ["platform", "accept-rollback", "--apply", "--json"];
    let nothing = json(&pins.run(scene, &accept));
    assert_eq!(nothing["due"], false, "{nothing}");
    has(
        &workspace.refused(&at("2", r#"["kept"]"#)),
        &["Catalog Rolled Back"],
    );
    let accept = [&accept[..], &["--platform-restored"]].concat();
    assert_eq!(json(&pins.run(scene, &accept))["accepted"], true);
    // The state takes the restored versions as they are, or writes its own anew.
    workspace.unchanged(&at("1", r#"["kept"]"#));
    let plan = workspace.changes(&at("2", r#"["kept"]"#));
    has(&plan, &["0 to add, 2 to change, 0 to destroy"]);
    workspace.settled(&at("2", r#"["kept"]"#));
    assert_eq!(scene.read(&["db"])["db"], "hunter2 of rotation 2");
    workspace.destroyed(&at("2", r#"["kept"]"#));
    assert_eq!(scene.objects(), [""; 0]);
}

/// Copies the files of a folder.
fn copied(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
