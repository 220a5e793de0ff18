//! Private data of all resources, which the host stores with the state: identifiers and
//! digests, never a secret.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::diagnostics::{Finding, explain, renamed_organization};
use crate::session::Configured;
use planton_core::operations::{OperationError, Owner, SeenKeys, Stamp};
use planton_plugin::{Diagnostic, PrivateData};

/// Typed part of a resource's private data.
pub(super) trait PrivateState: Serialize + DeserializeOwned {
    /// Key of this part. States contain it, so it never changes.
    const KEY: &'static str;

    /// Reads this part. Returns `None` if it is not stored.
    ///
    /// # Errors
    ///
    /// `Resource State Not Readable` for damaged data, which never counts as absent: the
    /// rollback guard depends on it.
    fn stored(data: &PrivateData) -> Result<Option<Self>, Diagnostic> {
        let Some(bytes) = data.bytes(Self::KEY) else {
            return Ok(None);
        };
        serde_json::from_slice(bytes)
            .map(Some)
            .map_err(|_| unreadable())
    }

    /// Reads this part. Returns the default if it is not stored.
    ///
    /// # Errors
    ///
    /// Those of [`stored`](Self::stored).
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
        "The provider's private data of this resource is damaged, or was written by a later \
         release.\n\nUpgrade the provider. If that does not help, restore the state from a backup, \
         or remove the resource from it (terraform state rm) and import it again.",
    )
}

/// Ties a resource's state to the catalog that it was created in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    /// UUID of the catalog.
    pub(super) catalog: Option<Uuid>,
    /// Organization that the catalog belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<String>,
    /// Commitment of the MAC key that authenticated the record at the last write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mac_key: Option<String>,
    /// Escrow keys of the organization as last seen in a verified record; absent if it never
    /// had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<SeenKeys>,
    /// Generation of the record when it was last seen; 0 right after an import.
    #[serde(default)]
    pub(super) generation: u64,
    /// A deletion was started and not finished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) deleting: bool,
    /// Stamp of this state's own creation or adoption, or the stamp that an import found. A
    /// read never changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stamp: Option<Stamp>,
    /// Reason why this state may no longer act on the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finding: Option<Finding>,
}

/// Commit of a record to the catalog.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed {
    /// UUID of the catalog.
    pub(super) catalog: Uuid,
    /// Generation of the record.
    pub(super) generation: u64,
    /// Stamp of the record, which this state owns.
    pub(super) stamp: Stamp,
}

impl PrivateState for Anchor {
    const KEY: &'static str = "anchor";
}

impl Anchor {
    /// Creates the anchor of a record that was just written.
    ///
    /// # Errors
    ///
    /// Failures of the platform.
    pub(super) async fn of(session: &Configured, written: Committed) -> Result<Self, Diagnostic> {
        let anchor = Self {
            catalog: Some(written.catalog),
            organization: Some(session.organization.slug().to_string()),
            generation: written.generation,
            stamp: Some(written.stamp),
            ..Self::default()
        };
        anchor.authenticated(session).await
    }

    /// Sets what a write has seen of the organization: its MAC key and its escrow keys.
    ///
    /// # Errors
    ///
    /// Failures of the platform.
    pub(super) async fn authenticated(self, session: &Configured) -> Result<Self, Diagnostic> {
        let keys = session.organization.keys();
        let mac_key = keys.commitment().await.map_err(|error| explain(&error))?;
        Ok(Self {
            mac_key: Some(mac_key),
            keys: keys.seen().await,
            ..self
        })
    }

    /// Takes newer escrow keys of the organization after a read, if the process has verified
    /// its record. A read itself needs no key.
    pub(super) async fn with_newer_keys(self, session: &Configured) -> Self {
        let seen = session.organization.keys().seen().await;
        let known = self.keys.as_ref().map_or(0, |keys| keys.generation);
        let newer = seen.filter(|seen| seen.generation > known);
        Self {
            keys: newer.or(self.keys),
            ..self
        }
    }

    /// Updates the anchor after a read that found a record of `owner`. A state without a
    /// stamp takes the creator's. Another stamp than the state's is a finding.
    pub(super) fn found(self, owner: &Owner) -> Self {
        let stamp = self.stamp.unwrap_or_else(|| owner.presumed_stamp());
        Self {
            stamp: Some(stamp),
            finding: (stamp != owner.stamp).then_some(Finding::OtherOwner),
            ..self
        }
    }

