//! Tests two states with one secret. After an adoption, the second state is its only
//! owner. After an import by the user, both states share it.

use super::second_state::{AFTER, BACKEND, default};
use crate::crash::resumed;
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::steps::{Steps, flat, has, text};

fn secret(lines: &str) -> String {
    format!(
        "resource \"planton_secret\" \"db\" {{\n  name = \"db\"\n  backend = \"platform\"\n  \
         value_wo = \"the value\"\n  value_wo_version = \"1\"\n  {lines}\n}}\n"
    )
}

/// The resumed run was not interrupted, so its state has all its resources too.
#[test]
fn acc_secret_and_default_that_another_state_adopted_are_left_alone_by_their_first_state() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    // Protection does not apply to a secret that the state does not own any more.
    let protected = secret("deletion_protection = true");
    let first = scene.workspace(&[&protected, BACKEND, &default(AFTER)].concat());
    first.settled(&[]);
    let id = text(&first.secret("db"), "id");
    let platform = default("").replace("\"corp\"", "\"platform\"");
    let mut second = scene.workspace(&[&*secret(""), &platform].concat());
    second.env("PLANTON_RESUME", resumed(&second.fails(&[])));
    let applied = second.settled(&[]);
    has(applied.stdout(), &["Interrupted Creation Completed"]);
    second.env_remove("PLANTON_RESUME");
    let kept = || {
        let records = scene.records();
        (record_of(&records, "db"), records["default"].clone())
    };
    let adopted = kept();
    assert_eq!(adopted.0["uuid"], *id);
    assert_eq!(adopted.1["backend"], "platform");

    // Other arguments, another value and another backend: rejected, and announced by the
    // plan.
    for mine in [
        secret("description = \"mine\""),
        secret("").replace("\"1\"", "\"2\""),
    ] {
        first
            .write("main.tf", &[&mine, BACKEND, &platform].concat())
            .unwrap();
        let planned = first.changes(&[]);
        let told = first.fails(&[]);
        for what in ["Secret", "Default Backend"] {
            let summary = format!("{what} Owned By Another State");
            has(&planned, &[&format!("Warning: {summary}")]);
            has(&told, &[&format!("Error: {summary}")]);
        }
        assert_eq!(kept(), adopted);
    }
    // Dropping them, as the messages say, destroys nothing.
    first.write("main.tf", BACKEND).unwrap();
    let dropped = flat(first.settled(&[]).stdout());
    for what in ["Secret", "Default Backend"] {
        has(&dropped, &[&format!("Warning: {what} Left To Its Owner")]);
    }
    assert_eq!(kept(), adopted);
    second.unchanged(&[]);
    assert_eq!(scene.open(&id).text.unwrap(), "the value");

    // To take the secret back, import it. Then both states have it.
    first
        .write("main.tf", &[&secret(""), BACKEND].concat())
        .unwrap();
    let imported = first.import("planton_secret.db", "db", &[]).unwrap();
    imported.ok().unwrap();
    first.settled(&[]);
    assert_eq!(text(&first.secret("db"), "id"), id);
    second.unchanged(&[]);
    second.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
    // The tombstone removes it from the other state too, which continues without it.
    has(
        &first.changes(&[]),
        &["1 to add, 0 to change, 0 to destroy"],
    );
    first.destroyed(&[]);
}

/// An import writes nothing, so both states may change the secret. Each sees the other's
/// changes in its plan. An earlier plan changes and destroys nothing.
#[test]
fn acc_what_two_states_share_by_import_is_changed_by_neither_unseen() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let describe = |text: &str| {
        let line = format!("description = {text:?}");
        let last = "  credentials_wo_version";
        let backend = BACKEND.replace(last, &format!("  {line}\n{last}"));
        [secret(&line), backend].concat()
    };
    let first = scene.workspace(&describe("both"));
    first.settled(&[]);
    let kept = || {
        let records = scene.records();
        (
            record_of(&records, "db"),
            records["backends/corp"]["backend"].clone(),
        )
    };
    let before = kept();
    let second = scene.workspace(&describe("theirs"));
    for (address, id) in [
        ("planton_secret.db", "db"),
        ("planton_secret_backend.this", "corp"),
    ] {
        second.import(address, id, &[]).unwrap().ok().unwrap();
    }
    assert_eq!(kept(), before);
    // With a plan from before the change, and with a destroy without a refresh.
    first.write("main.tf", &describe("mine")).unwrap();
    let planned = first.plan_with(&[], &["-out=change"]).unwrap();
    planned.changes().unwrap();
    second.settled(&[]);
    let changed = kept();
    assert_eq!(changed.0["owner"], before.0["owner"]);
    assert_eq!(changed.1["owner"], before.1["owner"]);
    let told = first.apply_with(&[], &["change"]).unwrap().error().unwrap();
    let summary = "Changed Concurrently";
    has(&told, &[&format!("Error: Secret {summary}")]);
    has(&told, &[&format!("Error: Secret Backend {summary}")]);
    assert_eq!(kept(), changed);
    let blind = ["-destroy", "-refresh=false", "-target=planton_secret.db"];
    let told = first.apply_with(&[], &blind).unwrap().error().unwrap();
    has(&told, &[&format!("Error: Secret {summary}")]);
    assert_eq!(kept(), changed);
    // After a refresh it is drift, and the last apply wins.
    has(&first.changes(&[]), &["\"theirs\" -> \"mine\""]);
    first.settled(&[]);
    has(&second.changes(&[]), &["\"mine\" -> \"theirs\""]);
    // A secret that one state destroyed leaves the other state.
    first.destroyed(&[]);
    has(&second.changes(&[]), &["2 to add, 0 to change"]);
}
