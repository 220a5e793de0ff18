//! The key of an embedded platform whose key file is missing.

use std::path::Path;
use std::sync::OnceLock;

use async_trait::async_trait;

use planton_core::kek::{
    KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, ProvisionKek, WrapContext,
};
use planton_envelope::{DataKey, KekId, LocalKey, WrappedKey};

/// Stands for the keys of a key file that is missing beside its database.
///
/// A refresh needs no key, so the platform opens without it. Every use of the key fails, and
/// nothing is created in its place: no other key opens the records of the database.
#[derive(Debug)]
pub(super) struct MissingKey {
    path: String,
    remedy: String,
    /// The identifier before the record was read. No wrap has it.
    unknown: KekId,
    /// The key that the record names.
    recorded: OnceLock<KekId>,
}

impl MissingKey {
    /// Returns the key of the missing file at `path`. `remedy` tells how it comes back.
    pub(super) fn at(path: &Path, remedy: &str) -> Self {
        Self {
            path: path.display().to_string(),
            remedy: remedy.to_owned(),
            unknown: KekId {
                provider: "local".to_owned(),
                id: String::new(),
            },
            recorded: OnceLock::new(),
        }
    }

    fn error(&self) -> KekError {
        KekError::new(KekErrorKind::NotFound, "open key file", self.path.as_str())
            .with_remedy(self.remedy.as_str())
    }
}

#[async_trait]
impl KeyEncryptionKey for MissingKey {
    fn id(&self) -> &KekId {
        self.recorded.get().unwrap_or(&self.unknown)
    }

    async fn wrap(&self, _: &DataKey, _: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        Err(self.error())
    }

    async fn unwrap(&self, _: &WrappedKey, _: WrapContext<'_>) -> Result<DataKey, KekError> {
        Err(self.error())
    }

    fn is_newest(&self, _: &WrappedKey, _: &KeyDescription) -> Option<bool> {
        None
    }

    fn max_wrapped_bytes(&self) -> usize {
        LocalKey::WRAPPED_BYTES
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        Err(self.error())
    }
}

#[async_trait]
impl ProvisionKek for MissingKey {
    async fn provision(&self) -> Result<(), KekError> {
        Err(self.error())
    }

    fn is_recorded(&self) -> bool {
        true
    }

    async fn resolve(&self) -> Result<(), KekError> {
        Err(self.error())
    }

    async fn generate(&self) -> Result<(), KekError> {
        Err(self.error())
    }

    async fn resolve_newest(&self) -> Result<(), KekError> {
        Err(self.error())
    }

    async fn resolve_newest_version(&self) -> Result<(), KekError> {
        Err(self.error())
    }

    fn expect_recorded(&self, id: &KekId) -> Result<(), KekError> {
        let _first_wins = self.recorded.set(id.clone());
        Ok(())
    }
}
