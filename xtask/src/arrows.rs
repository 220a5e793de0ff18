//! Checks that the dependencies between crates match ARCHITECTURE.md.
//!
//! Cargo rejects cycles and undeclared dependencies. This check rejects dependencies in
//! a new direction, dependencies that only one crate may have, and code of tests in a
//! release. [`modules`] checks the modules of a crate, and [`words`] rejects words that only
//! some code may have.

mod modules;
mod source;
mod words;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::tasks;

/// Each crate, and its permitted dependencies.
const ARROWS: &[(&str, &[&str])] = &[
    ("planton-secret", &[]),
    ("planton-envelope", &["planton-secret"]),
    ("planton-plugin", &["planton-secret"]),
    ("planton-core", &["planton-envelope", "planton-secret"]),
    (
        "planton-vendors",
        &["planton-core", "planton-envelope", "planton-secret"],
    ),
    (
        "terraform-provider-planton",
        &[
            "planton-core",
            "planton-envelope",
            "planton-plugin",
            "planton-secret",
            "planton-vendors",
        ],
    ),
];

/// The name prefixes of dependencies that only one crate may have.
const RESERVED: &[(&str, &str)] = &[
    ("tonic", "planton-plugin"),
    ("prost", "planton-plugin"),
    ("rmp", "planton-plugin"),
    ("aws-", "planton-vendors"),
    ("azure_", "planton-vendors"),
    ("google-cloud-", "planton-vendors"),
    ("reqwest", "planton-vendors"),
    ("rusqlite", "planton-vendors"),
];

/// The feature with code for tests: in-memory stores, conformance suites, and backend types
/// that no release offers.
const TESTING: &str = "testing";

/// Checks the workspace.
///
/// # Errors
///
/// If a crate breaks a rule. The message names each one.
pub(crate) fn check() -> Result<()> {
    let mut metadata = tasks::cargo();
    metadata.args(["metadata", "--no-deps", "--format-version=1"]);
    let output = metadata.output().context("starting cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed");
    let metadata = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let mut violations = violations_of(&dependencies(&metadata));
    violations.extend(code_of_tests_in_releases(&metadata));
    violations.extend(modules::violations()?);
    violations.extend(words::violations()?);
    ensure!(violations.is_empty(), "{}", violations.join("\n"));
    Ok(())
}

/// Returns the normal dependencies of each crate of the workspace.
fn dependencies(metadata: &Value) -> BTreeMap<String, Vec<String>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let named = packages.map(|package| {
        let all = package["dependencies"].as_array().into_iter().flatten();
        let normal = all.filter(|dependency| dependency["kind"].is_null());
        let names = normal.map(|dependency| text(&dependency["name"]));
        (text(&package["name"]), names.collect())
    });
    named.collect()
}

fn violations_of(dependencies: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, allowed) in ARROWS {
        let Some(used) = dependencies.get(*name) else {
            violations.push(format!("{name} is not in the workspace"));
            continue;
        };
        for used in used {
            let is_ours = dependencies.contains_key(used);
            if is_ours && !allowed.contains(&used.as_str()) {
                violations.push(format!("{name} may not depend on {used}"));
            }
            let reserved = RESERVED.iter().find(|(start, _)| used.starts_with(start));
            if let Some((_, owner)) = reserved.filter(|(_, owner)| owner != name) {
                violations.push(format!("{name} may not depend on {used}: {owner} does"));
            }
        }
    }
    let is_known = |name: &str| ARROWS.iter().any(|(known, _)| *known == name);
    let ours = dependencies
        .keys()
        .filter(|name| name.starts_with("planton-"));
    // Neither is released: the model has no dependencies, and fuzz targets may use any crate.
    let unreleased = ["planton-model", "planton-fuzz"];
    for name in ours.filter(|name| !is_known(name) && !unreleased.contains(&name.as_str())) {
        violations.push(format!("{name} has no line in xtask/src/arrows.rs"));
    }
    violations
}

/// Returns the released crates that have [`TESTING`] by default, or that depend on it
/// outside their own tests.
fn code_of_tests_in_releases(metadata: &Value) -> Vec<String> {
    let has = |list: &Value, is_it: &dyn Fn(&str) -> bool| {
        let mut items = list.as_array().into_iter().flatten();
        items.any(|item| item.as_str().is_some_and(is_it))
    };
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let released =
        packages.filter(|package| ARROWS.iter().any(|(name, _)| package["name"] == *name));
    let mut violations = Vec::new();
    for package in released {
        let name = package["name"].as_str().unwrap_or_default();
        let enables = |item: &str| item == TESTING || item.ends_with(&format!("/{TESTING}"));
        for (feature, enabled) in package["features"].as_object().into_iter().flatten() {
            if feature != TESTING && has(enabled, &enables) {
                violations.push(format!("{name}: {feature} may not enable {TESTING}"));
            }
        }
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let used = dependencies.filter(|dependency| dependency["kind"] != "dev");
        for used in used.filter(|used| has(&used["features"], &|feature| feature == TESTING)) {
            let used = used["name"].as_str().unwrap_or_default();
            violations.push(format!(
                "{name} may use {used}/{TESTING} as a dev-dependency only"
            ));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn designed() -> BTreeMap<String, Vec<String>> {
        let arrows = ARROWS.iter().map(|(name, below)| {
            let below = below.iter().map(|name| (*name).to_owned());
            ((*name).to_owned(), below.collect())
        });
        arrows.collect()
    }

    fn with(name: &str, dependency: &str) -> Vec<String> {
        let mut dependencies = designed();
        let of = dependencies.entry(name.to_owned()).or_default();
        of.push(dependency.to_owned());
        violations_of(&dependencies)
    }

    #[test]
    fn the_designed_arrows_are_no_violation() {
        assert!(violations_of(&designed()).is_empty());
    }

    #[test]
    fn an_arrow_in_another_direction_is_refused() {
        assert_eq!(
            with("planton-core", "planton-vendors"),
            ["planton-core may not depend on planton-vendors"]
        );
        assert_eq!(
            with("planton-plugin", "planton-core"),
            ["planton-plugin may not depend on planton-core"]
        );
    }

    #[test]
    fn a_reserved_dependency_is_its_owners_alone() {
        assert!(with("planton-vendors", "aws-sdk-kms").is_empty());
        assert_eq!(
            with("planton-core", "aws-sdk-kms"),
            ["planton-core may not depend on aws-sdk-kms: planton-vendors does"]
        );
    }

    #[test]
    fn a_new_crate_needs_a_line() {
        assert_eq!(
            with("planton-bucket", "serde"),
            ["planton-bucket has no line in xtask/src/arrows.rs"]
        );
    }

    #[test]
    fn only_dev_dependencies_may_bring_code_of_tests() {
        let with = |kind: Value, features: Value| {
            let used = json!({"name": "planton-vendors", "kind": kind, "features": ["testing"]});
            let package = json!({
                "name": "terraform-provider-planton", "dependencies": [used], "features": features,
            });
            code_of_tests_in_releases(&json!({ "packages": [package] }))
        };
        assert!(
            with(
                json!("dev"),
                json!({"testing": ["planton-vendors/testing"]})
            )
            .is_empty()
        );
        assert_eq!(
            with(Value::Null, json!({})),
            ["terraform-provider-planton may use planton-vendors/testing as a dev-dependency only"]
        );
        assert_eq!(
            with(
                json!("dev"),
                json!({"default": ["planton-vendors/testing"]})
            ),
            ["terraform-provider-planton: default may not enable testing"]
        );
    }
}
