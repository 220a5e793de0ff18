//! An organization's keys, as text and as JSON.

use std::fmt::Write as _;

use planton_core::operations::{
    KekView, KeyDescription, KeyRotation, KeyStatus, OrganizationStatus, pin_of,
};
use serde::Serialize;
use serde_json::Value as Json;

/// An organization.
#[derive(Debug, Serialize)]
pub(super) struct OrganizationReport {
    organization: String,
    uuid: String,
    generation: u64,
    fingerprint: String,
    keys: Vec<KeyReport>,
    /// What `allowed_key_ids` has to contain.
    key_ids: Vec<String>,
    /// Time of the backup of a restore that nobody has accepted yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    restored_from: Option<String>,
}

/// A key.
#[derive(Debug, Serialize)]
pub(super) struct KeyReport {
    id: String,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_version: Option<u64>,
    /// Whether something is wrapped under an older version of the key, where that shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    rewrap_due: Option<bool>,
    /// Settings of an escrow key. Nothing in them is secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Json>,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    Main,
    Mac,
    Escrow,
    Former,
}

impl Role {
    fn text(self) -> &'static str {
        match self {
            Self::Main => "main key",
            Self::Mac => "key of the catalog's MAC key",
            Self::Escrow => "escrow key",
            Self::Former => "former key, opens only",
        }
    }
}

impl From<&OrganizationStatus> for OrganizationReport {
    fn from(status: &OrganizationStatus) -> Self {
        let mut keys = vec![KeyReport::described(&status.main, Role::Main)];
        if status.mac.id != status.main.id {
            keys.push(KeyReport::described(&status.mac, Role::Mac));
        }
        keys.extend(status.escrow.iter().map(KeyReport::from));
        keys.extend(status.former.iter().map(|id| KeyReport {
            id: pin_of(id),
            role: Role::Former,
            rotation: None,
            newest_version: None,
            rewrap_due: None,
            settings: None,
        }));
        Self {
            organization: status.organization.to_string(),
            uuid: status.uuid.to_string(),
            generation: status.generation,
            fingerprint: status.fingerprint.to_string(),
            keys,
            key_ids: status.wrapping().into_iter().map(pin_of).collect(),
            restored_from: status.restored_from.map(|at| at.to_string()),
        }
    }
}

impl OrganizationReport {
    pub(super) fn text(&self) -> String {
        let Self {
            organization,
            uuid,
            fingerprint,
            keys,
            key_ids,
            restored_from,
            ..
        } = self;
        let mut text = format!(
            "Organization: {organization} ({uuid})\nFingerprint:  {fingerprint}\n\nKeys:\n{}",
            table(keys)
        );
        let _ = write!(
            text,
            "\n\nPins for the provider block (or PLANTON_ORGANIZATION_FINGERPRINT and \
             PLANTON_ALLOWED_KEY_IDS):\n\n  organization_fingerprint = {fingerprint:?}\n  \
             allowed_key_ids = [\n"
        );
        for id in key_ids {
            let _ = writeln!(text, "    {id:?},");
        }
        text.push_str("  ]");
        if let Some(at) = restored_from {
            let _ = write!(
                text,
                "\n\nThe catalog was restored from the backup of {at}. States that have seen newer \
                 records refuse it, until you run terraform-provider-planton platform \
                 accept-rollback."
            );
        }
        text
    }
}

impl KeyReport {
    fn described(status: &KeyStatus, role: Role) -> Self {
        let description = status.description.as_ref();
        Self {
            id: pin_of(&status.id),
            role,
            rotation: description.map(rotation),
            newest_version: description.and_then(|description| description.newest_version),
            rewrap_due: status.is_rewrap_due,
            settings: None,
        }
    }

    fn text(&self) -> String {
        let mut text = format!("  {}\n    {}", self.id, self.role.text());
        if let Some(version) = self.newest_version {
            let _ = write!(text, ", version {version}");
        }
        if let Some(rotation) = &self.rotation {
            let _ = write!(text, ", {rotation}");
        }
        if self.rewrap_due == Some(true) {
            text.push_str(
                "\n    rewrap due: a wrap is under an older version of the key; \
                 terraform-provider-planton rewrap moves it",
            );
        }
        if let Some(Json::Object(settings)) = &self.settings {
            for (name, value) in settings {
                let _ = match value {
                    Json::String(value) => write!(text, "\n    {name}: {value}"),
                    value => write!(text, "\n    {name}: {value}"),
                };
            }
        }
        text
    }
}

impl From<&KekView> for KeyReport {
    fn from(key: &KekView) -> Self {
        let mut settings = serde_json::Map::from_iter([(
            "type".to_owned(),
            Json::from(key.settings.kind.as_str()),
        )]);
        settings.extend(key.settings.configuration.clone());
        Self {
            id: pin_of(&key.kek),
            role: Role::Escrow,
            rotation: None,
            newest_version: None,
            rewrap_due: None,
            settings: Some(Json::Object(settings)),
        }
    }
}

/// Returns the keys, one after the other.
pub(super) fn table(keys: &[KeyReport]) -> String {
    let keys: Vec<_> = keys.iter().map(KeyReport::text).collect();
    keys.join("\n")
}

fn rotation(description: &KeyDescription) -> String {
    match description.rotation {
        KeyRotation::Every(period) => {
            format!("rotates every {} days", period.as_secs() / (24 * 60 * 60))
        }
        KeyRotation::Automatic => "rotates automatically".to_owned(),
        KeyRotation::Manual => "rotates when somebody rotates it".to_owned(),
        KeyRotation::Never => "never rotates".to_owned(),
        KeyRotation::Unknown => "rotation unknown".to_owned(),
    }
}
