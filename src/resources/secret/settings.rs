//! Settings of `planton_secret` in a configuration or a planned state.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::schema::DEFAULT_KEEP_VERSIONS;
use super::source::{Source, WRITE_ONLY};
use crate::diagnostics::{default_environment_unknown, default_labels_unknown, invalid_slug};
use crate::session::PartlyKnown;
use crate::setting::Setting;
use planton_core::names::SecretName;
use planton_core::operations::{
    CopyFrom, GenerateSpec, OnDestroy, SecretArguments, SecretMetadata,
};
use planton_plugin::{Diagnostic, Value};

/// Configuration, whose parts may be unknown.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) name: Setting<String>,
    pub(super) environment: Setting<String>,
    pub(super) description: Setting<String>,
    pub(super) labels: Setting<BTreeMap<String, String>>,
    pub(super) backend: Setting<String>,
    pub(super) trigger: Setting<String>,
    pub(super) source: Source,
    generate: Setting<GenerateSpec>,
    deletion_protection: Setting<bool>,
    on_destroy: Setting<String>,
    keep_versions: Setting<i64>,
    takes_over: Setting<String>,
    copy_from: Setting<CopyFrom>,
}

impl Settings {
    /// Reads a configuration.
    pub(super) fn read(config: &Value) -> Self {
        let generate = Setting::read(config.attribute("generate"), |value| {
            (!value.is_null()).then(|| generate_spec(value))
        });
        let generate = match generate {
            Setting::Set(None) => Setting::Unknown,
            Setting::Set(Some(spec)) => Setting::Set(spec),
            Setting::Unknown => Setting::Unknown,
            Setting::Absent => Setting::Absent,
        };
        let copy_from = copy_from(config.attribute("copy_from"));
        Self {
            name: Setting::string(config.attribute("name")),
            environment: Setting::string(config.attribute("environment")),
            description: Setting::string(config.attribute("description")),
            labels: Setting::strings(config.attribute("labels")),
            backend: Setting::string(config.attribute("backend")),
            trigger: Setting::string(config.attribute("value_wo_version")),
            source: Source::read(config),
            generate,
            copy_from,
            deletion_protection: Setting::bool(config.attribute("deletion_protection")),
            on_destroy: Setting::string(config.attribute("on_destroy")),
            keep_versions: Setting::integer(config.attribute("keep_versions")),
            takes_over: Setting::string(config.attribute("takes_over")),
        }
    }

    /// Reads a planned state. Only the planned state reflects `ignore_changes`, so the
    /// configuration of an apply counts for write-only values alone, which no state contains,
    /// and only if the plan saw one.
    pub(super) fn planned(planned: &Value, config: &Value, may_be_given: bool) -> Self {
        let mut wanted = planned.clone();
        for name in WRITE_ONLY {
            let given = config.attribute(name);
            wanted.set(
                name,
                if may_be_given {
                    given.clone()
                } else {
                    Value::Null
                },
            );
        }
        Self::read(&wanted)
    }

    /// Returns the environment with the provider's default.
    pub(super) fn effective_environment(&self, defaults: &PartlyKnown) -> Setting<String> {
        match &self.environment {
            Setting::Absent => defaults.default_environment.clone(),
            configured => configured.clone(),
        }
    }

    /// Returns the labels with the provider's defaults.
    pub(super) fn labels_all(&self, defaults: &PartlyKnown) -> Setting<BTreeMap<String, String>> {
        let mut all = match &defaults.default_labels {
            Setting::Unknown => return Setting::Unknown,
            Setting::Absent => BTreeMap::new(),
            Setting::Set(all) => all.clone(),
        };
        match &self.labels {
            Setting::Unknown => return Setting::Unknown,
            Setting::Absent => {}
            Setting::Set(own) => all.extend(own.clone()),
        }
        Setting::Set(all)
    }

    pub(super) fn deletion_protection(&self) -> Setting<bool> {
        or(&self.deletion_protection, false)
    }

    pub(super) fn on_destroy(&self) -> Setting<String> {
        or(&self.on_destroy, "delete".to_owned())
    }

    pub(super) fn keep_versions(&self) -> Setting<i64> {
        or(&self.keep_versions, i64::from(DEFAULT_KEEP_VERSIONS))
    }

    /// Returns the secret of the same name that a creation may displace.
    pub(super) fn takes_over(&self) -> Option<Uuid> {
        self.takes_over.set().and_then(|text| text.parse().ok())
    }

    /// Returns whether a creation may displace the secret `holder`, which has its name.
    pub(super) fn may_take_over(&self, holder: Uuid) -> bool {
        self.takes_over.is_unknown() || self.takes_over() == Some(holder)
    }

    /// Returns the secret's full name, if all of it is known.
    pub(super) fn known_name(&self, defaults: &PartlyKnown) -> Option<SecretName> {
        let environment = match self.effective_environment(defaults) {
            Setting::Set(text) => Some(text.parse().ok()?),
            Setting::Absent => None,
            Setting::Unknown => return None,
        };
        let name = self.name.set()?.parse().ok()?;
        Some(SecretName { environment, name })
    }

