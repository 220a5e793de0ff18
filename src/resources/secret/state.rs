//! State and private data of `planton_secret`.

use std::collections::BTreeMap;
use std::ops::Not;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::Configured;
use planton_core::names::{SecretName, Slug};
use planton_core::operations::{
    CopyFrom, CurrentVersion, GenerateSpec, OnDestroy, Owner, SeenBackend,
};
use planton_core::operations::{RefreshSecret, SecretView, SeenSecret};
use planton_plugin::{Diagnostic, Value};

/// Private data: identifiers and digests, never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Private {
    /// Ties the state to its catalog and record.
    #[serde(flatten)]
    pub(super) anchor: Anchor,
    /// Number and payload digest of the last version that was seen.
    #[serde(default)]
    pub(super) seen: Option<(u64, String)>,
    /// Last seen place of its backend; absent for the built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) backend: Option<SeenBackend>,
    /// Whether another secret has taken over the name, even if that one is gone by now.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub(super) displaced: bool,
    /// UUID and owner of the secret that has the name now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) displaced_by: Option<(Uuid, Owner)>,
    /// From plan to update: the value was unknown, so the apply compares it.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub(super) compare: bool,
    /// From plan to update: the plan saw a write-only value, or one that may become set. A
    /// value under `ignore_changes` does not count.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub(super) given: bool,
}

impl PrivateState for Private {
    const KEY: &'static str = "secret";
}

impl Private {
    /// Creates the private data of a secret that was just seen.
    pub(super) fn of(view: &SecretView) -> Self {
        Self {
            anchor: Anchor {
                catalog: Some(view.catalog),
                generation: view.generation,
                stamp: Some(view.owner.stamp),
                ..Anchor::default()
            },
            seen: view
                .version
                .as_ref()
                .map(|v| (v.number, v.payload_sha256.clone())),
            backend: view.backend_seen.clone(),
            displaced: view.is_displaced,
            displaced_by: view.displaced_by.clone(),
            ..Self::default()
        }
    }

    /// Returns the version that was last seen.
    pub(super) fn current_version(&self) -> Option<CurrentVersion> {
        let (number, _) = self.seen.as_ref()?;
        let backend = self.backend.as_ref();
        let name = backend.map(|backend| backend.name.clone());
        Some(CurrentVersion {
            backend: name.unwrap_or_else(Slug::platform_backend),
            backend_uuid: backend.map(|backend| backend.uuid),
            number: *number,
        })
    }

    /// Checks that the catalog is the secret's, and registers the last seen place of its
    /// backend. The provider then rejects a backend record that leads elsewhere.
    pub(super) async fn expect_catalog(&self, session: &Configured) -> Result<(), Diagnostic> {
        self.anchor.expect_catalog(session).await?;
        self.remember_backend(session);
        Ok(())
    }

    /// Does the same as [`expect_catalog`](Self::expect_catalog), and checks what
    /// [`Anchor::expect_same`] does.
    pub(super) async fn expect_same(&self, session: &Configured) -> Result<(), Diagnostic> {
        self.anchor.expect_same(session).await?;
        self.remember_backend(session);
        Ok(())
    }

    /// Does the same as [`expect_catalog`](Self::expect_catalog), and checks the MAC key.
    pub(super) async fn expect_authentic(&self, session: &Configured) -> Result<(), Diagnostic> {
        self.anchor.expect_authentic(session).await?;
        self.remember_backend(session);
        Ok(())
    }

    /// Registers the last seen place of its backend. All resources of the process go by it, so
    /// the catalog must be the secret's.
    pub(super) fn remember_backend(&self, session: &Configured) {
        if let Some(seen) = &self.backend {
            session.organization.backends().remember(seen.clone());
        }
    }

    /// Updates the private data after a read. The stamp stays this state's own, and another
    /// one is a finding.
    pub(super) fn found(&self, view: &SecretView) -> Self {
        let seen = Self::of(view);
        let known = Anchor {
            stamp: self.anchor.stamp,
            mac_key: self.anchor.mac_key.clone(),
            keys: self.anchor.keys.clone(),
            ..seen.anchor
        };
        Self {
            anchor: known.found(&view.owner),
            // A read that did not open the backend keeps the last seen place.
            backend: view.backend_seen.clone().or(self.backend.clone()),
            ..seen
        }
    }
}

/// Identity of a secret in a stored state.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) uuid: Uuid,
    pub(super) name: SecretName,
    pub(super) backend: Option<Slug>,
}

impl Identity {
    pub(super) fn read(state: &Value) -> Result<Self, Diagnostic> {
        let broken = || {
            Diagnostic::error(
                "Resource State Not Readable",
                "The stored state of this secret has no valid id, name or environment.\n\nRestore the \
                 state from a backup, or remove the resource from it (terraform state rm) and \
                 import it again.",
            )
        };
        let parse = |name: &str| state.attribute(name).as_str().map(str::to_owned);
        let uuid = parse("id")
            .and_then(|text| text.parse().ok())
            .ok_or_else(broken)?;
        let name = parse("name")
            .and_then(|text| text.parse().ok())
            .ok_or_else(broken)?;
        let environment = match parse("environment") {
            Some(text) => Some(text.parse().map_err(|_| broken())?),
            None => None,
        };
        let backend = match parse("backend") {
            Some(text) => Some(text.parse().map_err(|_| broken())?),
            None => None,
        };
        Ok(Self {
            uuid,
            name: SecretName { environment, name },
            backend,
        })
    }

