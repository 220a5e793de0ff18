//! Operator commands for keys: `platform`, `rewrap` and `open`, with the real binary.

mod absent;
mod changes;
mod rotation;
mod terminal;

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use xtask::openbao::KvVersion;

use crate::policies::token_of;
use crate::scene::{AUTOMATION, On, PROVIDER, Scene, record_of, terraform_1_11};
use crate::stages::on_buckets;
use crate::steps::{Steps, flat, has};

/// A key pair from the tests of rage:
/// <https://github.com/str4d/rage/blob/main/age/src/keys.rs>.
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
const ESCROW: &str = "age:age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
/// The identity of age's test kit: <https://github.com/C2SP/CCTV/tree/main/age>.
const STRANGER: &str = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
const VALUE: &str = "hunter2 in escrow";
const SECRET: &str = "resource \"planton_secret\" \"db\" {\n  name = \"db\"\n  value_wo = \"hunter2 \
                      in escrow\"\n  value_wo_version = \"1\"\n}\n";

/// The variable that names the step before which a command is killed.
pub(crate) const KILL: &str = "PLANTON_TEST_KILL_BEFORE";
/// Steps of `platform init`. The one before its answer is killed in `keys/recovery.rs`.
const INITIALIZE: [&str; 2] = ["initialize", "organization commit"];
/// Runs the binary without a terminal.
pub(crate) fn run(scene: &Scene, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROVIDER);
    command.args(arguments);
    for name in AUTOMATION {
        command.env_remove(name);
    }
    command.env("PLANTON_ORG", "acme").envs(scene.environment());
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

/// Returns a command's output on one line, after it exited with `status`.
#[track_caller]
pub(crate) fn told(output: &Output, status: i32) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(status), "{text}");
    for secret in [VALUE, "SECRET-KEY-1"] {
        assert!(!text.contains(secret), "{text}");
    }
    flat(&text)
}

