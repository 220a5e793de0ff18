//! Stores sealed versions in Google Cloud's Secret Manager, over its REST API:
//! docs/adr/0008.

mod api;
mod foreign;
mod labels;
mod put;
mod version;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::gcp::client::{Freshness, GcpCredential};
use crate::gcp::settings::GcpConfig;
use crate::http::HttpSettings;
use api::{Api, Looked, Secret};
use planton_core::store::{
    Absence, Deletion, DescribeOptions, ForeignObjects, NameRules, NativeVersionId,
    PayloadEncoding, PutOptions, RemoteName, SecretStore, StoreCapability, StoreError,
    StoreErrorKind, VersionStatus,
};
use version::StoredVersion;

/// Secret Manager's limit of 64 KiB: <https://cloud.google.com/secret-manager/quotas>
const MAX_PAYLOAD_BYTES: usize = 65_536;
const MAX_NAME_BYTES: usize = 255;

/// Time for which a policy change may take effect, typically two minutes:
/// <https://cloud.google.com/iam/docs/access-change-propagation>
const GRANTS_SETTLE: Duration = Duration::from_secs(120);

/// The annotation that marks a secret of this provider. Its value is the attempt that
/// created the secret.
const ATTEMPT: &str = "planton-attempt";

/// Stores each version as a native version of one secret per object.
///
/// A first put takes two requests (create, add). Every later put, describe, get and
/// deletion takes one. To read, an identity needs `secretmanager.versions.access` only.
/// Therefore `get` requests the payload alone, and detects a replaced version by its
/// digest. The same bytes under the same name and number count as the same version.
#[derive(Debug)]
pub struct GcpSecretManagerStore {
    api: Api,
    config: GcpConfig,
    capability: StoreCapability,
    /// Set once the server has denied access to a payload.
    may_not_access: AtomicBool,
}

/// The result of a read of one version.
enum Look {
    /// The version, with its status.
    Found(VersionStatus),
    /// Another version of the same number.
    Replaced,
    /// No version of this number: the version or the secret is absent.
    Nothing,
}

impl GcpSecretManagerStore {
    /// Creates a store without any I/O. The first operation connects.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a key file of another cloud than Google's own, unless an
    /// endpoint is configured.
    pub fn new(
        config: GcpConfig,
        credential: GcpCredential,
        http: HttpSettings,
    ) -> Result<Self, StoreError> {
        let connection = &config.connection;
        let client = connection.client(
            "secretmanager",
            Self::capability_of().vendor,
            credential,
            http,
        )?;
        Ok(Self {
            api: Api::new(client, &config.project_id),
            config,
            capability: Self::capability_of(),
            may_not_access: AtomicBool::new(false),
        })
    }

    /// Returns the capabilities of this type of store.
    ///
    /// Secret Manager documents no limit on the versions of a secret:
    /// <https://cloud.google.com/secret-manager/quotas>
    #[must_use]
    pub const fn capability_of() -> StoreCapability {
        StoreCapability {
            kind: "gcp_secret_manager",
            vendor: "GCP Secret Manager",
            encoding: PayloadEncoding::Binary,
            max_payload_bytes: MAX_PAYLOAD_BYTES,
            name: NameRules {
                separator: "_",
                max_bytes: MAX_NAME_BYTES,
            },
            max_versions: None,
            deletes_versions: true,
        }
    }

