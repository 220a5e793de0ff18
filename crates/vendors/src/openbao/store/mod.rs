//! Sealed versions in KV version 2: the built-in backend, a self-hosted
//! OpenBAO, and HashiCorp Vault.

mod foreign;
mod link;
mod version;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use crate::http::HttpSettings;
use crate::openbao::client::{
    KvEntry, KvMetadata, KvV2, KvVersion, OpenBaoClient, OpenBaoError, OpenBaoErrorKind,
    PolicyScope, StorePaths, StoreRequest, store_policy_part, store_policy_text,
};
use crate::openbao::credential::{AmbientTokens, Credential};
use crate::openbao::kind::VaultKind;
use crate::openbao::settings::VaultConfig;
use link::Link;
use planton_core::store::{
    Absence, Deletion, DescribeOptions, ForeignObjects, NameRules, NativeVersionId,
    PayloadEncoding, PutOptions, RemoteName, SecretStore, StoreCapability, StoreCredential,
    StoreError, StoreErrorKind, VersionStatus,
};
use version::StoredVersion;

/// A cap of our own: KV takes some 1,000 KiB, the other backends no more than this.
const MAX_PAYLOAD_BYTES: usize = 65_536;

/// A cap of our own, far below what URLs and storage take.
const MAX_NAME_BYTES: usize = 512;

/// What every envelope in text form begins with.
const ENVELOPE: &str = "pse1.";

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
    link: Link,
    capability: StoreCapability,
    /// Whose grants a denial names.
    paths: StorePaths,
    /// The whole policy of a backend of one's own; what writes takes all of it.
    policy: Option<String>,
}

/// What [`OpenBaoStore::connect`] is told besides configuration and credential.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Timeouts and retries.
    pub http: HttpSettings,
    /// What serves where no credential is given.
    pub ambient: AmbientTokens,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            http: HttpSettings::default(),
            ambient: AmbientTokens::of_process(),
        }
    }
}

impl OpenBaoStore {
    /// Takes the built-in backend of an organization's platform.
    #[must_use]
    pub fn platform(client: &OpenBaoClient, scope: &PolicyScope) -> Self {
        Self {
            link: Link::to(client),
            capability: capability("platform", "OpenBAO"),
            paths: scope.store_paths(),
            policy: None,
        }
    }

    /// Takes a HashiCorp Vault or an OpenBAO of one's own. Nothing is read or
    /// sent before the first verb; only the environment is looked at.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a credential that does not fit the configured login,
    /// `Unauthenticated` for a login without its secret part. An unreadable file,
    /// and an environment without a token, the first verb tells.
    pub fn connect(
        config: VaultConfig,
        credential: &StoreCredential,
        options: ConnectOptions,
    ) -> Result<Self, StoreError> {
        let credential = Credential::parse(&config, credential, options.ambient)?;
        Ok(Self {
            capability: Self::capability_of(config.kind()),
            policy: Some(store_policy_text(
                config.kv_mount_path(),
                config.name_prefix(),
            )),
            paths: StorePaths {
                kv_mount_path: config.kv_mount_path().clone(),
                objects: config.name_prefix().to_owned(),
                fences: format!("{}/.fence/*", config.name_prefix()),
            },
            link: Link::new(config, credential, options.http),
        })
    }

    /// Returns what a store of this type can do, before any is opened.
    pub(super) const fn capability_of(kind: VaultKind) -> StoreCapability {
        capability(kind.name(), kind.vendor())
    }

