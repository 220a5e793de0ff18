//! A secret that is in no state can be found by its name or id. One that is permanently
//! lost can be dropped.

use xtask::openbao::{OpenBao, ServerOptions};
use xtask::tools::Tools;

use super::import_blocks;
use crate::scene::{On, Scene, record_of, terraform_1_11, with_every_terraform};
use crate::stages::on_buckets;
use crate::steps::{Steps, flat, has, text};

with_every_terraform!(
    acc_secret_forgotten_by_a_removed_block_is_imported_when_it_is_declared_again
);

fn declared(names: &[&str], more: &str) -> String {
    let secret = |name: &&str| {
        format!(
            "resource \"planton_secret\" \"{name}\" {{\n  name = \"{name}\"\n  generate = {{}}\n  \
             {more}\n}}\n"
        )
    };
    names.iter().map(secret).collect()
}

fn acc_secret_forgotten_by_a_removed_block_is_imported_when_it_is_declared_again(scene: &Scene) {
    let names = ["one", "two", "three"];
    let all = declared(&names, "deletion_protection = true");
    let workspace = scene.workspace(&all);
    workspace.settled(&[]);
    let ids = names.map(|name| text(&workspace.secret(name), "id"));
    let values = ids.each_ref().map(|id| scene.open(id));
    let removed = names.map(|name| {
        format!(
            "removed {{\n  from = planton_secret.{name}\n  lifecycle {{ destroy = false }}\n}}\n"
        )
    });
    workspace.write("main.tf", &removed.concat()).unwrap();
    workspace.settled(&[]);
    let records = scene.records();

    // Declared again, with the same arguments and with others.
    let other = all.replacen("generate = {}", "value_wo = \"another\"", 1);
    workspace.write("main.tf", &other).unwrap();
    let outcome = workspace.apply(&[]).unwrap();
    let refused = outcome.clone().error().unwrap();
    let told = refused.matches("Error: Secret Already Exists").count();
    assert_eq!(told, 3, "{refused}");
    assert_eq!(scene.records(), records);
    // Imports each one as the errors print it: a full block for one, `id = ` for the
    // others.
    let printed = import_blocks(&outcome, "one");
    assert_eq!(printed.matches("import {").count(), 1, "{printed}");
    for name in names {
        has(&flat(&refused), &[&format!("id = \"{name}\"")]);
    }

    // By id, by name, and one with the printed block. A bare uuid is a name.
    workspace.write("main.tf", &all).unwrap();
    let [one, two, three] = &ids;
    let bare = workspace.import("planton_secret.one", one, &[]).unwrap();
    has(&flat(&bare.error().unwrap()), &["Secret Not Found"]);
    let import = |name: &str, id: &str| {
        format!("import {{\n  to = planton_secret.{name}\n  id = \"{id}\"\n}}\n")
    };
    let blocks = [import("one", &format!("id:{one}")), import("two", "two")].concat();
    workspace.write("import.tf", &blocks).unwrap();
    let outcome = workspace.apply(&[]).unwrap();
    outcome.clone().error().unwrap();
    let printed = import_blocks(&outcome, "three");
    workspace
        .write("import.tf", &[blocks, printed].concat())
        .unwrap();
    workspace.settled(&[]);
    for (name, id) in names.iter().zip([one, two, three]) {
        assert_eq!(text(&workspace.secret(name), "id"), *id);
    }
    assert_eq!(ids.each_ref().map(|id| scene.open(id)), values);

    std::fs::remove_file(workspace.path().join("import.tf")).unwrap();
    workspace.write("main.tf", &declared(&names, "")).unwrap();
    workspace.applied(&[]);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

#[test]
fn acc_displaced_secret_forgotten_by_its_state_is_imported_by_its_uuid_on_embedded() {
    displaced_is_found(&Scene::new(&terraform_1_11(), On::Embedded));
}

#[test]
fn acc_displaced_secret_forgotten_by_its_state_is_imported_by_its_uuid_on_openbao() {
    displaced_is_found(&Scene::new(&terraform_1_11(), On::OpenBao));
}

#[test]
fn acc_displaced_secret_forgotten_by_its_state_is_imported_by_its_uuid_on_a_bucket() {
    on_buckets(displaced_is_found);
}

/// Two displaced secrets that are in no state. One is destroyed, the other gets its name
/// back.
fn displaced_is_found(scene: &Scene) {
    let names = ["db", "cache"];
    let owner = scene.workspace(&declared(&names, ""));
    owner.settled(&[]);
    let ids = names.map(|name| text(&owner.secret(name), "id"));
    let values = ids.each_ref().map(|id| scene.open(id));
    let takes_over = |name: &str, id: &str| {
        declared(&[name], &format!("takes_over = \"{id}\""))
            .replace("generate = {}", "value_wo = \"new\"")
    };
    let taking = [takes_over("db", &ids[0]), takes_over("cache", &ids[1])];
    let taker = scene.workspace(&taking.concat());
    taker.settled(&[]);
    let forget = ["state", "rm", "planton_secret.db", "planton_secret.cache"];
    owner.run(&forget).unwrap().ok().unwrap();

    for (name, id) in names.iter().zip(&ids) {
        let address = format!("planton_secret.{name}");
        let imported = owner.import(&address, &format!("id:{id}"), &[]).unwrap();
        imported.ok().unwrap();
        assert_eq!(text(&owner.secret(name), "id"), *id);
    }
    assert_eq!(ids.each_ref().map(|id| scene.open(id)), values);
    // While another secret has the name, the displaced secret does not get it back.
    has(&owner.fails(&[]), &["Secret Displaced"]);
    owner.write("main.tf", &declared(&["cache"], "")).unwrap();
    taker.unchanged(&[]);
    taker.destroyed(&[]);
    // One is destroyed by its id, the other gets its name back.
    let applied = owner.settled(&[]);
    has(applied.stdout(), &["0 added, 1 changed, 1 destroyed"]);
    assert!(scene.try_open(&ids[0], None).is_err());
    assert_eq!(scene.open(&ids[1]), values[1]);
    let records = scene.records();
    assert_eq!(record_of(&records, "cache")["uuid"], *ids[1]);
    assert!(record_of(&records, "db").is_null());
    owner.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

/// Runs wait briefly for a server that is gone.
const QUICK: &str = "timeouts = { read = \"2s\" }";

/// A server that will be gone, with a backend and a secret on it.
#[test]
fn acc_backend_gone_for_good_is_forgotten_with_its_secrets() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let server = OpenBao::start(&Tools::locate().unwrap(), &ServerOptions::default()).unwrap();
    server.api().enable_kv2("secret").unwrap();
    let here = declared(&["here"], "");
    let on_server = |more: &str| {
        let there = declared(
            &["there"],
            &format!("backend = planton_secret_backend.corp.name\n  {QUICK}\n  {more}"),
        );
        let backend = format!(
            r#"
resource "planton_secret_backend" "corp" {{
  name = "corp"
  openbao = {{
    address       = {:?}
    kv_mount_path = "secret"
    token_wo      = {:?}
  }}
  credentials_wo_version = "1"
  {QUICK}
  {more}
}}
"#,
            server.address(),
            server.root_token()
        );
        [&here, &there, &backend].map(String::as_str).concat()
    };
    let (plain, forgetting) = (on_server(""), on_server("on_destroy = \"forget\""));
    let workspace = scene.workspace(&plain);
    workspace.settled(&[]);
    let id = text(&workspace.secret("here"), "id");
    let value = scene.open(&id);
    drop(server);

    // It comes from the state, without a request to the server.
    workspace.write("main.tf", &forgetting).unwrap();
    let blind = workspace.apply_with(&[], &["-refresh=false"]).unwrap();
    blind.ok().unwrap();
    // A plan of the whole workspace works again, and reports what it could not check.
    let planned = workspace.unchanged(&[]);
    has(&flat(planned.stdout()), &["Secret Backend Unreachable"]);
    workspace.write("main.tf", &here).unwrap();
    let applied = flat(workspace.settled(&[]).stdout());
    has(
        &applied,
        &[
            "2 destroyed",
            "Warning: Secret Forgotten",
            "Warning: Backend Forgotten",
        ],
    );
    // Both names are free again.
    let again = declared(&["there"], "");
    let corp = super::second_state::BACKEND.replace("\"this\"", "\"corp\"");
    workspace
        .write(
            "main.tf",
            &[&here, &again, &corp].map(String::as_str).concat(),
        )
        .unwrap();
    workspace.settled(&[]);
    assert_eq!(scene.open(&id), value);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}