#[track_caller]
pub(crate) fn json(output: &Output) -> Value {
    told(output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Checks that a command was killed before `step`.
#[track_caller]
pub(crate) fn killed(output: &Output, step: &str) {
    assert_eq!(output.status.signal(), Some(9), "{step}: {output:?}");
}

/// What `platform status` prints to be pinned, with the escrow key beside it.
pub(crate) struct Pins {
    fingerprint: String,
    allowed: String,
}

impl Pins {
    pub(crate) fn of(scene: &Scene) -> Self {
        let status = json(&run(scene, &["platform", "status", "--json"], &[]));
        let ids = status["key_ids"].as_array().unwrap().iter();
        let ids: Vec<_> = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
        Self {
            fingerprint: status["fingerprint"].as_str().unwrap().to_owned(),
            allowed: ids.join(","),
        }
    }

    /// Creates the organization.
    #[track_caller]
    pub(crate) fn initialized(scene: &Scene, arguments: &[&str]) {
        told(
            &run(scene, &[&["platform", "init"], arguments].concat(), &[]),
            0,
        );
    }

    /// Returns the one key whose pin begins with `provider`.
    pub(crate) fn key(&self, provider: &str) -> String {
        let mut keys = self
            .allowed
            .split(',')
            .filter(|id| id.starts_with(provider));
        keys.next().unwrap().to_owned()
    }

    /// Runs a command that succeeds.
    #[track_caller]
    pub(crate) fn done(&self, scene: &Scene, arguments: &[&str]) {
        told(&self.run(scene, arguments), 0);
    }

    pub(crate) fn and(mut self, id: &str) -> Self {
        if !self.allowed.contains(id) {
            self.allowed = format!("{},{id}", self.allowed);
        }
        self
    }

    pub(crate) fn variables(&self) -> [(&str, &str); 2] {
        [
            ("PLANTON_ORGANIZATION_FINGERPRINT", &self.fingerprint),
            ("PLANTON_ALLOWED_KEY_IDS", &self.allowed),
        ]
    }

    pub(crate) fn run(&self, scene: &Scene, arguments: &[&str]) -> Output {
        run(scene, arguments, &self.variables())
    }

    /// Runs a command that is killed before `step`.
    #[track_caller]
    pub(crate) fn killed(&self, scene: &Scene, arguments: &[&str], step: &str) {
        let mut variables = self.variables().to_vec();
        variables.push((KILL, step));
        killed(&run(scene, arguments, &variables), step);
    }
}

/// Files for `open`: the stored envelope of the one secret, and identities.
struct Files(TempDir);

impl Files {
    fn of(scene: &Scene) -> Self {
        let files = Self(TempDir::new().unwrap());
        std::fs::write(files.path("envelope"), stored(scene, "db")).unwrap();
        std::fs::write(files.path("id"), format!("# escrow\n{IDENTITY}\n")).unwrap();
        std::fs::write(files.path("stranger"), STRANGER).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `open` without any variable of a platform.
    fn open(&self, identity: &str, more: &[&str]) -> Output {
        let mut command = Command::new(PROVIDER);
        command.arg("open").arg(self.path("envelope"));
        command.arg("--identity").arg(self.path(identity));
        command.args(more).stdin(Stdio::null()).output().unwrap()
    }

    /// Opens the envelope on stdin with the root key of an embedded platform's file.
    fn open_stdin(&self, key_file: &Path) -> Output {
        let mut command = Command::new(PROVIDER);
        command.args(["open", "--reveal", "--key-file"]);
        command
            .arg(key_file)
            .stdin(File::open(self.path("envelope")).unwrap());
        command.output().unwrap()
    }

    /// Opens the envelope with the second implementation, which has the identity alone.
    fn open_by_a_stranger(&self) -> String {
        let python = std::env::var_os("PLANTON_TEST_PYTHON").unwrap();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/vectors/open_envelope.py"
        );
        let mut command = Command::new(python);
        command.args(["-B", script, "--identity"]);
        command.arg(self.path("id")).arg(self.path("envelope"));
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Returns the stored envelope that the record of the secret `name` names. A killed rewrap may
/// have left another.
pub(crate) fn stored(scene: &Scene, name: &str) -> Vec<u8> {
    let record = record_of(&scene.records(), name);
    let versions = record["versions"].as_array().unwrap();
    let native_id = versions.last().unwrap()["native_id"].as_str().unwrap();
    if let Some(server) = scene.openbao() {
        let dump = server.api().dump_kv("planton", KvVersion::V2).unwrap();
        let (version, _) = native_id.split_once('@').unwrap();
        let mut objects = dump.as_object().unwrap().iter();
        let (_, content) = objects
            .find(|(path, _)| path.starts_with("planton/acme/") && path.ends_with(version))
            .unwrap();
        let newest = content["metadata"]["current_version"].to_string();
        let text = content["versions"][newest]["data"]["envelope"].as_str();
        return text.unwrap().as_bytes().to_vec();
    }
    if let Some(on) = scene.bucket() {
        let mut objects = on.objects();
        return objects.remove(&on.version_of(native_id)).unwrap();
    }
    let database = scene.embedded().unwrap().join("planton.db");
    let connection = rusqlite::Connection::open(database).unwrap();
    let query = "SELECT payload FROM versions WHERE native_id = ?1";
    let row = connection.query_row(query, [native_id], |row| row.get(0));
    row.unwrap()
}

#[test]
fn acc_platform_init_wraps_for_escrow_and_the_identity_alone_opens_on_embedded() {
    initialized(&Scene::new(&terraform_1_11(), On::Embedded));
}

#[test]
fn acc_platform_init_wraps_for_escrow_and_the_identity_alone_opens_on_openbao() {
    initialized(&Scene::new(&terraform_1_11(), On::OpenBao));
}

#[test]
fn acc_platform_init_wraps_for_escrow_and_the_identity_alone_opens_on_a_bucket() {
    on_buckets(initialized);
}

fn initialized(scene: &Scene) {
    let missing = match scene.embedded() {
        Some(_) => "Embedded Platform Not Found",
        None => "Organization Not Found",
    };
    has(
        &told(&run(scene, &["platform", "status"], &[]), 1),
        &[missing],
    );
    // A secret key that is given by mistake is refused, and printed nowhere.
    let mistaken = format!("age:{IDENTITY}");
    let refused = run(scene, &["platform", "init", "--escrow", &mistaken], &[]);
    has(
        &told(&refused, 1),
        &["Encryption Key Misconfigured", "is an identity"],
    );
    let refused = run(scene, &["platform", "init", "--escrow", IDENTITY], &[]);
    has(&told(&refused, 2), &["Invalid Key Argument"]);
    assert!(scene.records().is_empty());

    let init = ["platform", "init", "--escrow", ESCROW, "--json"];
    for step in INITIALIZE {
        killed(&run(scene, &init, &[(KILL, step)]), step);
    }
    let created = json(&run(scene, &init, &[]));
    assert_eq!(created["created"], true);
    let again = json(&run(scene, &init, &[]));
    assert_eq!(again["created"], false);
    assert_eq!(again["fingerprint"], created["fingerprint"]);
    let refused = run(scene, &["platform", "init", "--json"], &[]);
    has(
        &told(&refused, 1),
        &["Error: Organization Already Initialized"],
    );
    let failure: Value = serde_json::from_slice(&refused.stdout).unwrap();
    let error = &failure["error"];
    assert_eq!(error["summary"], "Organization Already Initialized");
    assert!(
        error["detail"].as_str().unwrap().contains("escrow"),
        "{failure}"
    );

    rotation::expect_rotation(scene, 90);

    // Terraform accepts what the commands print to be pinned.
    let pins = Pins::of(scene);
    let allowed: Vec<_> = pins.allowed.split(',').collect();
    let pinned = format!(
        "organization_fingerprint = {:?}\n  allowed_key_ids = {allowed:?}",
        pins.fingerprint
    );
    let workspace = scene.workspace(SECRET);
    workspace
        .write("provider.tf", &scene.provider(&pinned))
        .unwrap();
    workspace.settled(&[]);

    let files = Files::of(scene);
    let revealed = files.open("id", &["--reveal"]);
    assert_eq!(String::from_utf8(revealed.stdout.clone()).unwrap(), VALUE);
    assert!(revealed.status.success());
    let errors = flat(&String::from_utf8(revealed.stderr).unwrap());
    has(&errors, &["The envelope opens.", "does not prove"]);
    assert!(!errors.contains(VALUE));
    let report = json(&files.open("id", &["--json"]));
    assert_eq!(report["kind"], "text");
    assert_eq!(report["public_key"], true);
    has(&told(&files.open("id", &[]), 0), &["anybody may have"]);
    let refused = files.open("stranger", &[]);
    has(&told(&refused, 1), &["No Wrap For This Key", "age:"]);
    assert_eq!(files.open_by_a_stranger(), VALUE);
    fetched(scene, &files.path("id").display().to_string());
    if let Some(file) = scene.key_file() {
        let opened = files.open_stdin(&file);
        assert!(opened.status.success(), "{opened:?}");
        assert_eq!(String::from_utf8(opened.stdout).unwrap(), VALUE);
        has(
            &flat(&String::from_utf8(opened.stderr).unwrap()),
            &["opened with local:"],
        );
        let other = Scene::new(&terraform_1_11(), On::Embedded);
        Pins::initialized(&other, &[]);
        let refused = files.open_stdin(&other.key_file().unwrap());
        has(&told(&refused, 1), &["No Wrap For This Key", "local:"]);
    }
    std::fs::write(files.path("envelope"), "pse1.AAAA").unwrap();
    has(&told(&files.open("id", &[]), 1), &["Not An Envelope"]);
    workspace.destroyed(&[]);
}

/// Opens the envelope where it is stored, with the escrow identity and with the platform's key.
fn fetched(scene: &Scene, identity: &str) {
    let fetch = ["open", "--from-backend", "--secret", "db"];
    let with = |more: &[&'static str]| [&fetch[..], more].concat();
    // On OpenBAO, read access to the catalog and the store is enough for the identity.
    let policy = "path \"planton/data/*\" { capabilities = [\"read\"] }";
    let token = scene
        .openbao()
        .map(|server| token_of(server.api(), "catalog", policy));
    let variables: Vec<_> = token
        .iter()
        .map(|it| ("PLANTON_TOKEN", it.as_str()))
        .collect();
    let arguments = [&fetch[..], &["--identity", identity, "--json"]].concat();
    let report = json(&run(scene, &arguments, &variables));
    assert_eq!(
        (&report["version"], &report["record_verified"]),
        (&1.into(), &true.into())
    );
    let revealed = run(scene, &with(&["--platform-key", "--reveal"]), &[]);
    assert!(revealed.status.success(), "{revealed:?}");
    assert_eq!(String::from_utf8(revealed.stdout).unwrap(), VALUE);
    let errors = flat(&String::from_utf8(revealed.stderr).unwrap());
    has(&errors, &["its authentication code verifies"]);
    let missing = run(
        scene,
        &with(&["--secret-version", "7", "--platform-key"]),
        &[],
    );
    has(&told(&missing, 3), &["7"]);
}
