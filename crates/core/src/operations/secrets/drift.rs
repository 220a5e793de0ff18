//! Writes a secret again whose version or object is missing in its backend.
//!
//! A missing object is drift of its owner's secret and no end of it. Before anything
//! is written, the backend is asked once more, past replicas that lag; then a new
//! object under another name takes the place of the one that is gone.

use super::Secrets;
use super::objects::{NameDigits, Put};
use super::versions::SealedVersion;
use crate::catalog::SecretRecord;
use crate::operations::backends::{ByDefault, Rechecked};
use crate::operations::interrupt::Interrupt;
use crate::operations::{Backend, OperationError};
use crate::store::{Absence, StoreErrorKind, VersionStatus};
use planton_envelope::SecretValue;

/// What a second look at a version that was missed finds.
pub(crate) enum Missed {
    /// It is there after all.
    Nothing,
    /// The version only.
    Version,
    /// The whole object.
    Object,
}

impl Secrets<'_> {
    /// Asks the backend once more for a version that was missed.
    pub(crate) async fn look_again(
        self,
        secret: &SecretRecord,
        backend: &Backend,
    ) -> Result<Missed, OperationError> {
        let options = crate::operations::secrets::describe_options(secret, Absence::Confirmed);
        let Some(options) = options else {
            return Ok(Missed::Object);
        };
        match backend.store.describe(&secret.remote_name, options).await {
            Ok(VersionStatus::Present) => Ok(Missed::Nothing),
            Ok(_) => Ok(Missed::Version),
            Err(error) if error.kind() == StoreErrorKind::NotFound => {
                backend.expect_marker().await?;
                Ok(Missed::Object)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts the next version of a secret: into its object, or into a new one where
    /// that turns out to be gone.
    pub(crate) async fn put_next(
        self,
        secret: &SecretRecord,
        value: &SecretValue,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Put, OperationError> {
        let sealed = self.seal_next(secret, value, backend, interrupt).await?;
        let put = backend.put(secret, &sealed, secret.native_ids(), interrupt);
        let missing = match put.await {
            Ok(version) => return Ok(Put::further(version)),
            Err(OperationError::Store(error)) if error.kind() == StoreErrorKind::NotFound => error,
            Err(error) => return Err(error),
        };
        match self.look_again(secret, backend).await? {
            Missed::Object => {}
            Missed::Nothing | Missed::Version => return Err(missing.into()),
        }
        self.put_healing(secret, &sealed, backend, interrupt).await
    }

    /// Puts the next version of a secret whose object is gone into a new one.
    pub(crate) async fn heal(
        self,
        secret: &SecretRecord,
        value: &SecretValue,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Put, OperationError> {
        let sealed = self.seal_next(secret, value, backend, interrupt).await?;
        self.put_healing(secret, &sealed, backend, interrupt).await
    }

    async fn seal_next(
        self,
        secret: &SecretRecord,
        value: &SecretValue,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<SealedVersion, OperationError> {
        let organization = self.organization.existing().await?.uuid;
        let plaintext = value.to_plaintext();
        let number = secret.next_number();
        let sealed = backend.seal(organization, secret, number, &plaintext, interrupt);
        sealed.await
    }

    async fn put_healing(
        self,
        secret: &SecretRecord,
        sealed: &SealedVersion,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Put, OperationError> {
        let (digits, by_default) = (NameDigits::Random, ByDefault::No);
        let put = self.put_new_object(backend, secret, sealed, digits, by_default, interrupt);
        put.await?.map_err(|unusable| match unusable {
            Rechecked::Deleting => OperationError::BackendDeleting {
                backend: backend.name.clone(),
            },
            Rechecked::Gone | Rechecked::Usable | Rechecked::NotDefault => {
                OperationError::UnknownBackend {
                    backend: backend.name.clone(),
                }
            }
        })
    }
}
