//! View of a secret: everything but its value.

use jiff::Timestamp;
use uuid::Uuid;

use super::Secrets;
use crate::catalog::{
    Owner, RecordKey, Revision, SecretArguments, SecretDocument, SecretMetadata, SecretRecord,
    VersionRecord,
};
use crate::marks::Mark;
use crate::names::{SecretName, Slug};
use crate::operations::held_document::HeldSecret;
use crate::operations::{Backend, OperationError, SeenBackend, SeenDigest};
use planton_envelope::SecretKind;

/// A secret without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretView {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name and scope.
    pub name: SecretName,
    /// Text or key-value.
    pub kind: SecretKind,
    /// The backend's name.
    pub backend: Slug,
    /// Description and labels.
    pub metadata: SecretMetadata,
    /// Arguments.
    pub arguments: SecretArguments,
    /// The current version; `None` if the secret has none.
    pub version: Option<VersionView>,
    /// Reference to the secret for other tools.
    pub reference: String,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change of value or metadata.
    pub updated_at: Timestamp,
    /// The record's generation.
    pub generation: u64,
    /// The catalog's uuid.
    pub catalog: Uuid,
    /// The backend's record as last seen; `None` for the built-in backend, and if the backend
    /// was not opened.
    pub backend_seen: Option<SeenBackend>,
    /// Reason why the source of a copy remains, although its deletion was requested.
    pub source_left: Option<String>,
    /// Its owner.
    pub owner: Owner,
    /// Whether an interrupted run created it and this run adopted it.
    pub is_adopted: bool,
    /// Whether it is displaced: another secret has taken its name, and may be deleted since.
    pub is_displaced: bool,
    /// The secret that has its name now, and the owner of that secret.
    pub displaced_by: Option<(Uuid, Owner)>,
    /// Marks of a secret on the built-in backend that has its name, as far as its storages list
    /// them.
    pub marks: ViewMarks,
}

/// The marks of a secret, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewMarks {
    /// Mark of the record.
    pub record: Option<Mark>,
    /// Mark of the current version. Unknown if this process neither wrote nor described it, and
    /// its storage lists what its identifier does not contain.
    pub version: Option<Mark>,
}

/// A version without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionView {
    /// Number, counted from 1.
    pub number: u64,
    /// Greater than the revision of every earlier version, including those of replaced
    /// secrets of the same name.
    pub revision: u64,
    /// The backend's own identifier.
    pub backend_version_id: String,
    /// The KEK that wraps its key.
    pub kek_id: String,
    /// Digest of the envelope's payload part, for the caller to keep.
    pub payload: SeenDigest,
}

impl SecretView {
    pub(crate) fn new(secret: &SecretRecord, document: &SecretDocument, catalog: Uuid) -> Self {
        let is_displaced = document.displaced.iter().any(|one| one.uuid == secret.uuid);
        let holder = document.current.as_ref().filter(|_| is_displaced);
        Self {
            uuid: secret.uuid,
            name: secret.name.clone(),
            kind: secret.kind,
            backend: secret.backend_name.clone(),
            metadata: secret.metadata.clone(),
            arguments: secret.arguments.clone(),
            version: secret.current_version().map(VersionView::new),
            reference: secret.reference(),
            created_at: secret.created_at,
            updated_at: secret.updated_at,
            generation: document.generation,
            catalog,
            backend_seen: None,
            source_left: None,
            owner: secret.owner.clone(),
            is_adopted: false,
            is_displaced,
            displaced_by: holder.map(|holder| (holder.uuid, holder.owner.clone())),
            marks: ViewMarks::default(),
        }
    }

    /// Marks the secret as adopted from an interrupted run.
    pub(crate) fn adopted(self) -> Self {
        Self {
            is_adopted: true,
            ..self
        }
    }

    /// Adds the reason why the source of a copy remains.
    pub(crate) fn leaving(self, source_left: Option<String>) -> Self {
        Self {
            source_left,
            ..self
        }
    }

    /// Adds the record of the opened backend.
    pub(crate) fn on(self, backend: &Backend) -> Self {
        Self {
            backend_seen: backend.seen.clone(),
            ..self
        }
    }
}

impl VersionView {
    fn new(version: &VersionRecord) -> Self {
        Self {
            number: version.number,
            revision: version.revision,
            backend_version_id: version.native_id.as_str().to_owned(),
            kek_id: version
                .keks
                .first()
                .map(|kek| kek.id.clone())
                .unwrap_or_default(),
            payload: SeenDigest::of(&version.payload_sha256),
        }
    }
}

impl Secrets<'_> {
    /// Returns the view of a secret that the document contains.
    pub(crate) async fn view(
        self,
        held: &HeldSecret,
        uuid: Uuid,
    ) -> Result<SecretView, OperationError> {
        let catalog = self.organization.existing().await?.uuid;
        let secret = held.document.secret(uuid);
        let secret = secret.expect("the caller holds this secret");
        let view = SecretView::new(secret, &held.document, catalog);
        Ok(self.with_marks(view, secret, (&held.name, held.revision)))
    }

    /// Adds the marks of the secret to its view, which is that of this revision.
    pub(crate) fn with_marks(
        self,
        view: SecretView,
        secret: &SecretRecord,
        (key, revision): (&RecordKey, Revision),
    ) -> SecretView {
        if view.is_displaced || secret.backend_name != Slug::platform_backend() {
            return view;
        }
        let store = &self.organization.platform.store;
        let current = secret.versions.last();
        let marks = ViewMarks {
            record: self.organization.catalog.mark(key, revision),
            version: current
                .and_then(|version| store.mark(&secret.remote_name, &version.native_id)),
        };
        SecretView { marks, ..view }
    }
}