    /// Returns the count of requests sent so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.link.requests()
    }

    /// Reads a version's path; before it believes that nothing is there, again
    /// with a fence.
    async fn read(
        &self,
        client: &OpenBaoClient,
        path: &str,
    ) -> Result<KvEntry<Stored>, OpenBaoError> {
        let entry = client.kv().read(path).await?;
        if matches!(entry, KvEntry::Present { .. }) || client.is_fenced() {
            return Ok(entry);
        }
        client.fence().await?.kv().read(path).await
    }

    /// As [`read`](Self::read), of metadata.
    async fn metadata(
        &self,
        client: &OpenBaoClient,
        path: &str,
    ) -> Result<Option<KvMetadata>, OpenBaoError> {
        let metadata = client.kv().metadata(path).await?;
        if metadata.is_some() || client.is_fenced() {
            return Ok(metadata);
        }
        client.fence().await?.kv().metadata(path).await
    }

    /// Looks at a version, and where it is gone, at the others.
    async fn look(
        &self,
        client: &OpenBaoClient,
        name: &RemoteName,
        options: &DescribeOptions,
    ) -> Result<Option<VersionStatus>, OpenBaoError> {
        // Whatever this process wrote before: somebody may have put the object
        // since, or taken it away.
        let fenced = match options.absence {
            Absence::Quick => None,
            Absence::Confirmed => Some(client.fence().await?.kv()),
        };
        let metadata = async |version: &StoredVersion| {
            let path = version.path(name);
            match &fenced {
                Some(kv) => kv.metadata(&path).await,
                None => self.metadata(client, &path).await,
            }
        };
        if let Some(version) = StoredVersion::parse(&options.version)
            && let Some(metadata) = metadata(&version).await?
        {
            return Ok(Some(status(&metadata, &version, Timestamp::now())));
        }
        for other in options.others.iter().filter_map(StoredVersion::parse) {
            if metadata(&other).await?.is_some() {
                return Ok(Some(VersionStatus::Missing));
            }
        }
        Ok(None)
    }

    /// Looks at what stands in the way of a put. The same payload is our own,
    /// whose answer was lost: the path is random, and nobody else could know it.
    async fn own(
        &self,
        client: &OpenBaoClient,
        path: &str,
        payload: &str,
    ) -> Result<Option<String>, OpenBaoError> {
        Ok(match self.read(client, path).await? {
            KvEntry::Present {
                data,
                version: 1,
                created_time,
            } if data.envelope == payload => Some(created_time),
            _ => None,
        })
    }

    async fn remove(&self, client: &OpenBaoClient, path: &str) -> Result<(), OpenBaoError> {
        match client.kv().delete_metadata(path).await {
            Err(error) if error.kind() == OpenBaoErrorKind::PermissionDenied => {
                client.kv().destroy(path, &[1]).await
            }
            outcome => outcome,
        }
    }

    /// Removes what a creation that was given up has left behind: versions of our
    /// own form, and nothing else. Where they may not be listed, they stay.
    async fn remove_abandoned(
        &self,
        client: &OpenBaoClient,
        name: &RemoteName,
    ) -> Result<(), OpenBaoError> {
        // A list has no way to tell that something is missing from it.
        let kv = client.fence().await?.kv();
        let slots = match kv.list(name.as_str()).await {
            Err(error) if error.kind() == OpenBaoErrorKind::PermissionDenied => {
                tracing::warn!(%name, "what a creation that was given up may have put stays: it may not be listed");
                return Ok(());
            }
            listed => listed?,
        };
        for slot in slots {
            let path = format!("{name}/{slot}");
            if StoredVersion::is_slot(&slot) && is_envelope(&kv, &path).await? {
                self.remove(client, &path).await?;
            } else {
                tracing::warn!(
                    path,
                    "what stands beside a secret's versions is not ours, and stays"
                );
            }
        }
        Ok(())
    }

    /// Explains a failure. A denial asks for what a request of this kind takes, and
    /// for no more.
    fn explain(&self, error: OpenBaoError, request: StoreRequest) -> StoreError {
        if error.kind() != OpenBaoErrorKind::PermissionDenied {
            return self.link.explain(error);
        }
        let policy = match (request, &self.policy) {
            (StoreRequest::Write, Some(whole)) => whole.clone(),
            _ => store_policy_part(&self.paths, request),
        };
        error
            .with_remedy(format!("Grant to the role in use:\n{policy}"))
            .into()
    }
}

