//! Rejects a replacement that would silently switch to ambient credentials: the sealed ones
//! stay with the replaced backend.
//!
//! A replacement that Terraform is told to make (`-replace`, `replace_triggered_by`) is planned
//! as an update and then as a creation, which has no prior state. So the first plan notes the
//! backend in the private data that the second one gets. The plan of a tainted backend is a
//! creation alone, and the deletion gets its private data. Hence it notes which credentials are
//! missing, and the deletion compares: `resources/secret/replacement.rs` does the same.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::{bare_keys, path_of};
use super::settings::{AMBIENT, STATIC, TRIGGER, chosen, credential_source};
use super::state::Identity;
use crate::diagnostics::explain;
use crate::resources::private_state::{
    CompactField, PrivateState, read_json, read_optional, write_json, write_optional,
};
use crate::session::Configured;
use planton_core::names::Slug;
use planton_core::operations::{KekSlot, OperationError};
use planton_plugin::{
    AttributePath, Diagnostic, FieldReader, FieldWriter, InvalidPrivateData, Value,
};

/// Backend that a replacement removes, as the plan of its update found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    uuid: Uuid,
    name: Slug,
    /// `credentials_wo_version` of the state.
    trigger: Option<String>,
    /// Whether its own credential is sealed.
    is_static: bool,
}

impl PrivateState for Replaced {
    const KEY: &'static str = "replaces";
}

impl CompactField for Replaced {
    fn write_to(&self, to: &mut FieldWriter) {
        self.uuid.write_to(to);
        self.name.write_to(to);
        write_optional(to, self.trigger.as_ref());
        to.flag(self.is_static);
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Ok(Self {
            uuid: Uuid::read_from(from)?,
            name: Slug::read_from(from)?,
            trigger: read_optional(from)?,
            is_static: from.flag()?,
        })
    }
}

/// Configured backend and keys that have no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bare {
    /// `credentials_wo_version` of the configuration.
    trigger: Option<String>,
    /// Type of the backend, if its block has no credential.
    backend: Option<String>,
    /// Keys without a credential.
    keys: Vec<BareKey>,
}

/// Configured key that has no credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BareKey {
    /// Its position in `escrow`; absent for the main key.
    escrow: Option<usize>,
    /// Its type.
    kind: String,
}

impl PrivateState for Bare {
    const KEY: &'static str = "bare_credentials";
}

impl CompactField for Bare {
    fn write_to(&self, to: &mut FieldWriter) {
        write_optional(to, self.trigger.as_ref());
        write_optional(to, self.backend.as_ref());
        write_json(to, &self.keys);
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Ok(Self {
            trigger: read_optional(from)?,
            backend: read_optional(from)?,
            keys: read_json(from)?,
        })
    }
}

impl Bare {
    /// Returns what lacks a credential. `None` if nothing does, or if the trigger is unknown:
    /// its change asks for ambient credentials.
    pub(super) fn of(config: &Value) -> Option<Self> {
        if config.attribute(TRIGGER).is_unknown() {
            return None;
        }
        let source = credential_source(config);
        let is_bare = source.set().map(String::as_str) == Some(AMBIENT);
        let keys = bare_keys(config).into_iter();
        let bare = Self {
            trigger: trigger(config),
            backend: chosen(config)
                .filter(|_| is_bare)
                .map(|block| block.name().to_owned()),
            keys: keys.map(BareKey::new).collect(),
        };
        (bare.backend.is_some() || !bare.keys.is_empty()).then_some(bare)
    }
}

impl BareKey {
    fn new((slot, kind): (KekSlot, &'static str)) -> Self {
        Self {
            escrow: match slot {
                KekSlot::Encryption => None,
                KekSlot::Escrow(at) => Some(at),
            },
            kind: kind.to_owned(),
        }
    }

    fn path(&self) -> AttributePath {
        let slot = self.escrow.map_or(KekSlot::Encryption, KekSlot::Escrow);
        path_of(slot).then(self.kind.as_str())
    }
}

fn trigger(value: &Value) -> Option<String> {
    value.attribute(TRIGGER).as_str().map(str::to_owned)
}

impl Replaced {
    /// Returns the identity of the replaced backend.
    pub(super) fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// Returns its name.
    pub(super) fn name(&self) -> &Slug {
        &self.name
    }

    /// Reads the backend of a state.
    pub(super) fn of(prior: &Value) -> Result<Self, Diagnostic> {
        let Identity { uuid, name } = Identity::read(prior)?;
        Ok(Self {
            uuid,
            name,
            trigger: trigger(prior),
            is_static: prior.attribute("credential_source").as_str() == Some(STATIC),
        })
    }

