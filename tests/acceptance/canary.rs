//! Searches for planted values in everything that a run leaves behind.
//!
//! The search must find a name, which is not secret, in each place. This shows that the
//! place was searched.

mod searched;

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use xtask::canary::{Canary, Encoding};
use xtask::openbao::{KvVersion, ServerOptions};
use xtask::terraform::{Terraform, Workspace};

use crate::audit::{data_keys, without_exempt};
use crate::races::Held;
use crate::scene::{On, Scene, provider_block, terraform_1_11, terraform_1_15};

pub(crate) use searched::{Searched, expect_no_part_of, read, search};

/// A text, a key-value and a generated secret, and a consumer of the generated one.
const SECRETS: &str = r#"
variable "text" {
  type      = string
  ephemeral = true
}
variable "entry" {
  type      = string
  ephemeral = true
}
variable "trigger" { default = "1" }

resource "planton_secret" "MARK-text" {
  name             = "MARK-text"
  value_wo         = var.text
  value_wo_version = var.trigger
}
# Compared by its fingerprint in every plan: no trigger.
resource "planton_secret" "MARK-data" {
  name    = "MARK-data"
  data_wo = { user = "root", password = var.entry }
}
resource "planton_secret" "MARK-generated" {
  name             = "MARK-generated"
  generate         = { length = 40 }
  value_wo_version = var.trigger
}
ephemeral "planton_secret" "MARK-generated" {
  id = planton_secret.MARK-generated.id
}
resource "planton_secret" "MARK-consumer" {
  name             = "MARK-consumer"
  value_wo         = ephemeral.planton_secret.MARK-generated.value
  value_wo_version = planton_secret.MARK-generated.version
}
"#;

#[test]
fn no_value_is_anywhere_on_terraform_1_11_embedded() {
    on_the_embedded_platform(&terraform_1_11());
}

#[test]
fn no_value_is_anywhere_on_terraform_1_15_embedded() {
    on_the_embedded_platform(&terraform_1_15());
}

#[test]
fn no_value_and_no_credential_is_anywhere_on_terraform_1_11_openbao() {
    on_openbao(&terraform_1_11());
}

#[test]
fn no_value_and_no_credential_is_anywhere_on_terraform_1_15_openbao() {
    on_openbao(&terraform_1_15());
}

fn on_the_embedded_platform(terraform: &Terraform) {
    let scene = Scene::new(terraform, On::Embedded);
    let mut searched = planted();
    let folder = scene.embedded().unwrap();
    let mut workspace = live(
        &scene,
        &scene.provider(""),
        &[],
        &mut searched,
        |searched| {
            let files = ["planton.db", "planton.db-wal", "planton.db-shm"];
            // The log and its index may not exist while no process has the database open.
            let bytes = files.map(|file| fs::read(folder.join(file)).unwrap_or_default());
            searched.add("the database", bytes.concat());
        },
    );
    // The commit is in the log, but not in the database file yet.
    let values = values(&searched);
    let rotation = [&pairs(&values)[..], &[("trigger", "7")]].concat();
    let held = Held::before("answer", &mut workspace, &rotation);
    let log = fs::read(folder.join("planton.db-wal")).unwrap();
    searched.add("the database's log", log);
    held.release().ok().unwrap();
    search(&searched, &[workspace.root(), &folder]);
}

fn on_openbao(terraform: &Terraform) {
    let options = ServerOptions {
        raw_audit: true,
        ..ServerOptions::default()
    };
    let scene = Scene::with_server(terraform, &options);
    let server = scene.openbao().unwrap();
    let policy =
        r#"path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }"#;
    server.api().write_policy("all", policy).unwrap();
    let role = server
        .api()
        .approle("approle", "ci", &["all"], json!({}))
        .unwrap();
    let token = server.api().create_token(&["all"], "1h").unwrap();

    let mut searched = planted();
    searched
        .planted
        .push(Canary::of("the secret_id", &role.secret_id));
    searched.planted.push(Canary::of("the token", &token));
    let address = server.address();
    let login = format!(
        "openbao = {{ address = {address:?}, approle = {{ role_id = {:?}, secret_id = var.credential }} }}",
        role.role_id
    );
    let by_login = provider_block(&login, "") + CREDENTIAL;
    let credentials = [("credential", role.secret_id.as_str())];
    let api = server.api().clone();
    let workspace = live(&scene, &by_login, &credentials, &mut searched, |searched| {
        let dump = api.dump_kv("planton", KvVersion::V2).unwrap();
        searched.add("KV", dump.to_string());
    });

    // A valid token, and a rejected one. No error contains it.
    let by_token = format!("openbao = {{ address = {address:?}, token = var.credential }}");
    workspace
        .write("provider.tf", &(provider_block(&by_token, "") + CREDENTIAL))
        .unwrap();
    let values = values(&searched);
    let with = |credential| [&pairs(&values)[..], &[("credential", credential)]].concat();
    let outcome = workspace.apply(&with(&token)).unwrap().ok().unwrap();
    searched.add_run("an apply with a token", &outcome);
    let wrong = Canary::alphanumeric("a token that is refused");
    let outcome = workspace.plan(&with(wrong.value())).unwrap();
    assert!(outcome.clone().error().unwrap().contains("Login Failed"));
    searched.add_run("a refused token", outcome.outcome());
    workspace.write("provider.tf", &by_login).unwrap();
    let outcome = workspace.plan(&with(wrong.value())).unwrap();
    assert!(outcome.clone().error().unwrap().contains("Login Failed"));
    searched.add_run("a refused secret_id", outcome.outcome());
    searched.planted.push(wrong);

    // The data keys, which only the server's Transit and the provider process.
    let audit: Vec<Value> = server
        .audit_log()
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let keys = data_keys(&audit);
    assert!(keys.len() > 4, "a key for each version, and the MAC key");
    searched.planted.extend(keys);
    searched.add("the audit log", without_exempt(audit).to_string());
    searched.add_quiet("the server's log", server.server_log());
    search(&searched, &[workspace.root()]);
}

