//! Checks of the provider block without any I/O, and the environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::bucket;
use super::openbao::{Block, unusable_argument};
use super::pins;
use crate::diagnostics::invalid_slug;
use crate::metadata::check_labels;
use planton_core::names::Slug;
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, Value};
use planton_vendors::openbao::client::{InvalidPath, check_path};
use planton_vendors::openbao::connection::{ConnectionBlock, validate_connection};

/// Environment variables that the provider reads.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A value may be a token.
        f.write_str("Environment(redacted)")
    }
}

impl Environment {
    /// Reads the variables of this process that the provider uses. All others may contain
    /// unrelated credentials.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of_all(std::env::vars_os())
    }

    /// Creates an environment of these variables alone.
    pub fn of<K: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    fn of_all(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self::of(variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            is_read(&name).then_some((name, value))
        }))
    }

    /// Returns the environment of a migration's target: each `PLANTON_TARGET_X` as `PLANTON_X`,
    /// and of the others those that belong to no platform.
    pub(crate) fn of_target(&self) -> Self {
        let mut variables = BTreeMap::new();
        for (name, value) in &self.0 {
            if let Some(rest) = name.strip_prefix(TARGET) {
                variables.insert(format!("PLANTON_{rest}"), value.clone());
            } else if !name.starts_with("PLANTON_") && !name.starts_with("BAO_") {
                variables.insert(name.clone(), value.clone());
            }
        }
        // Both platforms have the same organization, and the same key that verifies records.
        for name in ["PLANTON_ORG", "PLANTON_ORGANIZATION_FINGERPRINT"] {
            if let Some(value) = self.0.get(name) {
                let value = value.clone();
                variables.entry(name.to_owned()).or_insert(value);
            }
        }
        Self(variables)
    }

    /// Returns a variable. An empty one counts as absent.
    pub(crate) fn os(&self, name: &str) -> Option<OsString> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Returns whether a variable is set whose name begins with `prefix`.
    pub(crate) fn has_prefix(&self, prefix: &str) -> bool {
        let mut set = self.0.iter().filter(|(_, value)| !value.is_empty());
        set.any(|(name, _)| name.starts_with(prefix))
    }

    /// Returns the names of variables that must be UTF-8 and are not.
    pub(crate) fn not_text(&self) -> Vec<&str> {
        let own = |name: &&String| name.starts_with("PLANTON_") || name.starts_with("BAO_");
        let all = self.0.iter().filter(|(name, value)| {
            own(name) && *name != "PLANTON_DATA_DIR" && value.to_str().is_none()
        });
        all.map(|(name, _)| name.as_str()).collect()
    }

    /// Returns the variable by which an automated run shows itself. Its machine is often
    /// deleted after it.
    pub(crate) fn automation(&self) -> Option<&'static str> {
        let is_set = |name: &&&str| self.os(name).is_some_and(|value| value != "false");
        AUTOMATION.iter().find(is_set).copied()
    }

    /// Returns the first of these variables that is set and UTF-8.
    pub(crate) fn first(&self, names: &[&str]) -> Option<String> {
        names
            .iter()
            .find_map(|name| self.os(name)?.into_string().ok())
    }
}

/// Start of the names of the variables of a migration's target.
const TARGET: &str = "PLANTON_TARGET_";

/// Variables of automated runs: of Terraform's own convention
/// (<https://developer.hashicorp.com/terraform/cli/config/environment-variables#tf_in_automation>),
/// of HCP Terraform, and of most CI systems
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/variables>).
const AUTOMATION: [&str; 3] = ["TF_IN_AUTOMATION", "TFC_RUN_ID", "CI"];

/// Returns true for variables that the provider reads.
fn is_read(name: &str) -> bool {
    ["PLANTON_", "BAO_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || [
            "TF_WORKSPACE",
            "TF_DATA_DIR",
            "HOME",
            "XDG_DATA_HOME",
            "LOCALAPPDATA",
        ]
        .contains(&name)
        || AUTOMATION.contains(&name)
}

