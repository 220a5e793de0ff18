//! Writes a secret again if its version or its object is missing in the backend.
//!
//! A missing object is drift, not a deletion of the secret. Before a write, the backend is
//! asked once more for a confirmed absence, which rules out stale replicas. A new object
//! under another name then replaces the missing one.

use super::Secrets;
use super::objects::{NameDigits, NewObject, Put};
use super::size_limit::check_size;
use super::versions::{SealedVersion, Sealing};
use crate::catalog::SecretRecord;
use crate::operations::backends::{ByDefault, Rechecked};
use crate::operations::interrupt::Interrupt;
use crate::operations::{Backend, OperationError};
use crate::store::{Absence, StoreErrorKind, VersionStatus};
use planton_envelope::SecretValue;

/// Result of a second request for a version that was reported missing.
pub(crate) enum Missed {
    /// The version exists.
    Nothing,
    /// The object exists without the version.
    Version,
    /// The whole object is missing.
    Object,
}

impl Secrets<'_> {
    /// Requests a missing version once more, with a confirmed absence.
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

    /// Puts a sealed next version of a secret into its object, or into a new object if the
    /// present one is missing.
    pub(crate) async fn put_next(
        self,
        secret: &SecretRecord,
        sealed: &SealedVersion,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Put, OperationError> {
        let put = backend.put(secret, sealed, secret.native_ids(), interrupt);
        let missing = match put.await {
            Ok(version) => return Ok(Put::further(version)),
            Err(OperationError::Store(error)) if error.kind() == StoreErrorKind::NotFound => error,
            Err(error) => return Err(error),
        };
        match self.look_again(secret, backend).await? {
            Missed::Object => {}
            Missed::Nothing | Missed::Version => return Err(missing.into()),
        }
        let object = self.announce(backend, secret, NameDigits::Random, interrupt);
        let object = object.await?;
        self.put_healing(secret, sealed, object, backend, interrupt)
            .await
    }

    /// Puts the next version of a secret whose object is missing into a new object.
    pub(crate) async fn heal(
        self,
        secret: &SecretRecord,
        value: &SecretValue,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Put, OperationError> {
        check_size(backend.store.capability(), &value.to_plaintext())?;
        let digits = NameDigits::Random;
        let announced = self.seal_and_announce(secret, value, digits, backend, interrupt);
        let (sealed, object) = announced.await?;
        self.put_healing(secret, &sealed, object, backend, interrupt)
            .await
    }

    /// Seals the next version of a secret.
    pub(crate) async fn seal_next(
        self,
        secret: &SecretRecord,
        value: &SecretValue,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<SealedVersion, OperationError> {
        let version = Sealing::of(secret, secret.next_number());
        let plaintext = value.to_plaintext();
        backend
            .seal(self.organization, version, &plaintext, interrupt)
            .await
    }

    async fn put_healing(
        self,
        secret: &SecretRecord,
        sealed: &SealedVersion,
        object: NewObject,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Put, OperationError> {
        let put = self.put_announced(backend, secret, sealed, object, ByDefault::No, interrupt);
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