pub(crate) const CREDENTIAL: &str = r#"
variable "credential" {
  type      = string
  ephemeral = true
}
"#;

/// Runs the lifecycle of the secrets in a workspace with full logs. `look` adds the
/// platform's contents.
pub(crate) fn live(
    scene: &Scene,
    provider: &str,
    credentials: &[(&str, &str)],
    searched: &mut Searched,
    look: impl Fn(&mut Searched),
) -> Workspace {
    let mut workspace = scene.workspace(&SECRETS.replace("MARK", searched.mark.value()));
    workspace.write("provider.tf", provider).unwrap();
    workspace.trace();
    let planted = values(searched);
    let variables = [&pairs(&planted)[..], credentials].concat();
    let rotated = [&variables[..], &[("trigger", "2")]].concat();

    let plan = workspace.plan_with(&variables, &["-out=tfplan"]).unwrap();
    searched.add_run("a plan", &plan.changes().unwrap());
    searched.add("the plan file", read(&workspace, "tfplan"));
    searched.add(
        "the plan as JSON",
        workspace.show_plan("tfplan").unwrap().to_string(),
    );
    let outcome = workspace.apply_with(&variables, &["tfplan"]).unwrap();
    searched.add_run("an apply of the plan file", &outcome.ok().unwrap());
    searched.add("the state", read(&workspace, "terraform.tfstate"));
    look(searched);
    searched
        .planted
        .push(generated(scene, searched, "the first generated value"));

    let outcome = workspace.plan(&variables).unwrap().no_changes().unwrap();
    searched.add_run("an empty plan", &outcome);
    let refresh = [
        "apply",
        "-refresh-only",
        "-auto-approve",
        "-no-color",
        "-input=false",
    ];
    let outcome = workspace.run_with(&refresh, &variables).unwrap();
    searched.add_run("a refresh", &outcome.ok().unwrap());
    let outcome = workspace.apply(&rotated).unwrap().ok().unwrap();
    searched.add_run("a rotation", &outcome);
    searched.add("the state after it", read(&workspace, "terraform.tfstate"));
    searched.add("its backup", read(&workspace, "terraform.tfstate.backup"));
    look(searched);
    searched
        .planted
        .push(generated(scene, searched, "the second generated value"));

    failures(&mut workspace, &variables, searched);
    core_dumps_are_off(&mut workspace, &variables);
    look(searched);
    let outcome = workspace.destroy(&variables).unwrap().ok().unwrap();
    searched.add_run("a destroy", &outcome);
    let outcome = workspace.apply(&variables).unwrap().ok().unwrap();
    searched.add_run("a new beginning", &outcome);
    look(searched);
    workspace
}

