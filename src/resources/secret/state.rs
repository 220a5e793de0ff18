//! State and private data of `planton_secret`.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::resources::private_state::{
    Anchor, CompactField, PrivateState, read_json, read_optional, write_json, write_optional,
};
use crate::session::Configured;
use planton_core::marks::Mark;
use planton_core::names::{SecretName, Slug};
use planton_core::operations::{
    CopyFrom, CurrentVersion, GenerateSpec, OnDestroy, Owner, SeenBackend,
};
use planton_core::operations::{RefreshSecret, SecretMarks, SecretView, SeenDigest, SeenSecret};
use planton_plugin::{Diagnostic, FieldReader, FieldWriter, InvalidPrivateData, Value};

/// Private data: identifiers and digests, never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Private {
    /// Ties the state to its catalog and record.
    pub(super) anchor: Anchor,
    /// Number and payload digest of the last version that was seen.
    pub(super) seen: Option<(u64, SeenDigest)>,
    /// Last seen place of its backend; absent for the built-in one.
    pub(super) backend: Option<SeenBackend>,
    /// Whether another secret has taken over the name, even if that one is gone by now.
    pub(super) displaced: bool,
    /// UUID and owner of the secret that has the name now.
    pub(super) displaced_by: Option<(Uuid, Owner)>,
    /// Marks of the record that the state comes from, and of its current version. A listing that
    /// contains both confirms the state. None where a read would change the state, and after an
    /// import.
    pub(super) marks: Option<SecretMarks>,
    /// From plan to update: the value was unknown, so the apply compares it.
    pub(super) compare: bool,
    /// From plan to update: the plan saw a write-only value, or one that may become set. A
    /// value under `ignore_changes` does not count.
    pub(super) given: bool,
}

/// Number of the form in which [`computed`] and [`whole`] derive a state from a record. Marks of
/// another form are ignored, so that a read derives the state again.
///
/// Increase it with every change after which the same record gives another state.
const STATE_FORM: u64 = 1;

fn read_marks(from: &mut FieldReader<'_>) -> Result<Option<SecretMarks>, InvalidPrivateData> {
    let form = from.number()?;
    let marks = SecretMarks::from_bytes(from.fixed()?);
    Ok((form == STATE_FORM).then_some(marks))
}

impl PrivateState for Private {
    const KEY: &'static str = "s";
}

impl CompactField for Private {
    fn write_to(&self, to: &mut FieldWriter) {
        self.anchor.write_to(to);
        to.optional(self.seen, |to, (number, payload)| {
            to.number(number);
            payload.write_to(to);
        });
        write_optional(to, self.backend.as_ref());
        to.flag(self.displaced);
        to.optional(self.displaced_by.as_ref(), |to, (uuid, owner)| {
            uuid.write_to(to);
            write_json(to, owner);
        });
        to.flag(self.compare);
        to.flag(self.given);
        to.optional(self.marks, |to, marks| {
            to.number(STATE_FORM);
            to.fixed(&marks.to_bytes());
        });
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Ok(Self {
            anchor: Anchor::read_from(from)?,
            seen: from.optional(|from| Ok((from.number()?, SeenDigest::read_from(from)?)))?,
            backend: read_optional(from)?,
            displaced: from.flag()?,
            displaced_by: from.optional(|from| Ok((Uuid::read_from(from)?, read_json(from)?)))?,
            compare: from.flag()?,
            given: from.flag()?,
            marks: from.optional(read_marks)?.flatten(),
        })
    }
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
            seen: view.version.as_ref().map(|v| (v.number, v.payload)),
            backend: view.backend_seen.clone(),
            displaced: view.is_displaced,
            displaced_by: view.displaced_by.clone(),
            marks: marks(view.marks.record, view.marks.version),
            ..Self::default()
        }
    }

    /// Returns the private data after an update of this one. If the record has not changed since,
    /// its version has the mark that it had.
    pub(super) fn updated(&self, view: &SecretView) -> Self {
        let now = Self::of(view);
        let is_same = now.anchor.generation == self.anchor.generation && now.seen == self.seen;
        let known = self.marks.filter(|_| is_same);
        let version = view.marks.version.or(known.map(|marks| marks.version));
        Self {
            marks: marks(view.marks.record, version),
            ..now
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
            mac_key: self.anchor.mac_key,
            keys: self.anchor.keys,
            ..seen.anchor
        };
        let anchor = known.found(&view.owner);
        Self {
            marks: seen.marks.filter(|_| anchor.finding.is_none()),
            anchor,
            // A read that did not open the backend keeps the last seen place.
            backend: view.backend_seen.clone().or(self.backend.clone()),
            ..seen
        }
    }
}

