//! A key whose remedies are put into the words of its settings.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use planton_envelope::{DataKey, KekId, WrappedKey};

use super::{KekError, KeyDescription, KeyEncryptionKey, Rewrap, WrapContext, WrapNames};

/// A key whose type names the arguments of a backend in its remedies, in a place that has other
/// arguments.
pub(super) struct Reworded {
    pub(super) kek: Arc<dyn KeyEncryptionKey>,
    pub(super) reword: fn(&str) -> String,
}

/// Returns `error` with its remedy put into other words.
pub(super) fn reworded(reword: fn(&str) -> String, error: KekError) -> KekError {
    match error.remedy().map(reword) {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    }
}

impl Reworded {
    fn told<T>(&self, outcome: Result<T, KekError>) -> Result<T, KekError> {
        outcome.map_err(|error| reworded(self.reword, error))
    }
}

impl fmt::Debug for Reworded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kek.fmt(f)
    }
}

#[async_trait]
impl KeyEncryptionKey for Reworded {
    fn id(&self) -> &KekId {
        self.kek.id()
    }

    async fn prepare(&self) -> Result<(), KekError> {
        self.told(self.kek.prepare().await)
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.told(self.kek.wrap(dek, context).await)
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        self.told(self.kek.unwrap(wrapped, context).await)
    }

    fn claimed_names(&self, wrapped: &WrappedKey) -> Option<WrapNames> {
        self.kek.claimed_names(wrapped)
    }

    fn concurrency(&self) -> usize {
        self.kek.concurrency()
    }

    fn rewraps_in_service(&self) -> bool {
        self.kek.rewraps_in_service()
    }

    async fn rewrap(&self, wraps: &[Rewrap<'_>]) -> Vec<Result<WrappedKey, KekError>> {
        let all = self.kek.rewrap(wraps).await.into_iter();
        all.map(|one| self.told(one)).collect()
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        self.kek.is_newest(wrapped, description)
    }

    fn max_wrapped_bytes(&self) -> usize {
        self.kek.max_wrapped_bytes()
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        self.told(self.kek.describe().await)
    }
}