/// Checks the known part of the block.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for (what, name) in [
        ("The organization", "organization"),
        ("The default environment", "default_environment"),
    ] {
        if let Some(text) = config.attribute(name).as_str()
            && Slug::parse(text).is_err()
        {
            diagnostics.push(invalid_slug(what, text, name));
        }
    }
    check_labels(config, "default_labels", &mut diagnostics);
    pins::validate(config, &mut diagnostics);
    path(
        config.attribute("embedded"),
        &AttributePath::attribute("embedded"),
        "path",
        &mut diagnostics,
    );
    let platforms = ["openbao", "embedded", bucket::BUCKET];
    let set = platforms
        .iter()
        .filter(|name| config.attribute(name).is_set());
    if let [first, second, ..] = set.collect::<Vec<_>>().as_slice() {
        diagnostics.push(
            Diagnostic::error(
                "Conflicting Platforms",
                format!(
                    "Both {first} and {second} are set, but an organization has one \
                     platform.\n\nRemove one of the two blocks."
                ),
            )
            .at(**second),
        );
    }
    let bucket = config.attribute(bucket::BUCKET);
    if bucket.is_set() {
        bucket::validate(bucket, &mut diagnostics);
    }
    let openbao = config.attribute("openbao");
    if openbao.is_set() {
        for problem in validate_connection(ConnectionBlock::Platform, &Block::alone(openbao)) {
            diagnostics.push(unusable_argument(&problem));
        }
    }
    diagnostics
}

fn path(block: &Value, at: &AttributePath, name: &str, diagnostics: &mut Diagnostics) {
    let text = block.attribute(name).as_str();
    if let Some(Err(error)) = text.map(check_path) {
        diagnostics.push(invalid_path(name, &error, at.clone().then(name)));
    }
}

/// Says that `what`, an attribute or a variable, holds no path that can be used.
pub(super) fn invalid_path(what: &str, error: &InvalidPath, at: AttributePath) -> Diagnostic {
    Diagnostic::error("Invalid Path", format!("{what} {error}.")).at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_a_target_take_the_place_of_those_of_the_source() {
        let environment = Environment::of([
            ("PLANTON_ORG", "acme"),
            ("PLANTON_ORGANIZATION_FINGERPRINT", "00ff"),
            ("PLANTON_ADDR", "https://source"),
            ("PLANTON_TOKEN", "hunter2"),
            ("BAO_NAMESPACE", "source"),
            ("HOME", "/home/x"),
            ("PLANTON_TARGET_BUCKET_URL", "s3://target"),
        ]);
        let target = environment.of_target();
        assert_eq!(target.first(&["PLANTON_ORG"]).as_deref(), Some("acme"));
        let fingerprint = target.first(&["PLANTON_ORGANIZATION_FINGERPRINT"]);
        assert_eq!(fingerprint.as_deref(), Some("00ff"));
        let url = target.first(&["PLANTON_BUCKET_URL"]);
        assert_eq!(url.as_deref(), Some("s3://target"));
        assert!(target.os("HOME").is_some());
        for name in ["PLANTON_ADDR", "PLANTON_TOKEN", "BAO_NAMESPACE"] {
            assert_eq!(target.os(name), None, "{name}");
        }
    }

    #[test]
    fn only_the_providers_own_variables_are_kept() {
        let kept = [
            "PLANTON_TOKEN",
            "BAO_ADDR",
            "TF_IN_AUTOMATION",
            "HOME",
            "XDG_DATA_HOME",
            "LOCALAPPDATA",
        ];
        let others = [
            "AWS_SECRET_ACCESS_KEY",
            "VAULT_TOKEN",
            "TF_VAR_x",
            "MY_HOME",
        ];
        let all = kept.iter().chain(&others);
        let environment = Environment::of_all(all.map(|name| (name.into(), "hunter2".into())));
        for name in kept {
            assert!(environment.os(name).is_some(), "{name}");
        }
        for name in others {
            assert!(environment.os(name).is_none(), "{name}");
        }
    }
}