fn marks(record: Option<Mark>, version: Option<Mark>) -> Option<SecretMarks> {
    let (record, version) = record.zip(version)?;
    Some(SecretMarks { record, version })
}

/// Identity of a secret in a stored state.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) uuid: Uuid,
    pub(super) name: SecretName,
    pub(super) backend: Option<Slug>,
    /// Whether the state has a current version: none after it was lost.
    has_version: bool,
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
            has_version: !state.attribute("version").is_null(),
        })
    }

    /// Returns the marks with which a listing may confirm the state.
    fn confirmable(&self, private: &Private) -> Option<SecretMarks> {
        let is_plain = private.anchor.finding.is_none()
            && !private.anchor.deleting
            && !private.displaced
            && self.has_version;
        private.marks.filter(|_| is_plain)
    }

    pub(super) fn refresh(&self, private: &Private) -> RefreshSecret {
        let seen = (private.anchor.generation > 0).then(|| SeenSecret {
            generation: private.anchor.generation,
            version: private.seen,
            marks: self.confirmable(private),
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
    state.set("version", version.map(|version| version.number));
    state.set("revision", version.map(|version| version.revision));
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
    use jiff::Timestamp;

    use super::*;
    use crate::resources::private_state::tests::whole;
    use planton_core::operations::Origin;
    use planton_plugin::PrivateData;

    fn private() -> Private {
        Private {
            anchor: Anchor {
                organization: None,
                keys: None,
                deleting: false,
                finding: None,
                ..whole()
            },
            seen: Some((1, SeenDigest::of("payload"))),
            marks: Some(SecretMarks::from_bytes([7; SecretMarks::BYTES])),
            ..Private::default()
        }
    }

    #[test]
    fn private_data_round_trips_and_damage_is_an_error() {
        assert_eq!(Private::read(&PrivateData::new()), Ok(Private::default()));
        let stamp = whole().stamp.expect("a stamp");
        let origin = Origin {
            at: Timestamp::UNIX_EPOCH,
            host: Some("ci-7".to_owned()),
            folder: None,
            workspace: None,
            label: None,
        };
        let displacer = Owner {
            stamp,
            origin,
            adopted_from: None,
        };
        let all = Private {
            anchor: whole(),
            backend: Some(SeenBackend {
                name: Slug::parse("vault").expect("a slug"),
                uuid: Uuid::from_u128(4),
                generation: 2,
                digest: SeenDigest::of("settings"),
                keys_digest: Some(SeenDigest::of("keys")),
                is_static: true,
            }),
            displaced: true,
            displaced_by: Some((Uuid::from_u128(5), displacer)),
            compare: true,
            given: true,
            ..private()
        };
        for private in [all, private(), Private::default()] {
            let data = private.write();
            assert_eq!(Private::read(&data), Ok(private));
            let bytes = data.bytes(Private::KEY).expect("private data");
            let longer = [bytes, &[0]].concat();
            for damaged in (0..bytes.len())
                .map(|end| &bytes[..end])
                .chain([&longer[..]])
            {
                let data = PrivateData::new().with(Private::KEY, damaged);
                assert!(Private::read(&data).is_err(), "{damaged:?}");
            }
        }
    }

    /// Terraform writes the private data of every secret, in base64, after every resource.
    #[test]
    fn private_data_of_a_secret_takes_91_bytes() {
        assert_eq!(private().write().encode().len(), 91);
    }
}