    /// Returns the sealed credential that a successor without these credentials would lose.
    /// Without a session, only that of the backend itself.
    pub(super) async fn loses(
        &self,
        bare: Option<&Bare>,
        session: Option<&Configured>,
    ) -> Result<Option<Lost>, Diagnostic> {
        let Some(bare) = bare.filter(|bare| bare.trigger == self.trigger) else {
            return Ok(None);
        };
        if let (Some(kind), true) = (&bare.backend, self.is_static) {
            return Ok(Some(Lost::OfBackend(kind.as_str().into())));
        }
        let Some(session) = session.filter(|_| !bare.keys.is_empty()) else {
            return Ok(None);
        };
        let view = match session.organization.backends().find(&self.name).await {
            Ok(view) if view.uuid == self.uuid => view,
            Ok(_) | Err(OperationError::UnknownBackend { .. }) => return Ok(None),
            Err(error) => return Err(explain(&error)),
        };
        let is_static = |kind: &str| {
            let mut present = view.encryption.iter().chain(&view.escrow);
            present.any(|key| key.is_static && key.settings.kind == kind)
        };
        let lost = bare.keys.iter().find(|key| is_static(&key.kind));
        Ok(lost.map(|key| Lost::OfKey(key.path())))
    }

    /// Returns the diagnostic for a deletion that precedes the successor of a tainted backend.
    pub(super) fn refuses_taint(&self, lost: Lost) -> Diagnostic {
        let (summary, whose, path) = lost.parts();
        Diagnostic::error(
            summary,
            format!(
                "Terraform has marked secret backend {:?} as tainted and would replace it. The \
                 sealed credential of {whose} does not move to the new backend, and no credential \
                 is configured in its place. Nothing was changed.\n\nTo keep the backend, untaint \
                 it:\n\n  terraform untaint planton_secret_backend.<name>\n\nTo replace it, set \
                 the credential again. To use ambient credentials instead, change \
                 credentials_wo_version as well.",
                self.name.as_str()
            ),
        )
        .at(path)
    }
}

/// Sealed credential that would be lost, with the path of the block that lacks one.
#[derive(Debug)]
pub(super) enum Lost {
    OfBackend(AttributePath),
    OfKey(AttributePath),
}

impl Lost {
    fn parts(self) -> (&'static str, &'static str, AttributePath) {
        match self {
            Self::OfBackend(path) => ("Backend Credential Missing", "the backend", path),
            Self::OfKey(path) => ("Key Credential Missing", "its key", path),
        }
    }

    /// Returns the diagnostic for a plan that replaces the backend.
    pub(super) fn refuses_replacement(self) -> Diagnostic {
        let (summary, whose, path) = self.parts();
        Diagnostic::error(
            summary,
            format!(
                "This change replaces the backend. The sealed credential of {whose} does not move \
                 to the new backend, and no credential is configured in its place.\n\nSet the \
                 credential again. To use ambient credentials instead, change \
                 credentials_wo_version as well."
            ),
        )
        .at(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "1b4e4c9e-0000-8000-8000-000000000001";

    fn config(trigger: Value) -> Value {
        let keys = Value::object([("key_id", Value::from("alias/a"))]);
        let block = Value::object([("region", Value::from("eu-central-1"))]);
        Value::object([
            (TRIGGER, trigger),
            ("aws_secrets_manager", block),
            ("encryption", Value::object([("aws_kms", keys)])),
        ])
    }

    fn replaced(trigger: Option<&str>, source: &str) -> Replaced {
        let state = Value::object([
            ("id", Value::from(UUID)),
            ("name", "own".into()),
            (TRIGGER, trigger.into()),
            ("credential_source", source.into()),
        ]);
        Replaced::of(&state).expect("a state")
    }

    #[tokio::test]
    async fn a_sealed_credential_is_lost_unless_the_trigger_changes() {
        let bare = Bare::of(&config(Value::Null)).expect("no credential");
        assert_eq!(bare.keys[0].kind, "aws_kms");
        for (trigger, source, is_lost) in [
            (None, STATIC, true),
            (None, AMBIENT, false),
            (Some("1"), STATIC, false),
        ] {
            let lost = replaced(trigger, source).loses(Some(&bare), None).await;
            assert_eq!(lost.expect("no request").is_some(), is_lost, "{source}");
        }
        let lost = replaced(None, STATIC).loses(None, None).await;
        assert!(lost.expect("no request").is_none());
    }

    #[test]
    fn what_has_a_credential_or_may_get_one_is_not_bare() {
        assert_eq!(Bare::of(&config(Value::Unknown)), None);
        let secret = Value::object([("secret_access_key_wo", Value::Unknown)]);
        let config = config(Value::Null).with("aws_secrets_manager", secret.clone());
        let keys = Value::object([("aws_kms", secret)]);
        let bare = Bare::of(&config).expect("the key");
        assert_eq!((bare.backend, bare.keys.len()), (None, 1));
        assert_eq!(Bare::of(&config.with("encryption", keys)), None);
    }

    #[test]
    fn both_notes_round_trip_side_by_side() {
        let replaced = replaced(Some("1"), STATIC);
        let bare = Bare::of(&config("1".into())).expect("no credential");
        let data = bare.beside(replaced.write());
        assert_eq!(Replaced::stored(&data), Ok(Some(replaced)));
        assert_eq!(Bare::stored(&data), Ok(Some(bare)));
    }
}