    /// Returns the secret's full name in an apply, where all of it is known.
    ///
    /// # Errors
    ///
    /// A diagnostic, if the name is invalid, or the environment is unknown even in the apply.
    pub(super) fn secret_name(&self) -> Result<SecretName, Diagnostic> {
        let text = self.name.set().map_or("", String::as_str);
        let name = text
            .parse()
            .map_err(|_| invalid_slug("The name", text, "name"))?;
        let environment = match &self.environment {
            Setting::Set(text) => Some(
                text.parse()
                    .map_err(|_| invalid_slug("The environment", text, "environment"))?,
            ),
            Setting::Absent => None,
            Setting::Unknown => return Err(default_environment_unknown().at("environment")),
        };
        Ok(SecretName { environment, name })
    }

    /// Returns the metadata, with the planned `labels_all`. If those are unknown, they are
    /// merged from the labels and the provider's defaults.
    ///
    /// # Errors
    ///
    /// A diagnostic, if they are unknown even in the apply: a secret never loses its labels to an
    /// unknown value.
    pub(super) fn metadata(
        &self,
        planned: &Value,
        defaults: &PartlyKnown,
    ) -> Result<SecretMetadata, Diagnostic> {
        let labels_all = match Setting::strings(planned.attribute("labels_all")) {
            Setting::Unknown => self.labels_all(defaults),
            planned => planned,
        };
        if labels_all.is_unknown() {
            return Err(default_labels_unknown());
        }
        Ok(SecretMetadata {
            description: self.description.set().cloned(),
            labels: self.labels.set().cloned(),
            labels_all: labels_all.set().cloned().unwrap_or_default(),
        })
    }

    /// Returns the arguments that only the provider uses.
    pub(super) fn arguments(&self) -> SecretArguments {
        let on_destroy = match self.on_destroy().set().map(String::as_str) {
            Some("retain") => OnDestroy::Retain,
            Some("forget") => OnDestroy::Forget,
            _ => OnDestroy::Delete,
        };
        let keep = self.keep_versions().set().copied().unwrap_or_default();
        SecretArguments {
            value_wo_version: self.trigger.set().cloned(),
            generate: self.generate.set().cloned(),
            copy_from: self.copy_from.set().cloned(),
            deletion_protection: self
                .deletion_protection()
                .set()
                .copied()
                .unwrap_or_default(),
            on_destroy,
            keep_versions: u32::try_from(keep).unwrap_or(DEFAULT_KEEP_VERSIONS).max(1),
            takes_over: self.takes_over(),
        }
    }
}

fn or<T: Clone>(setting: &Setting<T>, default: T) -> Setting<T> {
    match setting {
        Setting::Absent => Setting::Set(default),
        other => other.clone(),
    }
}

/// Reads `copy_from` with its default.
pub(super) fn copy_from(value: &Value) -> Setting<CopyFrom> {
    if value.is_null() {
        return Setting::Absent;
    }
    let text = |name: &str| value.attribute(name).as_str();
    let delete_source = value.attribute("delete_source");
    match (text("backend"), text("remote_name")) {
        (Some(backend), Some(remote_name)) if !delete_source.is_unknown() => {
            // The validation rejects an invalid name before this.
            let Ok(backend) = backend.parse() else {
                return Setting::Unknown;
            };
            Setting::Set(CopyFrom {
                backend,
                remote_name: remote_name.to_owned(),
                delete_source: delete_source.as_bool().unwrap_or(false),
            })
        }
        _ => Setting::Unknown,
    }
}

/// Reads `generate` with its defaults; `None` if part of it is unknown.
pub(super) fn generate_spec(value: &Value) -> Option<GenerateSpec> {
    if !value.is_wholly_known() {
        return None;
    }
    let flag = |name: &str| value.attribute(name).as_bool().unwrap_or(true);
    // A number that does not fit exceeds the limit, which the validation reports.
    let number = |name: &str, default: u32| match value.attribute(name).as_number() {
        None => default,
        Some(number) => number
            .as_i64()
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(u32::MAX),
    };
    Some(GenerateSpec {
        length: number("length", 32),
        lower: flag("lower"),
        upper: flag("upper"),
        numeric: flag("numeric"),
        special: flag("special"),
        override_special: value
            .attribute("override_special")
            .as_str()
            .map(str::to_owned),
        min_lower: number("min_lower", 0),
        min_upper: number("min_upper", 0),
        min_numeric: number("min_numeric", 0),
        min_special: number("min_special", 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A secret of the whole organization, or one without its labels, would be another one than
    /// the configuration says.
    #[test]
    fn an_apply_takes_no_unknown_default_for_an_absent_one() {
        let unknown = PartlyKnown {
            default_environment: Setting::Unknown,
            default_labels: Setting::Unknown,
        };
        let planned = Value::object([
            ("name", Value::from("s")),
            ("environment", Value::Unknown),
            ("labels_all", Value::Unknown),
        ]);
        let settings = Settings::read(&planned);
        let refused = settings.secret_name().expect_err("no environment");
        assert_eq!(refused.summary, "Default Environment Not Known");
        let refused = settings
            .metadata(&planned, &unknown)
            .expect_err("no labels");
        assert_eq!(refused.summary, "Default Labels Not Known");
    }
}
