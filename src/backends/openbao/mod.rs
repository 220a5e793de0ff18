//! Sealed versions in KV version 2: the built-in backend, a self-hosted
//! OpenBAO, and HashiCorp Vault.

mod version;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use crate::clients::openbao::{
    KvEntry, KvMetadata, KvV2, KvVersion, OpenBaoClient, OpenBaoError, OpenBaoErrorKind,
    PolicyPart, PolicyRole, PolicyScope, policy_part, store_policy_text,
};
use crate::store::{
    Deletion, DescribeOptions, NameRules, NativeVersionId, PayloadEncoding, PutOptions, RemoteName,
    SecretStore, StoreCapability, StoreError, StoreErrorKind, VersionStatus,
};
use version::StoredVersion;

/// A cap of our own: KV takes some 1,000 KiB, the other backends no more than this.
const MAX_PAYLOAD_BYTES: usize = 65_536;

/// A cap of our own, far below what URLs and storage take.
const MAX_NAME_BYTES: usize = 512;

/// Stores each version at a path of its own, `{name}/{version}-{attempt}`.
///
/// One path for all versions would lose old ones: KV prunes on put, before our
/// commit. The attempt in the path keeps two writers of the same number apart,
/// and so a version is never written over; `cas=0` makes sure of it.
///
/// Labels are not stored: KV's `custom_metadata` costs another request per put,
/// and a create may take six in all. The name tells people what it is.
///
/// A client with a fence path does not believe a standby that nothing is there.
#[derive(Debug)]
pub struct OpenBaoStore {
    client: OpenBaoClient,
    kv: KvV2,
    capability: StoreCapability,
    /// What to grant where a request is denied.
    policy: String,
}

impl OpenBaoStore {
    /// Takes the built-in backend of an organization's platform.
    #[must_use]
    pub fn platform(client: &OpenBaoClient, scope: &PolicyScope) -> Self {
        let policy = policy_part(scope, PolicyRole::Apply, PolicyPart::Objects);
        Self::new(client, "platform", "OpenBAO", policy)
    }

    /// Takes a self-hosted OpenBAO, where names begin with `name_prefix`.
    #[must_use]
    pub fn openbao(client: &OpenBaoClient, name_prefix: &str) -> Self {
        let policy = store_policy_text(client.kv().mount(), name_prefix);
        Self::new(client, "openbao", "OpenBAO", policy)
    }

    /// Takes a HashiCorp Vault, where names begin with `name_prefix`.
    #[must_use]
    pub fn hashicorp_vault(client: &OpenBaoClient, name_prefix: &str) -> Self {
        let policy = store_policy_text(client.kv().mount(), name_prefix);
        Self::new(client, "hashicorp_vault", "HashiCorp Vault", policy)
    }

    fn new(
        client: &OpenBaoClient,
        kind: &'static str,
        vendor: &'static str,
        policy: String,
    ) -> Self {
        Self {
            client: client.clone(),
            kv: client.kv(),
            capability: StoreCapability {
                kind,
                vendor,
                encoding: PayloadEncoding::Text,
                max_payload_bytes: MAX_PAYLOAD_BYTES,
                name: NameRules {
                    separator: "/",
                    max_bytes: MAX_NAME_BYTES,
                },
                max_versions: None,
                deletes_versions: true,
            },
            policy,
        }
    }

    /// Reads a version's path; before it believes that nothing is there, again
    /// with a fence.
    async fn read(&self, path: &str) -> Result<KvEntry<Stored>, OpenBaoError> {
        let entry = self.kv.read(path).await?;
        if matches!(entry, KvEntry::Present { .. }) || self.client.is_fenced() {
            return Ok(entry);
        }
        self.client.fence().await?;
        self.kv.read(path).await
    }

    /// As [`read`](Self::read), of metadata.
    async fn metadata(&self, path: &str) -> Result<Option<KvMetadata>, OpenBaoError> {
        let metadata = self.kv.metadata(path).await?;
        if metadata.is_some() || self.client.is_fenced() {
            return Ok(metadata);
        }
        self.client.fence().await?;
        self.kv.metadata(path).await
    }