/// A value beyond the limit, a name that exists, a provider that is killed while it has
/// the value, and one that panics with it.
fn failures(workspace: &mut Workspace, variables: &[(&str, &str)], searched: &mut Searched) {
    let text = searched.planted[0].value().to_owned();
    let later = |trigger| [variables, &[("trigger", trigger)]].concat();
    let large = text.repeat(70_000 / text.len() + 1);
    let too_large = [&later("3")[..], &[("text", &large)]].concat();
    let plan = workspace.plan(&too_large).unwrap();
    assert!(
        plan.clone()
            .error()
            .unwrap()
            .contains("Secret Value Too Large")
    );
    searched.add_run("a plan with too large a value", plan.outcome());

    let taken = SECRETS.split("# Compared").next().unwrap();
    let taken = taken
        .replace("MARK", searched.mark.value())
        .replace("text\" {\n  name", "twin\" {\n  name");
    workspace
        .write("twin.tf", &taken[taken.find("resource").unwrap()..])
        .unwrap();
    let other = format!("{text}'");
    let twin = [variables, &[("text", &*other)]].concat();
    let outcome = workspace.apply(&twin).unwrap();
    assert!(
        outcome
            .clone()
            .error()
            .unwrap()
            .contains("Secret Already Exists")
    );
    searched.add_run("a creation of a name that is taken", &outcome);
    fs::remove_file(workspace.path().join("twin.tf")).unwrap();

    workspace.env("PLANTON_TEST_KILL_BEFORE", "put");
    let outcome = workspace.apply(&later("4")).unwrap();
    workspace.env_remove("PLANTON_TEST_KILL_BEFORE");
    assert!(!outcome.success());
    searched.add_run("an apply that was killed", &outcome);

    // The worst panic has the value as its message.
    workspace.env("PLANTON_TEST_PANIC_BEFORE", format!("put:{text}"));
    let outcome = workspace.apply(&later("5")).unwrap();
    workspace.env_remove("PLANTON_TEST_PANIC_BEFORE");
    let told = outcome.clone().error().unwrap();
    assert!(
        told.contains("panicked at crates/core/src/operations/crash_hooks.rs"),
        "{told}"
    );
    searched.add_run("an apply that panicked", &outcome);
}

/// Inspects the provider while it has a value: its kernel limits, and whether a core dump
/// is possible.
fn core_dumps_are_off(workspace: &mut Workspace, variables: &[(&str, &str)]) {
    let rotation = [variables, &[("trigger", "6")]].concat();
    let held = Held::before("put", workspace, &rotation);
    if cfg!(target_os = "linux") {
        let limits = fs::read_to_string(format!("/proc/{}/limits", provider_of(held.group())));
        let limits = limits.unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let words: Vec<&str> = core.unwrap().split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{words:?}");
    }
    held.release().ok().unwrap();
}

/// Returns the process id of the provider in a process group.
pub(crate) fn provider_of(group: u32) -> u32 {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.unwrap().file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = status.rsplit_once(") ")?;
        // The fields are state, parent, process group.
        let is_of_group = rest.split(' ').nth(2)? == group.to_string();
        (is_of_group && name.contains("(terraform-provi")).then_some(pid)
    });
    let found: Vec<u32> = processes.collect();
    assert_eq!(found.len(), 1, "providers of this run: {found:?}");
    found[0]
}

pub(crate) fn planted() -> Searched {
    Searched::new(vec![Canary::new("the text"), Canary::new("the entry")])
}

fn values(searched: &Searched) -> Vec<(&'static str, String)> {
    let value = |index: usize| searched.planted[index].value().to_owned();
    vec![("text", value(0)), ("entry", value(1))]
}

fn pairs<'a>(values: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

fn generated(scene: &Scene, searched: &Searched, label: &str) -> Canary {
    let name = format!("{}-generated", searched.mark.value());
    let value = scene.read(&[&name]).remove(&name).unwrap();
    let consumer = format!("{}-consumer", searched.mark.value());
    assert_eq!(scene.read(&[&consumer])[&consumer], value);
    Canary::of(label, &value)
}

/// Shows that the search can fail: it finds a value that Terraform stores, and one in the
/// place of a ciphertext.
#[test]
fn a_value_given_otherwise_than_ephemerally_is_found() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let secrets = SECRETS
        .replace("MARK", "plain")
        .replace("  ephemeral = true\n", "");
    let mut workspace = scene.workspace(&secrets);
    workspace.trace();
    let (text, entry) = (Canary::new("the text"), Canary::new("the entry"));
    let variables = [("text", text.value()), ("entry", entry.value())];
    let outcome = workspace.plan_with(&variables, &["-out=tfplan"]).unwrap();
    outcome.changes().unwrap();
    let plan = read(&workspace, "tfplan");
    assert_ne!(text.find_in(&plan), []);
    assert_ne!(entry.find_in(&plan), []);
    let found = text.find_below(workspace.root()).unwrap();
    assert!(
        found.iter().any(|(path, _)| path.ends_with("w/tfplan")),
        "{found:?}"
    );

    workspace.apply(&variables).unwrap().ok().unwrap();
    let folder = scene.embedded().unwrap();
    text.absent_below(&folder).unwrap();
    let database = rusqlite::Connection::open(folder.join("planton.db")).unwrap();
    let hidden = STANDARD.encode(format!("..{}", text.value()));
    database
        .execute("INSERT INTO objects (name) VALUES (?1)", [hidden])
        .unwrap();
    drop(database);
    let found = text.find_in(&fs::read(folder.join("planton.db")).unwrap());
    assert_eq!(found, [Encoding::Base64]);
}