    pub(super) fn refresh(&self, private: &Private) -> RefreshSecret {
        let seen = (private.anchor.generation > 0).then(|| SeenSecret {
            generation: private.anchor.generation,
            version: private.seen.clone(),
        });
        RefreshSecret {
            name: self.name.clone(),
            uuid: self.uuid,
            backend: self.backend.clone(),
            seen,
        }
    }
}

/// Sets the computed attributes of `state` from `view`.
pub(super) fn computed(mut state: Value, view: &SecretView) -> Value {
    let version = view.version.as_ref();
    state.set("id", view.uuid.to_string());
    state.set(
        "environment",
        view.name.environment.as_ref().map(ToString::to_string),
    );
    state.set("backend", view.backend.to_string());
    state.set("labels_all", strings(&view.metadata.labels_all));
    state.set("kind", view.kind.as_str());
    state.set("version", version.map(|version| version.number));
    state.set("revision", version.map(|version| version.revision));
    state.set(
        "backend_version_id",
        version.map(|v| v.backend_version_id.clone()),
    );
    state.set("kek_id", version.map(|version| version.kek_id.clone()));
    state.set("reference", view.reference.clone());
    state.set("created_at", view.created_at.to_string());
    state.set("updated_at", view.updated_at.to_string());
    state
}

/// Returns the whole state of a secret from its record. The record has no `timeouts`, so the
/// caller passes those of the configuration.
pub(super) fn whole(view: &SecretView, timeouts: Value) -> Value {
    let arguments = &view.arguments;
    let on_destroy = match arguments.on_destroy {
        OnDestroy::Delete => "delete",
        OnDestroy::Retain => "retain",
        OnDestroy::Forget => "forget",
    };
    let state = Value::object([
        ("name", Value::from(view.name.name.as_str())),
        ("description", view.metadata.description.clone().into()),
        (
            "labels",
            view.metadata.labels.as_ref().map_or(Value::Null, strings),
        ),
        ("value_wo", Value::Null),
        ("data_wo", Value::Null),
        (
            "generate",
            arguments.generate.as_ref().map_or(Value::Null, generate),
        ),
        (
            "copy_from",
            arguments.copy_from.as_ref().map_or(Value::Null, copy_from),
        ),
        (
            "value_wo_version",
            arguments.value_wo_version.clone().into(),
        ),
        ("deletion_protection", arguments.deletion_protection.into()),
        ("on_destroy", on_destroy.into()),
        ("keep_versions", arguments.keep_versions.into()),
        (
            "takes_over",
            arguments.takes_over.map(|uuid| uuid.to_string()).into(),
        ),
        ("timeouts", timeouts),
    ]);
    computed(state, view)
}

/// Returns the identity of a secret.
pub(super) fn identity(organization: &str, name: &SecretName) -> Value {
    Value::object([
        ("organization", Value::from(organization)),
        (
            "environment",
            name.environment.as_ref().map(ToString::to_string).into(),
        ),
        ("name", name.name.as_str().into()),
    ])
}

/// Returns `copy_from` with its default.
pub(super) fn copy_from(from: &CopyFrom) -> Value {
    Value::object([
        ("backend", Value::from(from.backend.as_str())),
        ("remote_name", from.remote_name.as_str().into()),
        ("delete_source", from.delete_source.into()),
    ])
}

/// Returns `generate` with its defaults.
pub(super) fn generate(spec: &GenerateSpec) -> Value {
    Value::object([
        ("length", Value::from(spec.length)),
        ("lower", spec.lower.into()),
        ("upper", spec.upper.into()),
        ("numeric", spec.numeric.into()),
        ("special", spec.special.into()),
        ("override_special", spec.override_special.clone().into()),
        ("min_lower", spec.min_lower.into()),
        ("min_upper", spec.min_upper.into()),
        ("min_numeric", spec.min_numeric.into()),
        ("min_special", spec.min_special.into()),
    ])
}

/// Adds `defaults` to a configured object, whose parts may be unknown.
pub(super) fn with_defaults(configured: &Value, mut defaults: Value) -> Value {
    let Some(attributes) = configured.entries() else {
        return configured.clone();
    };
    for (name, value) in attributes.iter().filter(|(_, value)| !value.is_null()) {
        defaults.set(name.as_str(), value.clone());
    }
    defaults
}

/// Returns a map of strings.
pub(super) fn strings(all: &BTreeMap<String, String>) -> Value {
    Value::map(
        all.iter()
            .map(|(key, text)| (key.clone(), Value::from(text.as_str()))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_plugin::PrivateData;

    #[test]
    fn private_data_round_trips_and_damage_is_an_error() {
        assert_eq!(Private::read(&PrivateData::new()), Ok(Private::default()));
        let private = Private {
            anchor: Anchor {
                generation: 7,
                mac_key: Some("00".to_owned()),
                ..Anchor::default()
            },
            ..Private::default()
        };
        assert_eq!(Private::read(&private.write()), Ok(private));
        for damaged in [r#"{"catalog":1}"#, "", "{"] {
            assert!(Private::read(&PrivateData::new().with(Private::KEY, damaged)).is_err());
        }
    }
}