    /// Looks at what stands in the way of a put. The same payload is our own,
    /// whose answer was lost: the path is random, and nobody else could know it.
    async fn own(&self, path: &str, payload: &str) -> Result<Option<String>, OpenBaoError> {
        Ok(match self.read(path).await? {
            KvEntry::Present {
                data,
                version: 1,
                created_time,
            } if data.envelope == payload => Some(created_time),
            _ => None,
        })
    }

    async fn remove(&self, path: &str) -> Result<(), OpenBaoError> {
        match self.kv.delete_metadata(path).await {
            Err(error) if error.kind() == OpenBaoErrorKind::PermissionDenied => {
                self.kv.destroy(path, &[1]).await
            }
            outcome => outcome,
        }
    }

    fn explain(&self, error: OpenBaoError) -> StoreError {
        match error.kind() {
            OpenBaoErrorKind::PermissionDenied => error
                .with_remedy(format!("Grant to the role in use:\n{}", self.policy))
                .into(),
            _ => error.into(),
        }
    }
}

#[async_trait]
impl SecretStore for OpenBaoStore {
    fn capability(&self) -> &StoreCapability {
        &self.capability
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        const OPERATION: &str = "write secret";
        let error = |kind| StoreError::new(kind, OPERATION, name.as_str());
        check(name, OPERATION)?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(error(StoreErrorKind::TooLarge));
        }
        let text = std::str::from_utf8(payload)
            .map_err(|source| error(StoreErrorKind::Corrupt).with_source(source))?;
        let slot = StoredVersion::slot(options.version, options.attempt);
        let path = format!("{name}/{slot}");
        let data = serde_json::json!({ "envelope": text });
        let created_time = match self.kv.write(&path, &data, 0).await {
            Ok(written) if written.version == 1 => written.created_time,
            // Only metadata that somebody else made can count on from elsewhere.
            Ok(_) => return Err(error(StoreErrorKind::AlreadyExists)),
            Err(conflict) if conflict.kind() == OpenBaoErrorKind::Conflict => {
                let own = self.own(&path, text).await;
                own.map_err(|error| self.explain(error))?
                    .ok_or_else(|| error(StoreErrorKind::AlreadyExists).with_source(conflict))?
            }
            Err(error) => return Err(self.explain(error)),
        };
        Ok(StoredVersion { slot, created_time }.into_native_id())
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        const OPERATION: &str = "read secret";
        let error = |kind| StoreError::new(kind, OPERATION, name.as_str());
        check(name, OPERATION)?;
        let version =
            StoredVersion::parse(version).ok_or_else(|| error(StoreErrorKind::NotFound))?;
        let entry = self.read(&version.path(name)).await;
        match entry.map_err(|error| self.explain(error))? {
            KvEntry::Absent | KvEntry::Deleted { .. } => Err(error(StoreErrorKind::NotFound)),
            KvEntry::Present {
                data,
                version: 1,
                created_time,
            } if created_time == version.created_time => Ok(data.envelope.into_bytes()),
            KvEntry::Present { .. } => Err(error(StoreErrorKind::Corrupt)
                .with_remedy("Something else was written in place of this version.")),
        }
    }

    /// One request while the version is there.
    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        const OPERATION: &str = "read metadata";
        check(name, OPERATION)?;
        if let Some(version) = StoredVersion::parse(&options.version) {
            let metadata = self.metadata(&version.path(name)).await;
            let metadata = metadata.map_err(|error| self.explain(error))?;
            if let Some(metadata) = metadata {
                return Ok(status(&metadata, &version, Timestamp::now()));
            }
        }
        for other in options.others.iter().filter_map(StoredVersion::parse) {
            let metadata = self.metadata(&other.path(name)).await;
            if metadata.map_err(|error| self.explain(error))?.is_some() {
                return Ok(VersionStatus::Missing);
            }
        }
        Err(StoreError::new(
            StoreErrorKind::NotFound,
            OPERATION,
            name.as_str(),
        ))
    }

    /// Removes each version with its metadata; where that is denied, destroys
    /// its data and leaves the metadata, which holds no more than times.
    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        check(name, "delete metadata")?;
        let (Deletion::Versions(versions)
        | Deletion::Object { versions }
        | Deletion::Purge { versions }) = what;
        for version in versions.iter().filter_map(StoredVersion::parse) {
            let removed = self.remove(&version.path(name)).await;
            removed.map_err(|error| self.explain(error))?;
        }
        Ok(())
    }
}

/// What is written.
#[derive(Deserialize)]
struct Stored {
    envelope: String,
}

