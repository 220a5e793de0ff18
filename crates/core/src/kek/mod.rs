//! Defines key encryption keys, which wrap data encryption keys and never receive a
//! payload.

mod connect;
mod context;
mod description;
mod error;
mod keyring;
mod local;
mod pins;
mod reworded;
mod service;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};

use planton_envelope::{DataKey, KekId, WrappedKey};

pub use connect::{ConnectKek, KekSettings, ResolvedKek};
pub use context::{KeyPurpose, WrapContext, WrapNames, WrapObject};
pub use description::{KekSlot, KeyDescription, KeyRotation};
pub use error::{KekError, KekErrorKind};
pub use keyring::Keyring;
pub use local::LocalKek;
pub use pins::{InvalidFingerprint, KekPins, OrganizationFingerprint, pin_of, pins_version};
pub use service::ServiceKek;

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

    /// Does what the first wrap of a process requires, so that it runs beside other requests.
    ///
    /// # Errors
    ///
    /// As [`wrap`](Self::wrap), which does it again after a failure.
    async fn prepare(&self) -> Result<(), KekError> {
        Ok(())
    }

    /// Wraps `dek` under this key, bound to `context`.
    ///
    /// # Errors
    ///
    /// See [`KekErrorKind`].
    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError>;

    /// Unwraps a key that [`wrap`](Self::wrap) returned for the same context.
    ///
    /// # Errors
    ///
    /// `Refused` if the wrapped key belongs to another key or another context, or was
    /// altered.
    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError>;

    /// Returns the newest version of this key, which wraps in its place; `None` if this key
    /// itself wraps. Only a key whose versions are KEKs with identifiers of their own has one.
    ///
    /// # Errors
    ///
    /// As [`describe`](Self::describe).
    async fn successor(&self) -> Result<Option<Arc<dyn KeyEncryptionKey>>, KekError> {
        Ok(None)
    }

    /// Returns the version `id` of this key, which unwraps what that version has wrapped;
    /// `None` for every other key. Sends no request.
    fn version(&self, id: &KekId) -> Option<Arc<dyn KeyEncryptionKey>> {
        let _ = id;
        None
    }

    /// Returns whether this key or a version of it has the identifier `id`, and so unwraps what
    /// is under it.
    fn covers(&self, id: &KekId) -> bool {
        self.id() == id || self.version(id).is_some()
    }

    /// Returns the names that `wrapped` itself claims, to open it without a catalog; `None`
    /// if a wrap by this key contains no names, and opens with any.
    ///
    /// # Security
    ///
    /// The names are claims of whoever wrapped. With a catalog, they come from its verified
    /// record instead.
    fn claimed_names(&self, wrapped: &WrappedKey) -> Option<WrapNames> {
        let _ = wrapped;
        None
    }

    /// Returns how many wraps and unwraps a caller with many of them runs at once. Where the
    /// calls of concurrent callers share requests, as many as one request takes.
    fn concurrency(&self) -> usize {
        MAX_REWRAPS
    }

    /// Returns whether the service itself replaces a wrap in [`rewrap`](Self::rewrap), and so
    /// requires another permission than an unwrap and a wrap.
    fn rewraps_in_service(&self) -> bool {
        false
    }

    /// Wraps each of `wraps` again under the newest version of this key, in the order of
    /// `wraps`. Where the service can, the data keys do not leave it.
    ///
    /// # Security
    ///
    /// Nothing compares the data keys with what they are to open, so a substituted wrap is
    /// carried on. Where the service does not rewrap, a caller that has the envelope unwraps,
    /// compares and wraps instead.
    ///
    /// # Errors
    ///
    /// Each wrap fails by itself, as [`unwrap`](Self::unwrap) and [`wrap`](Self::wrap) do.
    async fn rewrap(&self, wraps: &[Rewrap<'_>]) -> Vec<Result<WrappedKey, KekError>> {
        let each: Vec<_> = wraps
            .iter()
            .map(|Rewrap { wrapped, context }| async {
                let dek = self.unwrap(wrapped, *context).await?;
                self.wrap(&dek, *context).await
            })
            .collect();
        let each = stream::iter(each).buffered(self.concurrency());
        each.collect().await
    }

    /// Returns whether `wrapped` is under the newest version of the key that
    /// `description` describes; `None` if the wrap does not show it.
    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool>;

    /// Returns the length of the longest wrap of a data key in bytes.
    fn max_wrapped_bytes(&self) -> usize;

    /// Asks the service whether the key can be used, and how it rotates.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Disabled`; `Misconfigured` for a key of the wrong type;
    /// `PermissionDenied` with the grant that is missing.
    async fn describe(&self) -> Result<KeyDescription, KekError>;
}