    /// Updates the anchor after a read that found no record.
    pub(super) fn missing(self) -> Self {
        Self {
            finding: Some(Finding::RecordMissing),
            ..self
        }
    }

    /// Checks that the catalog is the one that the resource was created in, and then registers
    /// the escrow keys that were seen. Nothing is wrapped for those of an older record.
    ///
    /// Keys that were seen in another catalog are not registered: they would block this
    /// catalog's records, and the states of other resources would take them over.
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
                    renamed_organization(other, own)
                }
                _ => explain(&error),
            }
        })?;
        if let Some(keys) = &self.keys {
            session.organization.keys().remember(keys.clone());
        }
        Ok(())
    }

    /// Checks, before a write, that the records are still authenticated with the same MAC key.
    /// This is enough for a deletion, which wraps nothing.
    ///
    /// # Errors
    ///
    /// Those of [`expect_catalog`](Self::expect_catalog), and `Catalog Key Replaced`.
    pub(super) async fn expect_authentic(&self, session: &Configured) -> Result<(), Diagnostic> {
        self.expect_catalog(session).await?;
        if let Some(mac_key) = &self.mac_key {
            let keys = session.organization.keys();
            let expected = keys.expect_commitment(mac_key).await;
            expected.map_err(|error| explain(&error))?;
        }
        Ok(())
    }

    /// Checks, before a write that may wrap, what [`expect_authentic`](Self::expect_authentic)
    /// checks, and that no older record brings an escrow key of the organization back.
    ///
    /// # Errors
    ///
    /// Those of [`expect_authentic`](Self::expect_authentic), and `Organization Rolled Back`.
    pub(super) async fn expect_same(&self, session: &Configured) -> Result<(), Diagnostic> {
        self.expect_authentic(session).await?;
        if let Some(seen) = &self.keys {
            let expected = session.organization.keys().expect_seen(seen).await;
            expected.map_err(|error| explain(&error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use planton_core::catalog::InMemoryCatalog;
    use planton_core::kek::LocalKek;
    use planton_core::names::Slug;
    use planton_core::operations::{Interrupt, Organization, Platform};
    use planton_core::store::InMemoryStore;
    use planton_envelope::RootKey;
    use planton_vendors::{Connector, KekConnector};

    /// Returns the session of a new organization in memory.
    pub(in crate::resources) async fn session() -> Configured {
        let slug = Slug::parse("acme").expect("a slug");
        let root = RootKey::generate().expect("randomness");
        let kek = Arc::new(LocalKek::new(&root, &slug));
        let platform = Platform {
            catalog: Arc::new(InMemoryCatalog::new()),
            mac_kek: kek.clone(),
            kek,
            former_keks: Vec::new(),
            kek_connector: Arc::new(KekConnector::default()),
            store: Arc::new(InMemoryStore::default()),
            connector: Arc::new(Connector::default()),
        };
        let organization = Organization::new(slug, platform);
        let interrupt = Interrupt::default();
        let initialized = organization.keys().initialize(&[], &interrupt).await;
        initialized.expect("a new organization");
        Configured::new(organization, None, BTreeMap::new())
    }

    #[tokio::test]
    async fn keys_that_were_seen_in_another_catalog_are_not_remembered() {
        let session = session().await;
        let foreign = Anchor {
            catalog: Some(Uuid::from_u128(7)),
            keys: Some(SeenKeys {
                generation: 9,
                digest: Some("00".to_owned()),
            }),
            ..Anchor::default()
        };
        let refused = foreign.expect_catalog(&session).await;
        let refused = refused.expect_err("another catalog");
        assert_eq!(refused.summary, "Different Platform");
        assert_eq!(session.organization.keys().seen().await, None);
    }

    #[test]
    fn an_anchor_round_trips_and_damage_is_an_error() {
        assert_eq!(Anchor::read(&PrivateData::new()), Ok(Anchor::default()));
        let anchor = Anchor {
            generation: 7,
            mac_key: Some("00".to_owned()),
            keys: Some(SeenKeys {
                generation: 3,
                digest: None,
            }),
            ..Anchor::default()
        };
        assert_eq!(Anchor::read(&anchor.write()), Ok(anchor));
        for damaged in [r#"{"catalog":1}"#, "", "{"] {
            let data = PrivateData::new().with(Anchor::KEY, damaged);
            assert!(Anchor::read(&data).is_err(), "{damaged}");
        }
    }
}
