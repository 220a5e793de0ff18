//! View of a backend: everything but its credential.

use jiff::Timestamp;
use uuid::Uuid;

use super::BackendArguments;
use super::Backends;
use crate::catalog::{BackendDocument, BackendRecord, BackendState, KekRecord, Loaded, Owner};
use crate::kek::KekSettings;
use crate::names::Slug;
use crate::operations::{KeyNotes, OperationError};
use crate::store::{StoreCredential, StoreSettings};
use planton_envelope::KekId;

/// A backend without its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendView {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name.
    pub name: Slug,
    /// Human-readable description.
    pub description: Option<String>,
    /// Type, name prefix and configuration.
    pub settings: StoreSettings,
    /// Whether it has a credential of its own, instead of the vendor's ambient chain.
    pub is_static: bool,
    /// Whether it has a marker, which identifies its place at another address.
    pub is_marked: bool,
    /// Whether a deletion was begun and not finished.
    pub is_deleting: bool,
    /// The main key; `None` for the organization's own.
    pub encryption: Option<KekView>,
    /// The escrow keys.
    pub escrow: Vec<KekView>,
    /// Identifiers of the keys that wrap, the main key first.
    pub key_ids: Vec<KekId>,
    /// After a change: what it has found of the keys.
    pub key_notes: KeyNotes,
    /// Arguments.
    pub arguments: BackendArguments,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// The record's generation.
    pub generation: u64,
    /// Its owner.
    pub owner: Owner,
    /// The catalog's uuid.
    pub catalog: Uuid,
}

/// A key of a backend without its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KekView {
    /// Its permanent identifier.
    pub kek: KekId,
    /// Its settings.
    pub settings: KekSettings,
    /// Whether it has a credential of its own, instead of the vendor's ambient chain.
    pub is_static: bool,
}

impl From<&KekRecord> for KekView {
    fn from(record: &KekRecord) -> Self {
        Self {
            is_static: record.credential.is_some(),
            kek: record.kek.clone(),
            settings: record.settings.clone(),
        }
    }
}

/// Result of a refresh of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshedBackend {
    /// It exists, and its deletion may have begun.
    Present(Box<BackendView>),
    /// It was deleted.
    Gone,
    /// Its record is missing without a tombstone.
    RecordMissing,
}

impl BackendView {
    /// Makes the view of a record. `organization` is the organization's key.
    pub(crate) fn new(
        document: &BackendDocument,
        record: &BackendRecord,
        catalog: Uuid,
        organization: &KekId,
    ) -> Self {
        let keys = &record.keys;
        let main = keys.encryption.as_ref();
        let main = main.map_or(organization, |key| &key.kek);
        let escrow = keys.escrow.iter().map(|key| &key.kek);
        Self {
            encryption: keys.encryption.as_ref().map(KekView::from),
            escrow: keys.escrow.iter().map(KekView::from).collect(),
            key_ids: std::iter::once(main).chain(escrow).cloned().collect(),
            key_notes: KeyNotes::default(),
            uuid: record.uuid,
            name: record.name.clone(),
            description: record.description.clone(),
            settings: record.settings.clone(),
            is_static: record.credential.is_some(),
            is_marked: record.marker.is_some(),
            is_deleting: record.state == BackendState::Deleting,
            arguments: record.arguments.clone(),
            created_at: record.created_at,
            updated_at: record.updated_at,
            generation: document.generation,
            owner: record.owner.clone(),
            catalog,
        }
    }

    pub(crate) fn with_key_notes(self, key_notes: KeyNotes) -> Self {
        Self { key_notes, ..self }
    }
}

impl Backends<'_> {
    /// Checks settings, and a credential if one is given. Does no I/O.
    ///
    /// # Errors
    ///
    /// `Store`, whose path is the setting's name.
    pub fn check_settings(
        self,
        settings: &StoreSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), OperationError> {
        Ok(self
            .organization
            .platform
            .connector
            .check(settings, credential)?)
    }

    /// Returns the view of a record.
    pub(crate) fn view_of(
        self,
        document: &BackendDocument,
        record: &BackendRecord,
        catalog: Uuid,
    ) -> BackendView {
        let organization = self.organization.platform.kek.id();
        BackendView::new(document, record, catalog, organization)
    }

    /// Returns the names of all registered backends.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; failures of the catalog and the KEK.
    pub async fn in_use(self) -> Result<Vec<Slug>, OperationError> {
        self.organization.existing().await?;
        let mut names = Vec::new();
        for key in self.organization.catalog.list("backends").await? {
            let Some(Ok(name)) = key.as_str().strip_prefix("backends/").map(str::parse) else {
                continue;
            };
            if self.hold(&name).await?.document.backend.is_some() {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Finds a registered backend by name, in one request. The built-in backend has no
    /// record.
    ///
    /// # Errors
    ///
    /// `UnknownBackend`; failures of the catalog.
    pub async fn find(self, name: &Slug) -> Result<BackendView, OperationError> {
        let catalog = self.organization.existing().await?.uuid;
        let loaded = self.load(name).await?;
        let document = loaded.map(|loaded| loaded.record);
        let record = document
            .as_ref()
            .and_then(|document| Some((document, document.backend.as_ref()?)));
        let (document, record) = record.ok_or_else(|| super::connect::unknown(name))?;
        Ok(self.view_of(document, record, catalog))
    }

    /// Refreshes a backend that the caller saw at the generation `seen`. Sends no request to
    /// the backend, and none to a KEK unless the backend is gone.
    ///
    /// # Errors
    ///
    /// `BackendRolledBack`; failures of the catalog.
    ///
    /// # Security
    ///
    /// Verifies no MAC of a record that has the backend: the result is for display, and nothing is
    /// opened or written because of it. A record that ends it is verified if the MAC key is at
    /// hand.
    pub async fn refresh(
        self,
        name: &Slug,
        uuid: Uuid,
        seen: Option<u64>,
    ) -> Result<RefreshedBackend, OperationError> {
        let catalog = self.organization.existing().await?.uuid;
        let is_behind = |loaded: &Loaded<BackendDocument>| {
            seen.is_some_and(|seen| loaded.record.generation < seen)
        };
        let loaded = self.load_if(name, |loaded| !is_behind(loaded)).await?;
        let Some(loaded) = loaded else {
            return Ok(RefreshedBackend::RecordMissing);
        };
        if is_behind(&loaded) {
            return Err(OperationError::BackendRolledBack {
                backend: name.clone(),
                seen: seen.unwrap_or_default(),
                found: loaded.record.generation,
            });
        }
        let document = &loaded.record;
        let record = document.backend.as_ref();
        let floor = self.organization.catalog.floor.value();
        let is_abandoned = |seen| document.may_be_abandoned(uuid, seen, floor);
        Ok(match record.filter(|record| record.uuid == uuid) {
            Some(record) => {
                RefreshedBackend::Present(Box::new(self.view_of(document, record, catalog)))
            }
            None if seen.is_some_and(is_abandoned) => RefreshedBackend::RecordMissing,
            None => {
                self.organization.keys().verify_end(&loaded).await?;
                RefreshedBackend::Gone
            }
        })
    }
}
