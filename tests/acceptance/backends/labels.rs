//! What people see of a secret of ours at its vendor, without the value.

use serde_json::Value;

use super::place::Kind;
use super::{Object, Place};
use crate::steps::text;

/// Checks the name of a secret's object among `all`, and what stands beside it, as
/// the vendor's own client shows them.
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
    let is_of = |other: &str| match &place.kind {
        // A path for each version.
        Kind::OpenBao { .. } => other.starts_with(&format!("{object}/")),
        _ => other == object,
    };
    let found: Vec<_> = all.iter().filter(|other| is_of(&other.name)).collect();
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
        let mut expected = labels.clone();
        match &place.kind {
            // The path says it all: labels would cost a request for each put.
            Kind::OpenBao { .. } => {
                let metadata: Value = serde_json::from_str(&about[0]).unwrap();
                assert_eq!(metadata["custom_metadata"], Value::Null, "{object}");
                continue;
            }
            // Tags take a grant of their own.
            Kind::Aws(_) => {
                let labels = labels.join(", ");
                expected = vec![format!(
                    "Sealed by terraform-provider-planton as {object}; {labels}"
                )];
            }
            Kind::Gcp(_) => expected.push("managed-by=terraform-provider-planton".to_owned()),
            Kind::Azure(_) => {
                expected.push("managed-by=terraform-provider-planton".to_owned());
                expected.push("application/vnd.planton.sealed".to_owned());
                expected.push(format!("planton-version={}", secret["version"]));
            }
        }
        if !matches!(place.kind, Kind::Aws(_)) {
            // Which attempt wrote it: a uuid that nothing else has.
            let attempts = about.extract_if(.., |label| label.starts_with("planton-attempt="));
            assert_eq!(attempts.count(), 1, "{seen:?}");
        }
        expected.sort_unstable();
        assert_eq!(about, expected);
    }
}
