//! Operator commands for keys: `platform`, `rewrap` and `open`, with the real binary.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use planton_vendors::openbao::client::{PolicyRole, policy_text};
use serde_json::Value;
use tempfile::TempDir;
use xtask::openbao::KvVersion;

use crate::policies::{scope, token_of};
use crate::scene::{On, PROVIDER, Scene, record_of, terraform_1_11};
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

/// Runs the binary without a terminal.
pub(crate) fn run(scene: &Scene, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROVIDER);
    command.args(arguments);
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
        variables.push(("PLANTON_TEST_KILL_BEFORE", step));
        let output = run(scene, arguments, &variables);
        assert_eq!(output.status.signal(), Some(9), "{step}: {output:?}");
    }
}

/// Files for `open`: the stored envelope of the one secret, and identities.
struct Files(TempDir);

impl Files {
    fn of(scene: &Scene) -> Self {
        let files = Self(TempDir::new().unwrap());
        std::fs::write(files.path("envelope"), stored(scene)).unwrap();
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

/// Returns the stored envelope that the record of the secret `db` names. A killed rewrap may
/// have left another.
fn stored(scene: &Scene) -> Vec<u8> {
    let record = record_of(&scene.records(), "db");
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

fn initialized(scene: &Scene) {
    has(
        &told(&run(scene, &["platform", "status"], &[]), 1),
        &["Organization Not Found"],
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
    let killed = run(
        scene,
        &init,
        &[("PLANTON_TEST_KILL_BEFORE", "organization commit")],
    );
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    let created = json(&run(scene, &init, &[]));
    assert_eq!(created["created"], true);
    let again = json(&run(scene, &init, &[]));
    assert_eq!(again["created"], false);
    assert_eq!(again["fingerprint"], created["fingerprint"]);
    let refused = run(scene, &["platform", "init"], &[]);
    has(&told(&refused, 1), &["Organization Already Initialized"]);

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
    has(&told(&missing, 1), &["7"]);
}

#[test]
fn acc_escrow_key_is_added_and_removed_by_killed_commands_on_embedded() {
    changed(&Scene::new(&terraform_1_11(), On::Embedded));
}

#[test]
fn acc_escrow_key_is_added_and_removed_by_killed_commands_on_openbao() {
    changed(&Scene::new(&terraform_1_11(), On::OpenBao));
}

fn changed(scene: &Scene) {
    let workspace = scene.workspace(SECRET);
    workspace.settled(&[]);
    let records = scene.records();
    let add = ["platform", "escrow", "add", ESCROW];
    let refused = told(&run(scene, &add, &[]), 1);
    has(
        &refused,
        &["Pins Required", "PLANTON_ALLOWED_KEY_IDS are not set"],
    );
    has(&told(&run(scene, &["rewrap"], &[]), 1), &["Pins Required"]);
    let pins = Pins::of(scene);
    let refused = told(&pins.run(scene, &add), 1);
    has(&refused, &["Encryption Key Not Allowed", "\"age:"]);
    assert_eq!(scene.records(), records, "nothing was changed");
    let id = refused.split("The key \"").nth(1).unwrap();
    let id = id.split('"').next().unwrap().to_owned();
    let pins = pins.and(&id);

    pins.killed(scene, &add, "commit escrow key");
    assert_eq!(scene.records(), records);
    pins.killed(scene, &add, "answer");
    has(
        &told(&pins.run(scene, &add), 0),
        &["has this escrow key already", &id],
    );
    let list = ["platform", "escrow", "list"];
    has(
        &told(&run(scene, &list, &[]), 0),
        &[&id, "recipient: age1t7"],
    );

    // The version that existed before follows with a rewrap, whatever kills it.
    has(
        &told(&Files::of(scene).open("id", &[]), 1),
        &["No Wrap For This Key"],
    );
    for step in ["put rewrap", "commit rewrap", "delete superseded"] {
        pins.killed(scene, &["rewrap"], step);
        workspace.unchanged(&[]);
    }
    let done = json(&pins.run(scene, &["rewrap", "--json"]));
    let platform = &done["backends"][0];
    assert_eq!(platform["backend"], "platform");
    assert_eq!(
        (&platform["rewrapped"], &platform["current"]),
        (&0.into(), &1.into())
    );
    assert_eq!(platform["failed"], Value::Array(Vec::new()));
    workspace.unchanged(&[]);
    let files = Files::of(scene);
    let revealed = files.open("id", &["--reveal"]);
    assert_eq!(String::from_utf8(revealed.stdout).unwrap(), VALUE);
    assert_eq!(files.open_by_a_stranger(), VALUE);

    let identity = files.path("id").display().to_string();
    let drill = ["verify", "--drill", &identity, "--json"];
    let verified = json(&pins.run(scene, &drill));
    assert_eq!(verified["drill"]["opened"], 1, "{verified}");
    assert_eq!(verified["findings"], Value::Array(Vec::new()));
    // Another identity opens nothing, which the drill finds.
    let stranger = files.path("stranger").display().to_string();
    let missed = pins.run(scene, &["verify", "--drill", &stranger]);
    has(
        &told(&missed, 1),
        &["drill: it is not wrapped for the key of the drill"],
    );

    let remove = ["platform", "escrow", "remove", &id];
    pins.killed(scene, &remove, "commit escrow key");
    has(&told(&run(scene, &list, &[]), 0), &[&id]);
    has(
        &told(&pins.run(scene, &remove), 0),
        &["Removed the escrow key", "rewrap"],
    );
    let gone = pins.run(scene, &["platform", "escrow", "remove", ESCROW]);
    has(&told(&gone, 3), &["Escrow Key Not Found"]);
    let without = Pins::of(scene);
    let rewrapped = told(&without.run(scene, &["rewrap", "--backend", "platform"]), 0);
    has(
        &rewrapped,
        &["1 versions rewrapped", "platform: 1 of 1 secrets"],
    );
    has(
        &told(&Files::of(scene).open("id", &[]), 1),
        &["No Wrap For This Key"],
    );
    assert_eq!(scene.read(&["db"])["db"], VALUE);
    workspace.destroyed(&[]);
}

#[test]
fn acc_rewrap_with_the_apply_policy_moves_the_mac_key_and_everything_opens() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let workspace = scene.workspace(SECRET);
    workspace.settled(&[]);
    let server = scene.openbao().unwrap();
    let api = server.api();
    let policy = policy_text(&scope("acme"), PolicyRole::Apply);
    let token = token_of(api, "apply", &policy);
    for key in ["planton-acme", "planton-acme.mac"] {
        api.ok(
            "POST",
            &format!("transit/keys/{key}/rotate"),
            Some(&serde_json::json!({})),
        )
        .unwrap();
    }
    let pins = Pins::of(&scene);
    let mut variables = pins.variables().to_vec();
    variables.push(("PLANTON_TOKEN", &token));
    let done = json(&run(&scene, &["rewrap", "--json"], &variables));
    assert_eq!(done["records"]["mac_key_rewrapped"], true, "{done}");
    assert_eq!(done["backends"][0]["rewrapped"], 1, "{done}");

    // Nothing is under the former versions, which may now be retired for good.
    for key in ["planton-acme", "planton-acme.mac"] {
        let config = serde_json::json!({"min_decryption_version": 2});
        api.ok("POST", &format!("transit/keys/{key}/config"), Some(&config))
            .unwrap();
    }
    assert_eq!(scene.read(&["db"])["db"], VALUE);
    workspace.unchanged(&[]);
    let again = json(&run(&scene, &["rewrap", "--json"], &variables));
    assert_eq!(again["records"]["mac_key_rewrapped"], false, "{again}");
    assert_eq!(again["backends"][0]["rewrapped"], 0, "{again}");
}
