//! The key of an embedded platform that does not exist yet.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use planton_core::kek::{
    KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, LocalKek, ProvisionKek, WrapContext,
};
use planton_envelope::{DataKey, KekId, LocalKey, WrappedKey};
use planton_vendors::embedded::sqlite::{DatabaseError, DatabaseErrorKind, EmbeddedDatabase};

/// The key of an organization on an embedded platform without database and key file. First use
/// creates both.
#[derive(Debug)]
pub(super) struct FirstKey {
    /// The key, once the database was opened.
    created: Arc<OnceLock<LocalKek>>,
    database: EmbeddedDatabase,
    /// The identifier before that. No wrap has it.
    unknown: KekId,
}

impl FirstKey {
    /// Returns the key that `database` sets when it is created, or when another process has
    /// created it.
    pub(super) fn new(created: Arc<OnceLock<LocalKek>>, database: EmbeddedDatabase) -> Self {
        Self {
            created,
            database,
            unknown: KekId {
                provider: "local".to_owned(),
                id: String::new(),
            },
        }
    }

    fn directory(&self) -> String {
        let path = self.database.path();
        path.parent().unwrap_or(path).display().to_string()
    }

    fn current(&self) -> Result<&LocalKek, KekError> {
        self.created.get().ok_or_else(|| {
            KekError::new(KekErrorKind::NotFound, "open key file", self.directory()).with_remedy(
                "The embedded platform does not exist yet: its first use creates the key file. \
                 Check the path.",
            )
        })
    }
}

fn of_database(path: String, error: DatabaseError) -> KekError {
    let kind = match error.kind() {
        DatabaseErrorKind::PermissionDenied => KekErrorKind::PermissionDenied,
        DatabaseErrorKind::Unavailable => KekErrorKind::Unavailable,
        DatabaseErrorKind::KeyMissing => KekErrorKind::NotFound,
        DatabaseErrorKind::Corrupt
        | DatabaseErrorKind::NewerSchema
        | DatabaseErrorKind::NotOurs
        | DatabaseErrorKind::Misconfigured => KekErrorKind::Misconfigured,
    };
    // The diagnostic is that of the source.
    KekError::new(kind, error.operation(), path).with_source(error)
}

#[async_trait]
impl KeyEncryptionKey for FirstKey {
    fn id(&self) -> &KekId {
        self.created
            .get()
            .map_or(&self.unknown, KeyEncryptionKey::id)
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.current()?.wrap(dek, context).await
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        self.current()?.unwrap(wrapped, context).await
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        self.current().ok()?.is_newest(wrapped, description)
    }

    fn max_wrapped_bytes(&self) -> usize {
        LocalKey::WRAPPED_BYTES
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        self.current()?.describe().await
    }
}

#[async_trait]
impl ProvisionKek for FirstKey {
    /// Does nothing: [`generate`](ProvisionKek::generate) has created the key file.
    async fn provision(&self) -> Result<(), KekError> {
        self.current().map(drop)
    }

    async fn generate(&self) -> Result<(), KekError> {
        let created = self.database.create().await;
        created.map_err(|error| of_database(self.directory(), error))
    }
}
