//! The private data that resources keep beside their state: identifiers and digests, never
//! a secret.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::diagnostics::{Finding, explain};
use crate::session::Configured;
use planton_core::operations::{OperationError, Owner, Stamp};
use planton_plugin::{Diagnostic, PrivateData};

/// One typed part of a resource's private data.
pub(super) trait PrivateState: Serialize + DeserializeOwned {
    /// The key of this part; states contain it, so it never changes.
    const KEY: &'static str;

    /// Reads this part; `None` where nothing is stored.
    ///
    /// # Errors
    ///
    /// `Resource State Not Readable` for damaged data. It never counts as none: the
    /// protection against a rollback depends on it.
    fn stored(data: &PrivateData) -> Result<Option<Self>, Diagnostic> {
        let Some(bytes) = data.bytes(Self::KEY) else {
            return Ok(None);
        };
        serde_json::from_slice(bytes)
            .map(Some)
            .map_err(|_| unreadable())
    }

    /// Reads this part; the default where nothing is stored.
    ///
    /// # Errors
    ///
    /// As [`stored`](Self::stored).
    fn read(data: &PrivateData) -> Result<Self, Diagnostic>
    where
        Self: Default,
    {
        Ok(Self::stored(data)?.unwrap_or_default())
    }

    /// Adds this part to `data`.
    fn beside(&self, data: PrivateData) -> PrivateData {
        let bytes = serde_json::to_vec(self).expect("plain fields serialize");
        data.with(Self::KEY, bytes)
    }

    /// Returns private data of this part alone.
    fn write(&self) -> PrivateData {
        self.beside(PrivateData::new())
    }
}

fn unreadable() -> Diagnostic {
    Diagnostic::error(
        "Resource State Not Readable",
        "What this provider keeps beside the state of this resource is damaged, or was \
         written by a later release.\n\nUpgrade the provider; or restore the state from a \
         backup; or remove the resource from it (terraform state rm) and import it again.",
    )
}

/// Ties a resource's state to the catalog that it was made in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    /// The catalog's uuid.
    pub(super) catalog: Option<Uuid>,
    /// The organization that the catalog belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<String>,
    /// The commitment of the MAC key that records stood under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mac_key: Option<String>,
    /// The record's generation when it was last seen; 0 right after an import.
    #[serde(default)]
    pub(super) generation: u64,
    /// A deletion was begun and not finished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) deleting: bool,
    /// The stamp of this state's own creation or adoption, or the one that an import
    /// found. A read never moves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stamp: Option<Stamp>,
    /// Why this state may not act on the record any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finding: Option<Finding>,
}

/// What was written to the catalog.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed {
    /// The catalog's uuid.
    pub(super) catalog: Uuid,
    /// The record's generation.
    pub(super) generation: u64,
    /// Whose it is: this state's.
    pub(super) stamp: Stamp,
}

/// Says that the provider is configured for another organization than the one that
/// a resource was made in.
fn renamed(before: &str, now: &str) -> Diagnostic {
    Diagnostic::error(
        "Different Organization",
        format!(
            "This resource belongs to organization {before:?}, and the provider is configured for \
             {now:?}. An organization cannot be renamed: its name is part of every record and key.\n\n\
             Set organization in the provider block (or PLANTON_ORG) to {before:?} again. To begin \
             anew in {now:?}, remove the resource from the state (terraform state rm)."
        ),
    )
}

impl PrivateState for Anchor {
    const KEY: &'static str = "anchor";
}

impl Anchor {
    /// Takes the catalog as it is now, after something was written to it.
    ///
    /// # Errors
    ///
    /// Failures of the platform.
    pub(super) async fn of(session: &Configured, written: Committed) -> Result<Self, Diagnostic> {
        let mac_key = session.organization.keys().commitment().await;
        Ok(Self {
            catalog: Some(written.catalog),
            organization: Some(session.organization.slug().to_string()),
            mac_key: Some(mac_key.map_err(|error| explain(&error))?),
            generation: written.generation,
            deleting: false,
            stamp: Some(written.stamp),
            finding: None,
        })
    }

    /// Takes what a read found of a record that belongs to `owner`: where this state
    /// knows no stamp, it is the creator's, and another one is a finding.
    pub(super) fn found(self, owner: &Owner) -> Self {
        let stamp = self.stamp.unwrap_or_else(|| owner.presumed_stamp());
        Self {
            stamp: Some(stamp),
            finding: (stamp != owner.stamp).then_some(Finding::OtherOwner),
            ..self
        }
    }

    /// Takes it that the record was found missing.
    pub(super) fn missing(self) -> Self {
        Self {
            finding: Some(Finding::RecordMissing),
            ..self
        }
    }

    /// Refuses another catalog than the one that the resource was made in.
    ///
    /// # Errors
    ///
    /// `Different Platform`.
    pub(super) async fn expect_catalog(&self, session: &Configured) -> Result<(), Diagnostic> {
        let Some(catalog) = self.catalog else {
            return Ok(());
        };
        let expected = session.organization.expect_catalog(catalog).await;
        expected.map_err(|error| {
            let own = session.organization.slug().as_str();
            match (&error, &self.organization) {
                (OperationError::DifferentPlatform { .. }, Some(other)) if other != own => {
                    renamed(other, own)
                }
                _ => explain(&error),
            }
        })
    }

    /// Refuses to write where records stand under another MAC key than before.
    ///
    /// # Errors
    ///
    /// As [`expect_catalog`](Self::expect_catalog), and `Catalog Key Replaced`.
    pub(super) async fn expect_same(&self, session: &Configured) -> Result<(), Diagnostic> {
        self.expect_catalog(session).await?;
        let Some(mac_key) = &self.mac_key else {
            return Ok(());
        };
        let expected = session.organization.keys().expect_commitment(mac_key).await;
        expected.map_err(|error| explain(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_comes_back_and_damage_is_an_error_never_nothing() {
        assert_eq!(Anchor::read(&PrivateData::new()), Ok(Anchor::default()));
        let anchor = Anchor {
            generation: 7,
            mac_key: Some("00".to_owned()),
            ..Anchor::default()
        };
        assert_eq!(Anchor::read(&anchor.write()), Ok(anchor));
        for damaged in [r#"{"catalog":1}"#, "", "{"] {
            let data = PrivateData::new().with(Anchor::KEY, damaged);
            assert!(Anchor::read(&data).is_err(), "{damaged}");
        }
    }
}