/// The [`concurrency`](KeyEncryptionKey::concurrency) of a key whose service has no batch
/// call. The service limits its requests: more at once would only wait for its quota.
pub const CONCURRENT_CALLS: usize = 8;

/// The most wraps that one call of [`rewrap`](KeyEncryptionKey::rewrap) gets. OpenBAO
/// rejects a request with more strings than 1,000 by default, and counts three an item:
/// <https://openbao.org/docs/configuration/listener/tcp/#max_request_json_strings>.
pub const MAX_REWRAPS: usize = 100;

/// Returns `error` once for each of `wraps`, for a key that cannot be used at all.
#[must_use]
pub fn failed_for_all(error: KekError, wraps: usize) -> Vec<Result<WrappedKey, KekError>> {
    let remedy = error.remedy().unwrap_or_default().to_owned();
    let (kind, operation, path) = (error.kind(), error.operation(), error.path().to_owned());
    let copy = || KekError::new(kind, operation, path.as_str()).with_remedy(remedy.as_str());
    let mut all: Vec<_> = (1..wraps).map(|_| Err(copy())).collect();
    // One of them keeps the source.
    if wraps > 0 {
        all.insert(0, Err(error));
    }
    all
}

/// A wrap to be replaced by one under the newest version of the same key.
#[derive(Clone, Copy, Debug)]
pub struct Rewrap<'a> {
    /// The wrap.
    pub wrapped: &'a WrappedKey,
    /// What it is bound to, before and after.
    pub context: WrapContext<'a>,
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

    /// Returns whether the organization's record names this key: its identifier is not known
    /// before the record was read, or before [`resolve`](Self::resolve).
    fn is_recorded(&self) -> bool {
        false
    }

    /// Finds out the identifier of a key that no record names yet. Called before anything of
    /// the organization is written. Does nothing where the identifier is known.
    ///
    /// # Errors
    ///
    /// By meaning; `Misconfigured` for a key that must not become that of an organization.
    async fn resolve(&self) -> Result<(), KekError> {
        Ok(())
    }

    /// Creates a key that has to exist before the record can name it. Called by first use
    /// alone, after [`resolve`](Self::resolve) and every check that may refuse.
    ///
    /// # Errors
    ///
    /// As [`provision`](Self::provision).
    async fn generate(&self) -> Result<(), KekError> {
        Ok(())
    }

    /// Moves to the newest key of the place that also has the recorded one, as after the
    /// rotation of a key file. Only a rewrap calls it, which commits the new identifier.
    ///
    /// # Errors
    ///
    /// `Misconfigured` or `NotFound` if the place does not have the recorded key.
    async fn resolve_newest(&self) -> Result<(), KekError> {
        Ok(())
    }

    /// Moves to the newest version of the recorded key. Every process that opens the recorded
    /// key opens all its versions, so the new identifier need not be committed.
    ///
    /// # Errors
    ///
    /// As [`successor`](KeyEncryptionKey::successor).
    async fn resolve_newest_version(&self) -> Result<(), KekError> {
        Ok(())
    }

    /// Finds out the identifier of the key that is to become the main key, whichever key the
    /// record names: that one may be lost. Every other use of the key then goes to this one.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    async fn resolve_anew(&self) -> Result<(), KekError> {
        self.resolve().await
    }

    /// Takes the identifier that the organization's record has, before any use of the key.
    /// Sends no request.
    ///
    /// # Errors
    ///
    /// `Misconfigured` or `NotFound` if the configured key cannot be that one.
    fn expect_recorded(&self, id: &KekId) -> Result<(), KekError> {
        let _ = id;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