    /// Returns the number of requests so far, including retries. Requests of
    /// Application Default Credentials are not counted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.api.requests()
    }

    async fn look(
        &self,
        name: &RemoteName,
        version: &StoredVersion,
        absence: Absence,
    ) -> Result<Look, StoreError> {
        let must_access = absence == Absence::Confirmed;
        if !must_access && self.may_not_access.load(Ordering::Relaxed) {
            return self.look_at_metadata(name, version).await;
        }
        match self.api.look_by_access(name, version.number).await {
            Ok(Looked::Enabled(Some(payload))) if !version.has(&payload) => Ok(Look::Replaced),
            Ok(Looked::Enabled(_)) => Ok(Look::Found(VersionStatus::Present)),
            Ok(Looked::NotEnabled) => Ok(Look::Found(VersionStatus::Missing)),
            Ok(Looked::Nothing) => Ok(Look::Nothing),
            Err(error) if error.kind() == StoreErrorKind::PermissionDenied && !must_access => {
                // The process makes no further attempt to access payloads.
                self.may_not_access.store(true, Ordering::Relaxed);
                self.look_at_metadata(name, version).await
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the metadata of a version. If the version was put within the last minute,
    /// reads again before its absence is reported.
    async fn look_at_metadata(
        &self,
        name: &RemoteName,
        version: &StoredVersion,
    ) -> Result<Look, StoreError> {
        let looked = self
            .api
            .look_at_version(name, version.number, version.freshness());
        match looked.await {
            Ok(there) if !version.is(&there) => Ok(Look::Replaced),
            Ok(there) if there.is_enabled() => Ok(Look::Found(VersionStatus::Present)),
            Ok(_) => Ok(Look::Found(VersionStatus::Missing)),
            Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(Look::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Destroys one version, and no other version of the same number.
    async fn destroy(&self, name: &RemoteName, version: &StoredVersion) -> Result<(), StoreError> {
        let mut etag = version.etag.clone();
        for _ in 0..2 {
            if !etag.is_empty() {
                match self.api.destroy(name, version.number, &etag).await {
                    Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(()),
                    // The etag differs: the version was disabled, enabled or destroyed,
                    // or it is another version.
                    Err(error) if error.kind() == StoreErrorKind::Conflict => {}
                    outcome => return outcome,
                }
            }
            let looked = self
                .api
                .look_at_version(name, version.number, Freshness::Settled)
                .await;
            match looked {
                Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
                Ok(there) if there.is_destroyed() || !version.is(&there) => return Ok(()),
                Ok(there) => etag = there.etag,
            }
        }
        // Without an etag, the request could destroy another version of this number.
        let path = self.api.version(name, version.number);
        let kind = StoreErrorKind::Conflict;
        Err(StoreError::new(kind, "DestroySecretVersion", path))
    }

    /// Deletes a secret of which no version is known, if this provider created it.
    async fn delete_if_ours(&self, name: &RemoteName) -> Result<(), StoreError> {
        match self.api.look_at_secret(name, Freshness::Settled).await {
            Ok(secret) if secret.is_ours() => {
                let etag = Some(secret.etag.as_str()).filter(|etag| !etag.is_empty());
                gone_is_done(self.api.delete(name, etag).await)
            }
            Ok(_) => Ok(()),
            Err(error) => gone_is_done(Err(error)),
        }
    }
}

#[async_trait]
impl SecretStore for GcpSecretManagerStore {
    fn capability(&self) -> &StoreCapability {
        &self.capability
    }

    fn foreign(&self) -> Option<&dyn ForeignObjects> {
        Some(self)
    }

    fn may_settle(&self, error: &StoreError) -> Option<Duration> {
        let denied = error.kind() == StoreErrorKind::PermissionDenied;
        denied.then_some(GRANTS_SETTLE)
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        const OPERATION: &str = "AddSecretVersion";
        check(name, OPERATION)?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            let path = self.api.secret(name);
            return Err(StoreError::new(StoreErrorKind::TooLarge, OPERATION, path));
        }
        let stored = self.put_version(name, payload, &options).await?;
        Ok(stored.into_native_id())
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        const OPERATION: &str = "AccessSecretVersion";
        check(name, OPERATION)?;
        let error = |kind| StoreError::new(kind, OPERATION, self.api.secret(name));
        let version =
            StoredVersion::parse(version).ok_or_else(|| error(StoreErrorKind::NotFound))?;
        let payload = self.api.access(name, version.number).await?;
        if version.has(&payload) {
            return Ok(payload);
        }
        Err(error(StoreErrorKind::Corrupt).with_remedy(
            "The secret was deleted and made anew: another version has this one's number.",
        ))
    }

    /// Takes one request if the version exists. If not, a second one distinguishes an
    /// absent version from an absent secret. If the secret was deleted and another
    /// writer created one of its name, the version is absent. The other secret stays
    /// untouched.
    ///
    /// Accesses the version and drops its payload, which is sealed. An identity without
    /// access reads the metadata instead, which may be stale. It does not do so to
    /// confirm an absence.
    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        check(name, "AccessSecretVersion")?;
        let mut status = VersionStatus::Missing;
        if let Some(version) = StoredVersion::parse(&options.version) {
            match self.look(name, &version, options.absence).await? {
                Look::Found(found) => return Ok(found),
                Look::Replaced => status = VersionStatus::Replaced,
                Look::Nothing => {}
            }
        }
        let secret = self.api.look_at_secret(name, Freshness::Settled).await?;
        if secret.is_ours() {
            return Ok(status);
        }
        let kind = StoreErrorKind::NotFound;
        Err(StoreError::new(kind, "GetSecret", self.api.secret(name)))
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        check(name, "DeleteSecret")?;
        let parse = |ids: &[NativeVersionId]| -> Vec<StoredVersion> {
            ids.iter().filter_map(StoredVersion::parse).collect()
        };
        match what {
            Deletion::Versions(ids) => {
                // One that fails leaves the others to be destroyed.
                let mut outcome = Ok(());
                for version in parse(&ids) {
                    outcome = outcome.and(self.destroy(name, &version).await);
                }
                outcome
            }
            // Secret Manager retains nothing of a deleted secret.
            Deletion::Object { versions } | Deletion::Purge { versions } => {
                if parse(&versions).is_empty() {
                    return self.delete_if_ours(name).await;
                }
                gone_is_done(self.api.delete(name, None).await)
            }
        }
    }
}

impl Secret {
    fn is_ours(&self) -> bool {
        self.annotations.contains_key(ATTEMPT)
    }

    fn is_of(&self, attempt: uuid::Uuid) -> bool {
        let by = self.annotations.get(ATTEMPT);
        by.is_some_and(|by| *by == attempt.to_string())
    }
}

impl StoredVersion {
    fn created(&self) -> Option<Timestamp> {
        self.create_time.parse().ok()
    }

    fn freshness(&self) -> Freshness {
        self.created().map_or(Freshness::Settled, Freshness::since)
    }
}

fn gone_is_done(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn check(name: &RemoteName, operation: &'static str) -> Result<(), StoreError> {
    let text = name.as_str();
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(known) {
        return Ok(());
    }
    Err(StoreError::new(
        StoreErrorKind::InvalidName,
        operation,
        text,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_of_255_bytes_at_most() {
        let name = |text: &str| check(&RemoteName::new(text.to_owned()), "put").is_ok();
        assert!(name("planton_acme_env_prod_db-0badcafe") && name(&"a".repeat(255)));
        for bad in ["", "a/b", "a.b", "a b", "a:b", "a%2fb", "..", "é", "a?b"] {
            assert!(!name(bad), "{bad}");
        }
        assert!(!name(&"a".repeat(256)));
    }
}
