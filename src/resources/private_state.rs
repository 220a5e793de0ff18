//! Private data of all resources, which the host stores with the state: identifiers and
//! digests, never a secret.

mod fields;

use uuid::Uuid;

use crate::diagnostics::{Finding, explain, renamed_organization};
use crate::session::Configured;
use planton_core::operations::{OperationError, OrganizationFingerprint, Owner, SeenKeys, Stamp};
use planton_plugin::{Diagnostic, FieldReader, FieldWriter, InvalidPrivateData, PrivateData};

pub(in crate::resources) use fields::{
    CompactField, read_json, read_optional, write_json, write_optional,
};

/// Typed part of a resource's private data. Its encoding is that of its fields.
pub(super) trait PrivateState: CompactField {
    /// Key of this part: one letter if states contain it.
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
        let read = || {
            let mut from = FieldReader::new(bytes)?;
            let part = Self::read_from(&mut from)?;
            from.finish()?;
            Ok(Some(part))
        };
        read().map_err(|InvalidPrivateData| unreadable())
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
        let mut to = FieldWriter::new();
        self.write_to(&mut to);
        data.with(Self::KEY, to.finish())
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Anchor {
    /// UUID of the catalog.
    pub(super) catalog: Option<Uuid>,
    /// Organization that the catalog belongs to.
    pub(super) organization: Option<String>,
    /// Fingerprint of the MAC key that authenticated the record at the last write.
    pub(super) mac_key: Option<OrganizationFingerprint>,
    /// Escrow keys of the organization as last seen in a verified record; absent if it never
    /// had any.
    pub(super) keys: Option<SeenKeys>,
    /// Generation of the record when it was last seen; 0 right after an import.
    pub(super) generation: u64,
    /// A deletion was started and not finished.
    pub(super) deleting: bool,
    /// Stamp of this state's own creation or adoption, or the stamp that an import found. A
    /// read never changes it.
    pub(super) stamp: Option<Stamp>,
    /// Reason why this state may no longer act on the record.
    pub(super) finding: Option<Finding>,
}

impl CompactField for Anchor {
    fn write_to(&self, to: &mut FieldWriter) {
        write_optional(to, self.catalog.as_ref());
        write_optional(to, self.organization.as_ref());
        to.optional(self.mac_key, |to, key| to.fixed(&key.to_bytes()));
        to.number(self.generation);
        write_optional(to, self.stamp.as_ref());
        to.flag(self.deleting);
        to.optional(self.finding, |to, finding| {
            to.flag(finding == Finding::RecordMissing);
        });
        write_optional(to, self.keys.as_ref());
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        let mac_key = |from: &mut FieldReader<'_>| {
            let bytes = from.fixed()?;
            Ok(OrganizationFingerprint::from_bytes(bytes))
        };
        let finding = |from: &mut FieldReader<'_>| {
            Ok(match from.flag()? {
                true => Finding::RecordMissing,
                false => Finding::OtherOwner,
            })
        };
        Ok(Self {
            catalog: read_optional(from)?,
            organization: read_optional(from)?,
            mac_key: from.optional(mac_key)?,
            generation: from.number()?,
            stamp: read_optional(from)?,
            deleting: from.flag()?,
            finding: from.optional(finding)?,
            keys: read_optional(from)?,
        })
    }
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
    const KEY: &'static str = "a";
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
        let mac_key = keys.fingerprint().await.map_err(|error| explain(&error))?;
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
        if let Some(keys) = self.keys {
            session.organization.keys().remember(keys);
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
        if let Some(mac_key) = self.mac_key {
            let keys = session.organization.keys();
            let expected = keys.expect_fingerprint(mac_key).await;
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
    use std::sync::Arc;

    use super::*;
    use crate::session::PartlyKnown;
    use crate::setting::Setting;
    use planton_core::catalog::InMemoryCatalog;
    use planton_core::kek::LocalKek;
    use planton_core::names::Slug;
    use planton_core::operations::{Interrupt, Organization, Platform, RunId, SeenDigest};
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
        Configured::new(
            organization,
            PartlyKnown {
                default_environment: Setting::Absent,
                default_labels: Setting::Absent,
            },
        )
    }

    #[tokio::test]
    async fn keys_that_were_seen_in_another_catalog_are_not_remembered() {
        let session = session().await;
        let foreign = Anchor {
            catalog: Some(Uuid::from_u128(7)),
            keys: Some(SeenKeys {
                generation: 9,
                digest: Some(SeenDigest::of("a")),
            }),
            ..Anchor::default()
        };
        let refused = foreign.expect_catalog(&session).await;
        let refused = refused.expect_err("another catalog");
        assert_eq!(refused.summary, "Different Platform");
        assert_eq!(session.organization.keys().seen().await, None);
    }

    /// Returns an anchor with all fields.
    pub(in crate::resources) fn whole() -> Anchor {
        Anchor {
            catalog: Some(Uuid::from_u128(1)),
            organization: Some("acme".to_owned()),
            mac_key: Some(OrganizationFingerprint::from_bytes([2; 16])),
            keys: Some(SeenKeys {
                generation: 1 << 53,
                digest: Some(SeenDigest::of("keys")),
            }),
            generation: 7,
            deleting: true,
            stamp: Some(Stamp {
                run: RunId::new(Uuid::from_u128(3)),
                generation: 300,
            }),
            finding: Some(Finding::RecordMissing),
        }
    }

    #[test]
    fn an_anchor_round_trips_and_damage_is_an_error() {
        assert_eq!(Anchor::read(&PrivateData::new()), Ok(Anchor::default()));
        let other_owner = Anchor {
            finding: Some(Finding::OtherOwner),
            ..Anchor::default()
        };
        for anchor in [whole(), other_owner, Anchor::default()] {
            let data = anchor.write();
            assert_eq!(Anchor::read(&data), Ok(anchor));
            let bytes = data.bytes(Anchor::KEY).expect("an anchor");
            let longer = [bytes, &[0]].concat();
            let cut = (0..bytes.len()).map(|end| &bytes[..end]);
            for damaged in cut.chain([&longer[..], b"{}"]) {
                let data = PrivateData::new().with(Anchor::KEY, damaged);
                let told = Anchor::read(&data).expect_err("damaged").summary;
                assert_eq!(told, "Resource State Not Readable", "{damaged:?}");
            }
        }
    }
}
