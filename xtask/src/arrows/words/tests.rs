use super::*;

fn violations(rule: &Forbidden, path: &str, text: &str) -> usize {
    let file = File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    rule.violations_of(&file).len()
}

#[test]
fn only_the_protocol_spawns_tasks() {
    for text in [
        "tokio::spawn(async {});",
        "set.spawn(f());",
        "spawn (f());",
        "use tokio::spawn;\nfn f() { spawn(g()); }",
        "std::thread::spawn(f);",
    ] {
        for place in SPAWNING.places {
            assert_eq!(
                violations(&SPAWNING, &format!("{place}/a.rs"), text),
                1,
                "{text}"
            );
        }
        let protocol = "crates/plugin/src/protocol/a.rs";
        assert_eq!(violations(&SPAWNING, protocol, text), 0, "{text}");
    }
    let other = "task::spawn_blocking(f); respawn(1); let spawn = 1;";
    assert_eq!(violations(&SPAWNING, "crates/vendors/src/a.rs", other), 0);
}

#[test]
fn a_forbidden_word_is_found_in_code_and_not_in_tests_or_comments() {
    let spawned = "fn f() { tokio::spawn(g()); }";
    let found = |path, text| violations(&SPAWNING, path, text);
    assert_eq!(found("src/a/read.rs", spawned), 1);
    assert_eq!(found("src/a/read.rs", "    // Not tokio::spawn(g())."), 0);
    let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{ {spawned} }}");
    assert_eq!(found("src/a/read.rs", &tested), 0);
    assert_eq!(found("src/a/tests/races.rs", spawned), 0);
    assert_eq!(found("src/a/http/tests.rs", spawned), 0);
}

#[test]
fn only_the_protocol_knows_grpc_and_only_the_embedded_platform_a_database() {
    let api = "crates/plugin/src/resource/mod.rs";
    assert_eq!(violations(&WIRE, api, "use tonic::Status;"), 1);
    let derived = "#[derive(::prost::Message)] struct A;";
    assert_eq!(violations(&WIRE, api, derived), 1);
    let protocol = "crates/plugin/src/protocol/mod.rs";
    assert_eq!(violations(&WIRE, protocol, "use tonic::Status;"), 0);
    let other = "let tonics = 1; protonic::x();";
    assert_eq!(violations(&WIRE, api, other), 0);
    let http = "crates/vendors/src/http/mod.rs";
    assert_eq!(violations(&DATABASE, http, "use rusqlite::Row;"), 1);
}

#[test]
fn the_envelope_and_the_names_do_no_input_or_output() {
    for path in ["crates/envelope/src/open.rs", "crates/core/src/names.rs"] {
        assert_eq!(violations(&INPUT_AND_OUTPUT, path, "use std::fs;"), 1);
        assert_eq!(violations(&INPUT_AND_OUTPUT, path, "use std::fmt;"), 0);
    }
}

#[test]
fn resources_call_use_cases_and_vendors_do_not() {
    let stored = "use planton_core::catalog::CatalogStore;";
    let used = "use planton_core::operations::Organization;";
    let resource = "src/resources/secret/apply.rs";
    assert_eq!(violations(&BELOW_THE_USE_CASES, resource, stored), 1);
    assert_eq!(violations(&BELOW_THE_USE_CASES, resource, used), 0);
    let vendor = "crates/vendors/src/embedded/catalog.rs";
    assert_eq!(violations(&USE_CASES, vendor, used), 1);
    assert_eq!(violations(&USE_CASES, vendor, stored), 0);
}

#[test]
fn a_mention_of_terraform_is_found_in_code_and_in_comments() {
    assert!(mentions_terraform("// as Terraform does"));
    assert!(mentions_terraform("use terraform_provider_planton::x;"));
    assert!(!mentions_terraform("// as the caller does"));
}

#[test]
fn every_rule_names_places_that_exist_and_the_workspace_breaks_none() {
    for rule in FORBIDDEN {
        for place in rule.places.iter().chain(rule.except) {
            assert!(source::at(place).exists(), "{place}");
        }
    }
    for place in WITHOUT_TERRAFORM {
        assert!(!source::files(place).expect("reads").is_empty(), "{place}");
    }
    assert_eq!(super::violations().expect("reads"), [""; 0]);
}
