//! Purges deleted secrets.
//!
//! Key Vault returns from a deletion before it is complete. Until then it rejects a
//! purge with 409 `ObjectIsBeingDeleted`, for seconds to minutes. Microsoft documents
//! no maximum: <https://github.com/Azure/azure-powershell/issues/24094>. Once the
//! deletion is complete, `deletedsecrets/{name}` exists.

use std::time::{Duration, Instant};

use super::{AzureError, AzureErrorKind, AzureKeyVaultStore};
use crate::azure::errors::Operation;
use crate::http::OperationContext;
use planton_core::deadline::Stop;
use planton_core::store::{RemoteName, StoreError};

/// Maximum wait for the purge of an object that is no longer needed. After that it
/// stays recoverable, which does no harm.
const THROW_AWAY: Duration = Duration::from_secs(60);

/// Maximum wait if the operation has no deadline.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(300);

const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Reason for a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purge {
    /// The user asked for it: a failure is an error.
    AskedFor,
    /// The object is no longer needed: it may stay recoverable.
    ThrowAway,
}

impl AzureKeyVaultStore {
    /// Purges an object whose deletion is complete or under way, if that is possible.
    pub(super) async fn purge(&self, name: &RemoteName, why: Purge) -> Result<(), StoreError> {
        let outcome = self.purge_in_time(name, self.purge_deadline(why)).await;
        let (operation, error) = match outcome {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        let stays = match error.kind() {
            AzureErrorKind::PermissionDenied => !self.config.purge_on_destroy,
            AzureErrorKind::BeingDeleted => why == Purge::ThrowAway,
            _ => false,
        };
        if stays {
            tracing::warn!(
                secret = name.as_str(),
                reason = match error.kind() {
                    AzureErrorKind::BeingDeleted => "the vault is still deleting it",
                    _ => "the permission Purge is missing",
                },
                "the deleted secret stays recoverable"
            );
            return Ok(());
        }
        Err(self.explain(operation, name, error))
    }

    /// Sends a request, and retries it while a deletion of the object is under way.
    pub(super) async fn after_deletion<T, F>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, AzureError>
    where
        F: Future<Output = Result<T, AzureError>>,
    {
        let context = OperationContext {
            deadline: Some(self.purge_deadline(Purge::AskedFor)),
            ..OperationContext::current()
        };
        let mut wait = self.http.retry.base_delay * 10;
        loop {
            let refused = match request().await {
                Err(error) if error.kind() == AzureErrorKind::BeingDeleted => error,
                outcome => return outcome,
            };
            match context.pause(wait).await {
                Ok(()) => wait = (wait * 2).min(LONGEST_WAIT),
                Err(Stop::DeadlinePassed) => return Err(refused),
                Err(stop) => return Err(AzureError::stopped(stop)),
            }
        }
    }

    /// Returns the time until which to wait for a deletion.
    fn purge_deadline(&self, why: Purge) -> Instant {
        let deadline = OperationContext::current().deadline;
        let most = Instant::now() + WITHOUT_DEADLINE;
        match why {
            Purge::AskedFor => deadline.unwrap_or(most),
            Purge::ThrowAway => {
                let most = Instant::now() + THROW_AWAY;
                deadline.map_or(most, |deadline| deadline.min(most))
            }
        }
    }

    async fn purge_in_time(
        &self,
        name: &RemoteName,
        until: Instant,
    ) -> Result<(), (Operation, AzureError)> {
        let purging = |error| (Operation::Purge, error);
        let looking = |error| (Operation::GetDeleted, error);
        let vault = self.vault().await.map_err(purging)?;
        let context = OperationContext {
            deadline: Some(until),
            ..OperationContext::current()
        };
        let mut wait = self.http.retry.base_delay * 10;
        loop {
            let refused = match vault.purge(name).await {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == AzureErrorKind::NotFound => return Ok(()),
                Err(error) => error,
            };
            if refused.kind() != AzureErrorKind::BeingDeleted {
                return Err(purging(refused));
            }
            loop {
                match context.pause(wait).await {
                    Ok(()) => {}
                    // The vault's conflict explains more than the deadline.
                    Err(Stop::DeadlinePassed) => return Err(purging(refused)),
                    Err(stop) => return Err(purging(AzureError::stopped(stop))),
                }
                wait = (wait * 2).min(LONGEST_WAIT);
                match vault.is_deleted(name).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    // The right to purge does not include the right to read, so retry
                    // the purge itself.
                    Err(error) if error.kind() == AzureErrorKind::PermissionDenied => break,
                    Err(error) if error.kind() == AzureErrorKind::Ended && context.is_late() => {
                        return Err(purging(refused));
                    }
                    Err(error) => return Err(looking(error)),
                }
            }
        }
    }
}
