//! Key encryption keys: they wrap data encryption keys, and never see a payload.

mod error;
mod local;

use std::fmt::Debug;

use async_trait::async_trait;

use planton_envelope::{DataKey, KekId, WrapBinding, WrappedKey};

pub use error::{KekError, KekErrorKind};
pub use local::LocalKek;

/// A key encryption key.
///
/// Implementations retry what is safe to retry and bound the time. A key that
/// is missing, disabled or destroyed is an error, and never leads to a new one.
#[async_trait]
pub trait KeyEncryptionKey: Send + Sync + Debug + 'static {
    /// Returns the canonical identifier: stable across restarts, never an alias.
    fn id(&self) -> &KekId;

    /// Wraps `dek` under this key, bound to `binding`.
    ///
    /// # Errors
    ///
    /// By meaning, see [`KekErrorKind`].
    async fn wrap(&self, dek: &DataKey, binding: &WrapBinding) -> Result<WrappedKey, KekError>;

    /// Unwraps what [`wrap`](Self::wrap) gave for the same binding.
    ///
    /// # Errors
    ///
    /// `Refused` for a wrap of another key, another binding, or an altered one.
    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        binding: &WrapBinding,
    ) -> Result<DataKey, KekError>;
}

/// A platform's means to bring an organization's KEK into being.
///
/// Called only while the organization's record is `initializing`: at any other
/// time a missing key is an error.
#[async_trait]
pub trait ProvisionKek: KeyEncryptionKey {
    /// Creates the key where it does not exist; leaves an existing one as it is.
    ///
    /// # Errors
    ///
    /// `PermissionDenied`, with the exact policy to grant as its remedy.
    async fn provision(&self) -> Result<(), KekError>;
}