#[async_trait]
impl SecretStore for OpenBaoStore {
    fn capability(&self) -> &StoreCapability {
        &self.capability
    }

    /// A backend of one's own may hold what others wrote; the built-in one does
    /// not.
    fn foreign(&self) -> Option<&dyn ForeignObjects> {
        (self.capability.kind != "platform").then_some(self as &dyn ForeignObjects)
    }

    //= docs/format.md#20-places
    //# On OpenBAO and HashiCorp Vault, a writer MUST write an envelope at the place and in the
    //# form of this table.
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
        let client = self.link.client().await?;
        self.link.verify_namespace(client).await?;
        let slot = StoredVersion::slot(options.version, options.attempt);
        let path = format!("{name}/{slot}");
        let data = serde_json::json!({ "envelope": text });
        let created_time = match client.kv().write(&path, &data, 0).await {
            Ok(written) if written.version == 1 => written.created_time,
            // Only metadata that somebody else made can count on from elsewhere.
            Ok(_) => return Err(error(StoreErrorKind::AlreadyExists)),
            Err(conflict) if conflict.kind() == OpenBaoErrorKind::Conflict => {
                let own = self.own(client, &path, text).await;
                own.map_err(|error| self.explain(error, StoreRequest::Write))?
                    .ok_or_else(|| error(StoreErrorKind::AlreadyExists).with_source(conflict))?
            }
            Err(error) => return Err(self.explain(error, StoreRequest::Write)),
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
        let client = self.link.client().await?;
        let entry = self.read(client, &version.path(name)).await;
        match entry.map_err(|error| self.explain(error, StoreRequest::Read))? {
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

    /// One request while the version is there; with a confirmation, after a
    /// fence.
    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        const OPERATION: &str = "read metadata";
        check(name, OPERATION)?;
        let client = self.link.client().await?;
        let looked = self.look(client, name, &options).await;
        looked
            .map_err(|error| self.explain(error, StoreRequest::Look))?
            .ok_or_else(|| StoreError::new(StoreErrorKind::NotFound, OPERATION, name.as_str()))
    }

    /// Removes each version with its metadata; where that is denied, destroys
    /// its data and leaves the metadata, which holds no more than times. Of an
    /// object without known versions, whatever is of our form.
    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        check(name, "delete metadata")?;
        let is_whole = !matches!(what, Deletion::Versions(_));
        let (Deletion::Versions(versions)
        | Deletion::Object { versions }
        | Deletion::Purge { versions }) = what;
        let client = self.link.client().await?;
        if is_whole && versions.is_empty() {
            let removed = self.remove_abandoned(client, name).await;
            return removed.map_err(|error| self.explain(error, StoreRequest::Write));
        }
        for version in versions.iter().filter_map(StoredVersion::parse) {
            let removed = self.remove(client, &version.path(name)).await;
            removed.map_err(|error| self.explain(error, StoreRequest::Write))?;
        }
        Ok(())
    }
}

/// What is written.
#[derive(Deserialize)]
struct Stored {
    envelope: String,
}

const fn capability(kind: &'static str, vendor: &'static str) -> StoreCapability {
    StoreCapability {
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
    }
}

/// Says whether an envelope stands at `path`, and not what somebody else wrote.
async fn is_envelope(kv: &KvV2, path: &str) -> Result<bool, OpenBaoError> {
    match kv.read::<Stored>(path).await {
        Ok(KvEntry::Present { data, .. }) => Ok(data.envelope.starts_with(ENVELOPE)),
        Ok(KvEntry::Deleted { .. } | KvEntry::Absent) => Ok(false),
        Err(error) if error.kind() == OpenBaoErrorKind::Corrupt => Ok(false),
        Err(error) => Err(error),
    }
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

#[cfg(test)]
mod tests;
