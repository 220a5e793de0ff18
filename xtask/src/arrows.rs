//! Checks that the dependencies between crates match ARCHITECTURE.md.
//!
//! Cargo rejects cycles and undeclared dependencies. This check rejects dependencies in
//! a new direction, dependencies and words that only one crate may have, and code of
//! tests in a release.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xtask::paths;

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

/// Crates that work without Terraform and therefore never mention it.
const WITHOUT_TERRAFORM: &[&str] = &["crates/core", "crates/envelope", "crates/secret"];

/// What the code of some folders never contains, tests aside.
struct Forbidden {
    folders: &'static [&'static str],
    words: &'static [&'static str],
    why: &'static str,
}

const FORBIDDEN: &[Forbidden] = &[SPAWNING, INPUT_AND_OUTPUT];

const SPAWNING: Forbidden = Forbidden {
    folders: &["crates/core/src", "crates/vendors/src", "src"],
    words: &["::spawn(", ".spawn("],
    why: "a spawned task escapes the deadline of its use case",
};

const INPUT_AND_OUTPUT: Forbidden = Forbidden {
    folders: &["crates/envelope/src", "crates/secret/src"],
    words: &["std::fs", "std::net", "std::process", "std::env", "tokio::"],
    why: "the crate does no I/O",
};

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
    for folder in WITHOUT_TERRAFORM {
        for file in rust_files(&paths::repository().join(folder).join("src"))? {
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            if text.to_lowercase().contains("terraform") {
                violations.push(format!("{} mentions Terraform", file.display()));
            }
        }
    }
    for rule in FORBIDDEN {
        for folder in rule.folders {
            for file in rust_files(&paths::repository().join(folder))? {
                let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
                for word in rule.words_in(&file, &text) {
                    violations.push(format!("{} has `{word}`: {}", file.display(), rule.why));
                }
            }
        }
    }
    ensure!(violations.is_empty(), "{}", violations.join("\n"));
    Ok(())
}

impl Forbidden {
    /// Returns the words that the code of `file` contains. Tests come last in a file, or
    /// have files of their own.
    fn words_in(&self, file: &Path, text: &str) -> Vec<&'static str> {
        if file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs") {
            return Vec::new();
        }
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let words = self.words.iter().copied();
        words.filter(|word| code.contains(word)).collect()
    }
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

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let reading = || format!("reading {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    Ok(files)
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

    #[test]
    fn a_forbidden_word_is_found_in_code_and_not_in_tests() {
        let spawned = "fn f() { tokio::spawn(g()); }";
        let found = |file, text| SPAWNING.words_in(Path::new(file), text);
        assert_eq!(found("a/read.rs", spawned), ["::spawn("]);
        assert!(found("a/read.rs", "fn f() { task::spawn_blocking(g); }").is_empty());
        let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{ {spawned} }}");
        assert!(found("a/read.rs", &tested).is_empty());
        assert!(found("a/tests/races.rs", spawned).is_empty());
        assert!(found("a/http/tests.rs", spawned).is_empty());
        let reads = INPUT_AND_OUTPUT.words_in(Path::new("a/open.rs"), "use std::fs;");
        assert_eq!(reads, ["std::fs"]);
    }
}
