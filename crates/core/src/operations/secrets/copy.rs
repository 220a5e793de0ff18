//! Copies the value of a foreign object, which another program wrote to a backend.

use uuid::Uuid;

use super::Secrets;
use crate::catalog::CopyFrom;
use crate::deadline::OperationContext;
use crate::operations::OperationError;
use crate::store::{ForeignValue, RemoteName, StoreErrorKind};
use planton_envelope::SecretValue;

impl Secrets<'_> {
    /// Reads the value of a foreign object.
    ///
    /// # Errors
    ///
    /// `NothingToCopy`, `NotCopyable`; failures of the backend.
    pub(crate) async fn read_source(self, from: &CopyFrom) -> Result<SecretValue, OperationError> {
        let nothing = || OperationError::NothingToCopy {
            backend: from.backend.clone(),
            remote_name: from.remote_name.clone(),
        };
        let backend = self.organization.backends().open(&from.backend).await?;
        let foreign = backend.store.foreign().ok_or_else(nothing)?;
        let name = RemoteName::new(from.remote_name.clone());
        match foreign.read_foreign(&name).await {
            Ok(ForeignValue::Text(text)) => Ok(SecretValue::Text(text)),
            Ok(ForeignValue::KeyValue(texts)) => Ok(SecretValue::KeyValue(texts)),
            Err(error) if error.kind() == StoreErrorKind::NotFound => {
                backend.expect_marker().await?;
                Err(nothing())
            }
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                Err(OperationError::NotCopyable {
                    backend: from.backend.clone(),
                    remote_name: from.remote_name.clone(),
                    error: Box::new(error),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Checks, in the plan of a replacement, that there is something to copy. Whatever else keeps
    /// the object from being read is left to the apply, whose role or credentials may be others.
    ///
    /// A creation that is resumed may have deleted its source.
    ///
    /// # Errors
    ///
    /// `NothingToCopy`, `NotCopyable`.
    pub async fn expect_source(self, from: &CopyFrom) -> Result<(), OperationError> {
        if self.organization.run.resumes.is_some() {
            return Ok(());
        }
        let read = self.read_source(from);
        match OperationContext::trying_once().scope(read).await {
            Err(
                error @ (OperationError::NothingToCopy { .. } | OperationError::NotCopyable { .. }),
            ) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Deletes the source of the secret `uuid`, if its deletion was requested. Returns the
    /// reason if the source remains. The copy is committed by then, and stays.
    ///
    /// The source may have changed since it was read, which may be long ago for a resumed
    /// creation. It is deleted only if its value is still the secret's current one.
    pub(crate) async fn delete_source(self, uuid: Uuid, from: Option<&CopyFrom>) -> Option<String> {
        let from = from.filter(|from| from.delete_source)?;
        crate::operations::crash_hooks::crash_point("delete source");
        let deleted = async {
            let backend = self.organization.backends().open(&from.backend).await?;
            backend.expect_marker().await?;
            let Some(foreign) = backend.store.foreign() else {
                return Ok(true);
            };
            let found = match self.read_source(from).await {
                // The source is deleted already.
                Err(OperationError::NothingToCopy { .. }) => return Ok(true),
                found => found?,
            };
            if !self.is_current_value(uuid, &found).await? {
                return Ok(false);
            }
            let name = RemoteName::new(from.remote_name.clone());
            foreign.delete_foreign(&name).await?;
            Ok::<bool, OperationError>(true)
        };
        match deleted.await {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "{} (its value differs from the secret's current value)",
                from.remote_name
            )),
            Err(error) => {
                tracing::warn!(%error, "could not delete the copied object");
                Some(format!("{} ({error})", from.remote_name))
            }
        }
    }
}
