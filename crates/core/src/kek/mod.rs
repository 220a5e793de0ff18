//! Defines key encryption keys, which wrap data encryption keys and never receive a
//! payload.

mod error;
mod local;

use std::fmt::Debug;

use async_trait::async_trait;

use planton_envelope::{DataKey, KekId, WrapBinding, WrappedKey};

pub use error::{KekError, KekErrorKind};
pub use local::LocalKek;

/// A key encryption key.
///
/// Implementations retry requests that are safe to retry, within a time limit. A
/// missing, disabled or destroyed key is an error. Implementations never create a key
/// in response.
#[async_trait]
pub trait KeyEncryptionKey: Send + Sync + Debug + 'static {
    /// Returns the canonical identifier of the key: stable across restarts, never an
    /// alias.
    fn id(&self) -> &KekId;

    /// Wraps `dek` under this key, bound to `binding`.
    ///
    /// # Errors
    ///
    /// See [`KekErrorKind`].
    async fn wrap(&self, dek: &DataKey, binding: &WrapBinding) -> Result<WrappedKey, KekError>;

    /// Unwraps a key that [`wrap`](Self::wrap) returned for the same binding.
    ///
    /// # Errors
    ///
    /// `Refused` if the wrapped key belongs to another key or another binding, or was
    /// altered.
    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        binding: &WrapBinding,
    ) -> Result<DataKey, KekError>;
}

/// A KEK that a platform can create.
///
/// It is created only while the organization's record is `initializing`. At any other
/// time, a missing key is an error.
#[async_trait]
pub trait ProvisionKek: KeyEncryptionKey {
    /// Creates the key if it does not exist, and leaves an existing key unchanged.
    ///
    /// # Errors
    ///
    /// `PermissionDenied`, with the exact policy to grant as its remedy.
    async fn provision(&self) -> Result<(), KekError>;
}
