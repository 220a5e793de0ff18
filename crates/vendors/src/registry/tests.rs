#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::*;
use crate::registration::{Change, Field, Holds};
use planton_core::store::conformance::names::{SEPARATORS, SHORTEST_LIMIT};

/// A change of these would look for stored objects under other names.
#[test]
fn the_names_of_each_type_follow_its_own_rules() {
    for (name, separator, max_bytes) in [
        ("aws_secrets_manager", "/", 512),
        ("hashicorp_vault", "/", 512),
        ("openbao", "/", 512),
        ("gcp_secret_manager", "_", 255),
        ("azure_key_vault", "--", 127),
    ] {
        let rules = BackendType::of(name).expect(name).capability.name;
        assert_eq!((rules.separator, rules.max_bytes), (separator, max_bytes));
    }
}

#[test]
fn names_follow_rules_under_which_no_two_objects_share_one() {
    for known in BACKEND_TYPES {
        let rules = known.capability.name;
        assert!(SEPARATORS.contains(&rules.separator), "{rules:?}");
        assert!(rules.max_bytes >= SHORTEST_LIMIT, "{rules:?}");
    }
    assert_eq!(Connector::default().capability("platform"), None);
}

#[test]
fn each_type_is_registered_once_and_opens_stores_of_itself() {
    let names: BTreeSet<_> = BACKEND_TYPES.iter().map(|known| known.name()).collect();
    assert_eq!(names.len(), BACKEND_TYPES.len());
    for known in BACKEND_TYPES {
        let connector = Connector::default();
        let opened = connector.open(&example(known), &StoreCredential::new());
        let opened = opened.unwrap_or_else(|error| panic!("{}: {error}", known.name()));
        assert_eq!(*opened.capability(), known.capability);
        assert_eq!(
            connector.capability(known.name()).unwrap(),
            known.capability
        );
    }
}

#[test]
fn the_address_of_a_type_is_one_of_its_fields() {
    for known in BACKEND_TYPES {
        let names = known.fields.iter().map(|field| field.name);
        assert_eq!(
            names.filter(|name| *name == known.address).count(),
            1,
            "{}",
            known.name()
        );
    }
}

#[test]
fn examples_are_valid_by_themselves() {
    for known in BACKEND_TYPES {
        for field in known.fields.iter().filter(|field| is_special(field)) {
            let mut settings = example(known);
            let example = field.example.into();
            settings
                .configuration
                .insert(field.name.to_owned(), example);
            let checked = (known.check)(&settings);
            checked.unwrap_or_else(|error| panic!("{}.{}: {error}", known.name(), field.name));
        }
    }
}

/// Returns true for a text with a form of its own.
fn is_special(field: &Field) -> bool {
    field.example != Field::text("", "").example
}

/// Returns the settings that a type requires.
fn example(known: &BackendType) -> StoreSettings {
    StoreSettings {
        kind: known.name().to_owned(),
        name_prefix: "planton".to_owned(),
        configuration: required(known.fields).into_iter().collect(),
    }
}

fn required(fields: &[Field]) -> Map<String, Value> {
    let required = fields.iter().filter(|field| field.required);
    let is_setting = |field: &&Field| !matches!(field.change, Change::Credential(_));
    required
        .filter(is_setting)
        .filter_map(|field| Some((field.name.to_owned(), value_of(field)?)))
        .collect()
}

fn value_of(field: &Field) -> Option<Value> {
    match field.holds {
        Holds::Text => Some(field.example.into()),
        Holds::Flag => Some(false.into()),
        Holds::Block(inner) => Some(required(inner).into()),
        Holds::Number | Holds::Texts => None,
    }
}
