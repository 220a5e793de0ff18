//! Removing for good what is deleted.
//!
//! A deletion is answered before it is done. Until then a purge is refused with 409
//! `ObjectIsBeingDeleted`, for seconds to minutes, and nothing of the vendor's says
//! for how long: <https://github.com/Azure/azure-powershell/issues/24094>.
//! `deletedsecrets/{name}` is there once it is.

use std::time::{Duration, Instant};

use super::{AzureError, AzureErrorKind, AzureKeyVaultStore};
use crate::azure::errors::Operation;
use crate::http::RequestLimits;
use planton_core::deadline::Stop;
use planton_core::store::{RemoteName, StoreError};

/// How long a throw-away object may keep its caller waiting. After that it stays
/// recoverable, which harms nobody.
const THROW_AWAY: Duration = Duration::from_secs(60);

/// How long anything may where the operation has no deadline.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(300);

const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Why an object is purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purge {
    /// It was asked for: that it cannot be done is an error.
    AskedFor,
    /// Nobody needs it any more: it may stay recoverable.
    ThrowAway,
}

impl AzureKeyVaultStore {
    /// Purges an object that is deleted, or about to be, as far as that is possible.
    pub(super) async fn purge(&self, name: &RemoteName, why: Purge) -> Result<(), StoreError> {
        let outcome = self.purge_in_time(name, self.patience(why)).await;
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

    /// Makes a request, again while a deletion of its object is under way.
    pub(super) async fn after_deletion<T, F>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, AzureError>
    where
        F: Future<Output = Result<T, AzureError>>,
    {
        let limits = RequestLimits {
            deadline: Some(self.patience(Purge::AskedFor)),
            ..RequestLimits::current()
        };
        let mut wait = self.http.retry.base_delay * 10;
        loop {
            let refused = match request().await {
                Err(error) if error.kind() == AzureErrorKind::BeingDeleted => error,
                outcome => return outcome,
            };
            match limits.pause(wait).await {
                Ok(()) => wait = (wait * 2).min(LONGEST_WAIT),
                Err(Stop::DeadlinePassed) => return Err(refused),
                Err(stop) => return Err(AzureError::stopped(stop)),
            }
        }
    }

    /// Returns until when a deletion is waited for.
    fn patience(&self, why: Purge) -> Instant {
        let deadline = RequestLimits::current().deadline;
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
        let limits = RequestLimits {
            deadline: Some(until),
            ..RequestLimits::current()
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
                match limits.pause(wait).await {
                    Ok(()) => {}
                    // The vault has not finished: that tells more.
                    Err(Stop::DeadlinePassed) => return Err(purging(refused)),
                    Err(stop) => return Err(purging(AzureError::stopped(stop))),
                }
                wait = (wait * 2).min(LONGEST_WAIT);
                match vault.is_deleted(name).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    // Who may purge need not be able to read: the purge itself tells.
                    Err(error) if error.kind() == AzureErrorKind::PermissionDenied => break,
                    Err(error) if error.kind() == AzureErrorKind::Ended && limits.is_late() => {
                        return Err(purging(refused));
                    }
                    Err(error) => return Err(looking(error)),
                }
            }
        }
    }
}
