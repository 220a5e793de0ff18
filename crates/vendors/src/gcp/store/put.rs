//! Adds a version exactly once.
//!
//! Secret Manager has no idempotency key. If a response is lost, the retry may add a
//! second version. Version numbers reveal this: they increase by one, so the new
//! version must follow the newest one in the record. If numbers are missing in between,
//! the store reads those versions. A version with the same bytes comes from an earlier
//! try, since every seal produces another envelope.

use uuid::Uuid;

use super::api::{NewSecret, SecretVersion};
use super::labels::labels;
use super::version::StoredVersion;
use super::{ATTEMPT, GcpSecretManagerStore};
use crate::gcp::client::Freshness;
use planton_core::store::{NativeVersionId, PutOptions, RemoteName, StoreError, StoreErrorKind};

/// Maximum number of versions to read, equal to the maximum number of tries.
const MAX_LOOKS: usize = 8;

impl GcpSecretManagerStore {
    pub(super) async fn put_version(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: &PutOptions,
    ) -> Result<StoredVersion, StoreError> {
        if let Some(newest) = newest(&options.keep) {
            let added = self.api.add(name, payload, Freshness::Settled).await?;
            return self.settle(name, payload, added, newest.number + 1).await;
        }
        let new = NewSecret {
            labels: labels(&options.labels),
            annotations: [(ATTEMPT, options.attempt.to_string())].into(),
            replica_locations: &self.config.replica_locations,
        };
        match self.api.create(name, &new).await {
            Ok(()) => {}
            Err(error) if error.kind() == StoreErrorKind::AlreadyExists => {
                let own = self.own(name, payload, options.attempt, error).await?;
                if let Some(own) = own {
                    return Ok(own);
                }
            }
            Err(error) => return Err(error),
        }
        let added = self.api.add(name, payload, Freshness::Fresh).await?;
        self.settle(name, payload, added, 1).await
    }

    /// Checks the secret that exists under this name.
    ///
    /// Returns the version that this attempt added, if there is one. Returns `exists`
    /// as the error if another writer created the secret.
    async fn own(
        &self,
        name: &RemoteName,
        payload: &[u8],
        attempt: Uuid,
        exists: StoreError,
    ) -> Result<Option<StoredVersion>, StoreError> {
        let secret = match self.api.look_at_secret(name, Freshness::Fresh).await {
            Err(error) if error.kind() == StoreErrorKind::NotFound => {
                let kind = StoreErrorKind::Conflict;
                let error = StoreError::new(kind, "CreateSecret", self.api.secret(name));
                return Err(error.with_remedy("It was deleted meanwhile. Try again."));
            }
            outcome => outcome?,
        };
        if !secret.is_ours() {
            return Err(exists.with_remedy(format!(
                "The secret was not created by this provider: it has no annotation {ATTEMPT}. \
                 Delete or rename it, or choose another name."
            )));
        }
        if !secret.is_of(attempt) {
            return Ok(None);
        }
        let versions = self.api.newest_versions(name).await?;
        let Some(first) = versions.iter().rev().find(|version| version.is_enabled()) else {
            return Ok(None);
        };
        let stored = self.api.access(name, first.number()).await?;
        if stored == payload {
            return Ok(Some(StoredVersion::new(first, payload)));
        }
        let path = self.api.version(name, first.number());
        let kind = StoreErrorKind::Conflict;
        Err(StoreError::new(kind, "AddSecretVersion", path)
            .with_remedy("This attempt has put another payload already."))
    }

    /// Distinguishes the version just added from those of earlier tries, and destroys
    /// doubles.
    async fn settle(
        &self,
        name: &RemoteName,
        payload: &[u8],
        added: SecretVersion,
        expected: u64,
    ) -> Result<StoredVersion, StoreError> {
        let ours = StoredVersion::new(&added, payload);
        if ours.number == expected {
            return Ok(ours);
        }
        if ours.number < expected {
            return self.settle_in_another(name, ours).await;
        }
        let between = expected..ours.number;
        let versions = self.api.newest_versions(name).await?;
        let candidates = versions
            .iter()
            .filter(|version| between.contains(&version.number()) && version.is_enabled());
        let mut same = vec![ours];
        for version in candidates.take(MAX_LOOKS) {
            match self.api.access(name, version.number()).await {
                Ok(stored) if stored == payload => same.push(StoredVersion::new(version, payload)),
                Ok(_) => {}
                // Destroyed in the meantime.
                Err(error) if error.kind() == StoreErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // The list is newest first. The oldest version is the one that a first response
        // named.
        let first = same.pop();
        for again in &same {
            // The put succeeds even if a double remains.
            let _ = self.destroy(name, again).await;
        }
        first.ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Unexpected,
                "AddSecretVersion",
                self.api.secret(name),
            )
        })
    }

    /// Handles a number that is too low: the secret was deleted and created again, by
    /// this provider or another writer.
    async fn settle_in_another(
        &self,
        name: &RemoteName,
        ours: StoredVersion,
    ) -> Result<StoredVersion, StoreError> {
        let secret = self.api.look_at_secret(name, Freshness::Fresh).await?;
        if secret.is_ours() {
            return Ok(ours);
        }
        self.destroy(name, &ours).await?;
        let kind = StoreErrorKind::AlreadyExists;
        let error = StoreError::new(kind, "AddSecretVersion", self.api.secret(name));
        Err(error.with_remedy(format!(
            "The secret was deleted, and another made in its place that was not created by this \
             provider: it has no annotation {ATTEMPT}. Delete or rename it."
        )))
    }
}

/// Returns the version that was added last.
fn newest(keep: &[NativeVersionId]) -> Option<StoredVersion> {
    let versions = keep.iter().filter_map(StoredVersion::parse);
    versions.max_by_key(|version| (version.created(), version.number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_by_time_before_number() {
        let id = |number: u64, time: &str| {
            NativeVersionId::new(format!("{number}@{time}@\"e\"@0123456789abcdef"))
        };
        let keep = [
            id(7, "2026-01-01T00:00:00.5Z"),
            id(1, "2026-01-02T00:00:00Z"),
            id(2, "2026-01-02T00:00:00.000001Z"),
            NativeVersionId::new("9".to_owned()),
        ];
        let newest = newest(&keep).map(|version| version.number);
        assert_eq!(newest, Some(2));
        assert_eq!(super::newest(&keep[3..]), None);
    }
}
