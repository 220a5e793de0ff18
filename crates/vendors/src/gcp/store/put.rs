//! Adding a version, once.
//!
//! Secret Manager has no idempotency key: a request whose answer was lost is
//! sent again, and may then have added two versions. Its numbers tell. They
//! count up by one, so the version after the newest that the record knows has
//! nothing between; where there is a gap, whoever fills it is looked at, and is
//! us if it has the same bytes: an envelope is never sealed twice.

use uuid::Uuid;

use super::api::{NewSecret, SecretVersion};
use super::labels::labels;
use super::version::StoredVersion;
use super::{ATTEMPT, GcpSecretManagerStore};
use crate::gcp::client::Freshness;
use planton_core::store::{NativeVersionId, PutOptions, RemoteName, StoreError, StoreErrorKind};

/// No request is tried more often than that.
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

    /// Looks at a secret that stands there already: `exists` if it is not ours,
    /// and what this very attempt has added if it has.
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

    /// Tells what was just added from what an earlier try added.
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
                // Destroyed meanwhile.
                Err(error) if error.kind() == StoreErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // Newest first: what was added first is what a first answer named.
        let first = same.pop();
        for again in &same {
            // The version is there, whether or not its doubles go.
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

    /// The numbers have begun again: the secret was deleted and made anew, by
    /// one of us or by somebody else.
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
