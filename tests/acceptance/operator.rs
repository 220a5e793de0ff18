//! Operator commands for keys: `platform`, `rewrap` and `open`, with the real binary.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use planton_vendors::openbao::client::{PolicyRole, policy_text};
use serde_json::Value;
use tempfile::TempDir;
use xtask::openbao::KvVersion;

use crate::crash::{OPEN, calls};
use crate::gc::COLLECT;
use crate::keys::{customers, recovery, reseal};
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

/// The variable that names the step before which a command is killed.
pub(crate) const KILL: &str = "PLANTON_TEST_KILL_BEFORE";
/// Steps of `platform init`. The last one is killed in `keys/recovery.rs`.
const INITIALIZE: [&str; 2] = ["initialize", "organization commit"];
const ADD: [&str; 4] = [
    "add escrow key",
    "commit escrow key",
    "forget history",
    "answer",
];
const REMOVE: [&str; 4] = [
    "remove escrow key",
    "commit escrow key",
    "forget history",
    "answer",
];
/// Steps of `rewrap` on the built-in backend.
const REWRAP: [&str; 4] = ["rewrap", "put rewrap", "commit rewrap", "delete superseded"];

#[test]
fn every_step_of_an_operator_command_has_a_crash_test() {
    let tested: BTreeSet<String> = [
        // `refresh.rs` kills the unwrap of a MAC key.
        &INITIALIZE[..1],
        &ADD,
        &REMOVE,
        &REWRAP,
        &recovery::STEPS,
        &[recovery::PROVISION],
        &reseal::STEPS,
        &customers::REMOVE_FORMER,
        &COLLECT,
        &OPEN,
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect();
    let operations = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src/operations");
    let files = ["keys", "rewrap", "gc"].map(|folder| operations.join(folder));
    let files = files.map(|folder| std::fs::read_dir(folder).unwrap());
    let mut steps = BTreeSet::new();
    for entry in files.into_iter().flatten() {
        let code = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        steps.extend(calls(&code, "before(\""));
        steps.extend(calls(&code, "crash_point(\""));
    }
    assert_eq!(steps, tested);
}

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

    expect_rotation(scene, 90);

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
    if let Some(folder) = scene.embedded() {
        let opened = files.open_stdin(&folder.join("planton.key"));
        assert!(opened.status.success(), "{opened:?}");
        assert_eq!(String::from_utf8(opened.stdout).unwrap(), VALUE);
        has(
            &flat(&String::from_utf8(opened.stderr).unwrap()),
            &["opened with local:"],
        );
        let other = Scene::new(&terraform_1_11(), On::Embedded);
        Pins::initialized(&other, &[]);
        let refused = files.open_stdin(&other.embedded().unwrap().join("planton.key"));
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
    let mut workspace = scene.workspace(SECRET);
    workspace.env("PLANTON_KEY_ROTATION_PERIOD", "720h");
    workspace.settled(&[]);
    expect_rotation(scene, 30);
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

    let [begin, commit, forget, _] = ADD;
    for step in [begin, commit] {
        pins.killed(scene, &add, step);
        assert_eq!(scene.records(), records, "{step}");
    }
    pins.killed(scene, &add, forget);
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
    for step in REWRAP {
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

    removed(scene, &pins, &id);
    let without = Pins::of(scene);
    let rewrapped = told(&without.run(scene, &["rewrap", "--backend", "platform"]), 0);
    has(
        &rewrapped,
        &["1 versions rewrapped", "platform: 1 of 1 secrets"],
    );
    expect_progress(scene, &without);
    has(
        &told(&Files::of(scene).open("id", &[]), 1),
        &["No Wrap For This Key"],
    );
    assert_eq!(scene.read(&["db"])["db"], VALUE);
    workspace.destroyed(&[]);
}

/// Removes the escrow key `id`, adds it again and removes it, each time with a killed command.
fn removed(scene: &Scene, pins: &Pins, id: &str) {
    let json_of = |arguments: &[&str]| json(&pins.run(scene, &[arguments, &["--json"]].concat()));
    let add = ["platform", "escrow", "add", ESCROW];
    let remove = ["platform", "escrow", "remove", id];
    let list = ["platform", "escrow", "list"];
    let [begin, commit, forget, answer] = REMOVE;
    for step in [begin, commit] {
        pins.killed(scene, &remove, step);
        let listed = json_of(&list);
        assert_eq!(listed["escrow"][0]["id"], id, "{step}: {listed}");
        assert_eq!(listed["escrow"][0]["settings"]["type"], "age", "{listed}");
    }
    has(
        &told(&pins.run(scene, &remove), 0),
        &["Removed the escrow key", "rewrap"],
    );
    let gone = pins.run(scene, &["platform", "escrow", "remove", ESCROW]);
    has(&told(&gone, 3), &["Escrow Key Not Found"]);
    for step in [forget, answer] {
        pins.killed(scene, &add, ADD[3]);
        let added = json_of(&add);
        assert_eq!(
            (&added["action"], &added["changed"]),
            (&"added".into(), &false.into())
        );
        assert_eq!(added["escrow"][0]["id"], id, "{added}");
        pins.killed(scene, &remove, step);
        let listed = json_of(&list);
        assert_eq!(
            listed["escrow"],
            Value::Array(Vec::new()),
            "{step}: {listed}"
        );
    }
    let added = json_of(&add);
    assert_eq!(added["changed"], true, "{added}");
    let removed = json_of(&remove);
    assert_eq!(
        (&removed["action"], &removed["changed"]),
        (&"removed".into(), &true.into())
    );
    assert_eq!(removed["key"]["id"], id, "{removed}");
    assert_eq!(removed["escrow"], Value::Array(Vec::new()), "{removed}");
}

/// Checks how often the server rotates the keys that the provider has created, and that
/// `platform status` says it.
fn expect_rotation(scene: &Scene, days: u64) {
    let status = told(&run(scene, &["platform", "status"], &[]), 0);
    let Some(server) = scene.openbao() else {
        has(&status, &["main key, rotates when somebody rotates it"]);
        return;
    };
    let line = format!("main key, version 1, rotates every {days} days");
    has(&status, &[&line, "key of the catalog's MAC key, version 1"]);
    for key in ["planton-acme", "planton-acme.mac"] {
        let key = server.api().ok("GET", &format!("transit/keys/{key}"), None);
        let period = &key.unwrap()["data"]["auto_rotate_period"];
        assert_eq!(*period, days * 24 * 60 * 60);
    }
}

/// Runs a command on a terminal, and returns what it writes there.
fn on_terminal(scene: &Scene, pins: &Pins, arguments: &[&str]) -> String {
    let python = std::env::var_os("PLANTON_TEST_PYTHON").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/acceptance/terminal.py");
    let mut command = Command::new(python);
    command.args(["-B", script, PROVIDER]).args(arguments);
    command.env("PLANTON_ORG", "acme").env("TERM", "xterm");
    command.envs(scene.environment()).envs(pins.variables());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A terminal gets a bar, which is gone at the end, and anything else gets lines.
fn expect_progress(scene: &Scene, pins: &Pins) {
    let verify = ["verify", "--backend", "platform"];
    let rewrap = ["rewrap", "--backend", "platform"];
    for (command, what) in [(&verify, "verify"), (&rewrap, "platform")] {
        let line = format!("{what}: 1 of 1 secrets");
        let printed = pins.run(scene, command);
        told(&printed, 0);
        let printed = [printed.stderr, printed.stdout].map(|it| String::from_utf8(it).unwrap());
        assert!(
            printed[0].lines().any(|printed| printed == line),
            "{printed:?}"
        );
        let shown = on_terminal(scene, pins, command);
        assert!(!shown.contains(&line), "{shown:?}");
        let (bar, after) = shown.rsplit_once("\u{1b}[2K").unwrap();
        has(bar, &[&format!("{what} [======"), "] 1/1"]);
        assert!(!after.contains('\u{1b}'), "{shown:?}");
        assert_eq!(flat(after), flat(&printed[1]));
        assert!(!printed.concat().contains('\u{1b}'), "{printed:?}");
    }
}

#[test]
fn acc_rewrap_with_the_apply_policy_moves_the_mac_key_and_everything_opens() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let workspace = scene.workspace(SECRET);
    let provider = scene.provider("");
    let of_block = provider.replace("token =", "key_rotation_period = \"1440h\", token =");
    assert_ne!(of_block, provider);
    workspace.write("provider.tf", &of_block).unwrap();
    workspace.settled(&[]);
    expect_rotation(&scene, 60);
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
    // While every version is retired, a refresh works, and an error names the remedy.
    let retire = |least: u64| {
        let config = serde_json::json!({"min_decryption_version": least});
        api.ok("POST", "transit/keys/planton-acme/config", Some(&config))
            .unwrap();
    };
    let rotate = "transit/keys/planton-acme/rotate";
    api.ok("POST", rotate, Some(&serde_json::json!({})))
        .unwrap();
    retire(3);
    workspace.unchanged(&[]);
    let reader = scene.workspace("ephemeral \"planton_secret\" \"db\" {\n  name = \"db\"\n}\n");
    let text = reader.fails(&[]);
    has(
        &text,
        &["Encryption Key Disabled", "min_decryption_version"],
    );
    retire(2);
    assert_eq!(scene.read(&["db"])["db"], VALUE);
    let moved = json(&run(&scene, &["rewrap", "--json"], &variables));
    assert_eq!(moved["backends"][0]["rewrapped"], 1, "{moved}");
    let again = json(&run(&scene, &["rewrap", "--json"], &variables));
    assert_eq!(again["records"]["mac_key_rewrapped"], false, "{again}");
    assert_eq!(again["backends"][0]["rewrapped"], 0, "{again}");
}