fn status(metadata: &KvMetadata, ours: &StoredVersion, now: Timestamp) -> VersionStatus {
    match metadata.versions.get(&1) {
        // Metadata alone, written by somebody for a version that is not there.
        None if metadata.current_version == 0 => VersionStatus::Missing,
        Some(KvVersion { created_time, .. })
            if metadata.current_version != 1 || *created_time != ours.created_time =>
        {
            VersionStatus::Replaced
        }
        None => VersionStatus::Replaced,
        Some(version) if version.is_readable(now) => VersionStatus::Present,
        Some(_) => VersionStatus::Missing,
    }
}

/// Names are taken literally by policies, URLs and proxies, or not at all.
fn check(name: &RemoteName, operation: &'static str) -> Result<(), StoreError> {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let segment = |text: &str| !matches!(text, "" | "." | "..") && text.bytes().all(known);
    if name.as_str().len() <= MAX_NAME_BYTES && name.as_str().split('/').all(segment) {
        return Ok(());
    }
    Err(StoreError::new(
        StoreErrorKind::InvalidName,
        operation,
        name.as_str(),
    ))
}

impl From<OpenBaoError> for StoreError {
    fn from(error: OpenBaoError) -> Self {
        use OpenBaoErrorKind as K;
        let parts = error.into_parts();
        let kind = match parts.kind {
            K::NotFound => StoreErrorKind::NotFound,
            K::Conflict => StoreErrorKind::Conflict,
            K::PermissionDenied => StoreErrorKind::PermissionDenied,
            K::Unauthenticated => StoreErrorKind::Unauthenticated,
            K::TooLarge => StoreErrorKind::TooLarge,
            K::InvalidPath => StoreErrorKind::InvalidName,
            K::RateLimited => StoreErrorKind::RateLimited,
            K::Unavailable => StoreErrorKind::Unavailable,
            K::Corrupt => StoreErrorKind::Corrupt,
            K::Refused | K::KeyDisabled | K::Misconfigured => StoreErrorKind::Misconfigured,
        };
        let mut error = Self::new(kind, parts.operation, parts.path);
        if let Some(remedy) = parts.remedy {
            error = error.with_remedy(remedy);
        }
        match parts.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_segments_of_512_bytes_at_most() {
        let name = |text: &str| check(&RemoteName::new(text.to_owned()), "put").is_ok();
        assert!(name("planton/acme/env/prod/db-0badcafe"));
        assert!(name(&"a".repeat(512)));
        for bad in [
            "", "/a", "a/", "a//b", "a/../b", "a/./b", "a b", "a%2fb", "a?b", "é", "a*",
        ] {
            assert!(!name(bad), "{bad}");
        }
        assert!(!name(&"a".repeat(513)));
    }

    #[test]
    fn status_tells_present_missing_and_replaced_apart() {
        let ours = StoredVersion {
            slot: "1-0badcafe".to_owned(),
            created_time: "2026-01-01T00:00:00.1Z".to_owned(),
        };
        let now = "2026-02-01T00:00:00Z".parse().unwrap_or(Timestamp::MAX);
        let metadata = |current_version, created: &str, deleted: &str, destroyed| KvMetadata {
            current_version,
            versions: [(
                1,
                KvVersion {
                    created_time: created.to_owned(),
                    deletion_time: deleted.to_owned(),
                    destroyed,
                },
            )]
            .into(),
        };
        let at = "2026-01-01T00:00:00.1Z";
        for (metadata, expected) in [
            (metadata(1, at, "", false), VersionStatus::Present),
            (
                metadata(1, at, "2026-01-02T00:00:00Z", false),
                VersionStatus::Missing,
            ),
            (metadata(1, at, "", true), VersionStatus::Missing),
            (metadata(2, at, "", false), VersionStatus::Replaced),
            (
                metadata(1, "2026-01-01T00:00:00.2Z", "", false),
                VersionStatus::Replaced,
            ),
            (
                KvMetadata {
                    current_version: 12,
                    versions: [].into(),
                },
                VersionStatus::Replaced,
            ),
            (
                KvMetadata {
                    current_version: 0,
                    versions: [].into(),
                },
                VersionStatus::Missing,
            ),
        ] {
            assert_eq!(status(&metadata, &ours, now), expected, "{metadata:?}");
        }
    }
}
