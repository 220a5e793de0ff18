//! The metadata of a secret's object that the vendor shows beside the value.

use serde_json::Value;

use super::{Object, Place};
use crate::steps::text;

/// Checks the name of a secret's object among `all`, and its metadata, as the vendor's
/// own client shows them.
#[track_caller]
pub(super) fn assert_told_to_people(place: &Place, all: &[Object], secret: &Value) {
    let (name, id) = (text(secret, "name"), text(secret, "id"));
    let environment = secret["environment"].as_str();
    let digits = &id[id.len() - 8..];
    let leaf = format!("{name}-{digits}");
    let mut parts = vec!["planton", "acme"];
    match environment {
        Some(environment) => parts.extend(["env", environment]),
        None => parts.push("org"),
    }
    parts.push(&leaf);
    let object = parts.join(place.separator());
    let found: Vec<_> = all
        .iter()
        .filter(|other| place.fixture.is_of(&object, &other.name))
        .collect();
    assert!(!found.is_empty(), "{object} is not among {all:?}");

    let mut labels = vec![
        format!("planton-id={id}"),
        "planton-organization=acme".to_owned(),
        format!("planton-secret={name}"),
    ];
    labels.extend(environment.map(|name| format!("planton-environment={name}")));
    labels.sort_unstable();
    for seen in found {
        let mut about = seen.about.clone();
        about.sort_unstable();
        let version = &secret["version"];
        let labels = labels.clone();
        place.fixture.assert_labels(&object, about, labels, version);
    }
}

/// Checks that `about` has `labels`, and a random UUID that identifies the attempt that
/// wrote the version.
#[track_caller]
pub(super) fn assert_labelled(mut about: Vec<String>, mut labels: Vec<String>) {
    let seen = about.clone();
    let attempts = about.extract_if(.., |label| label.starts_with("planton-attempt="));
    assert_eq!(attempts.count(), 1, "{seen:?}");
    labels.sort_unstable();
    assert_eq!(about, labels);
}
