//! Sealed versions in KV version 2: the built-in backend, and backends on OpenBAO and
//! HashiCorp Vault.

mod foreign;
mod link;
mod listing;
mod look;
mod marks;
mod version;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;

use crate::http::HttpSettings;
use crate::openbao::client::{
    KvEntry, KvV2, OpenBaoClient, OpenBaoError, OpenBaoErrorKind, PolicyScope, StorePaths,
    StoreRequest, store_policy_part, store_policy_text,
};
use crate::openbao::credential::{AmbientTokens, Credential};
use crate::openbao::kind::VaultKind;
use crate::openbao::settings::VaultConfig;
use link::Link;
use marks::FolderSizes;
use planton_core::marks::{ListedMarks, Mark, MarkQuery};
use planton_core::store::{
    Deletion, DescribeOptions, ForeignObjects, ListObjects, NameRules, NativeVersionId,
    PayloadEncoding, PutOptions, RemoteName, SecretStore, StoreCapability, StoreCredential,
    StoreError, StoreErrorKind, VersionStatus,
};
use version::StoredVersion;

/// A cap of our own: KV takes some 1,000 KiB, the other backends no more than this.
const MAX_PAYLOAD_BYTES: usize = 65_536;

/// Our own limit, far below that of URLs and of the storage:
/// <https://openbao.org/docs/internals/limits/>.
const MAX_NAME_BYTES: usize = 512;

/// How many versions of an object are removed at a time.
const PARALLEL_REMOVALS: usize = 16;

/// Prefix of every envelope in text form.
const ENVELOPE: &str = "pse1.";

/// Stores each version at its own path, `{name}/{version}-{attempt}`.
///
/// A single path for all versions would lose old ones: KV prunes on put, before our
/// commit. The attempt in the path separates two writers of the same number, so a version
/// is never overwritten, and `cas=0` enforces it.
///
/// Labels are not stored: KV's `custom_metadata` costs another request per put, and a
/// creation may use six. The name identifies the object.
///
/// A client with a fence path never takes a standby's stale 404 for an absent object.
#[derive(Debug)]
pub struct OpenBaoStore {
    link: Link,
    capability: StoreCapability,
    /// The paths whose grants a denial names.
    paths: StorePaths,
    /// The whole policy of a registered backend, which writing needs.
    policy: Option<String>,
    sizes: FolderSizes,
}

/// Options of [`OpenBaoStore::connect`].
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Timeouts and retries.
    pub http: HttpSettings,
    /// The ambient credentials, for a backend without a static credential.
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
    /// Opens the built-in backend of an organization's platform.
    #[must_use]
    pub fn platform(client: &OpenBaoClient, scope: &PolicyScope) -> Self {
        Self {
            link: Link::to(client),
            capability: capability("platform", "OpenBAO"),
            paths: scope.store_paths(),
            policy: None,
            sizes: FolderSizes::default(),
        }
    }

    /// Opens a backend on HashiCorp Vault or OpenBAO. The first verb is the first I/O; only
    /// environment variables are read before.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a credential that does not fit the configured login,
    /// `Unauthenticated` for a login without its credential. The first verb reports an
    /// unreadable file, and an environment without a token.
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
            sizes: FolderSizes::default(),
        })
    }

    /// Returns the capabilities of this type of store.
    pub(super) const fn capability_of(kind: VaultKind) -> StoreCapability {
        capability(kind.name(), kind.vendor())
    }

    /// Returns the number of requests sent.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.link.requests()
    }

    /// Reads the object that a put conflicts with. The same payload is our own write, whose
    /// response was lost: the path is random, and no other process knows it.
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

    /// Removes what an abandoned creation left behind: objects of our own form only.
    ///
    /// Without permission to list them, it fails: the caller then keeps the entry, which is the
    /// only way to the object.
    async fn remove_abandoned(
        &self,
        client: &OpenBaoClient,
        name: &RemoteName,
    ) -> Result<(), OpenBaoError> {
        // A listing does not reveal that it is stale.
        let kv = client.fence().await?.kv();
        for slot in kv.list(name.as_str()).await? {
            let path = format!("{name}/{slot}");
            if StoredVersion::is_slot(&slot) && is_envelope(&kv, &path).await? {
                self.remove(client, &path).await?;
            } else {
                tracing::warn!(path, "kept a foreign object next to a secret's versions");
            }
        }
        Ok(())
    }

    /// Converts an error. A denial asks for the grants of this kind of request only.
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

    /// A registered backend may contain foreign objects; the built-in one does not.
    fn foreign(&self) -> Option<&dyn ForeignObjects> {
        (self.capability.kind != "platform").then_some(self as &dyn ForeignObjects)
    }

    /// The built-in backend contains nothing but our objects.
    fn listing(&self) -> Option<&dyn ListObjects> {
        (self.capability.kind == "platform").then_some(self as &dyn ListObjects)
    }

    fn mark(&self, name: &RemoteName, version: &NativeVersionId) -> Option<Mark> {
        Self::mark_of(name, version)
    }

    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, StoreError> {
        self.folder_marks(query).await
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
            // Only metadata that another writer created starts at another number.
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
            KvEntry::Present { .. } => {
                Err(error(StoreErrorKind::Corrupt)
                    .with_remedy("Another writer replaced this version."))
            }
        }
    }

    /// One request while the version exists; a confirmed absence adds a fence.
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

    /// Removes each version with its metadata. If that is denied, destroys its data and
    /// leaves the metadata, which contains only times. For an object without known versions,
    /// removes everything of our form.
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
        let versions = versions.iter().filter_map(StoredVersion::parse);
        let removals: Vec<_> = versions
            .map(async |version| self.remove(client, &version.path(name)).await)
            .collect();
        // Each version has a path of its own. All are removed even if one fails.
        let removed = stream::iter(removals).buffer_unordered(PARALLEL_REMOVALS);
        let removed: Vec<_> = removed.collect().await;
        let removed: Result<(), _> = removed.into_iter().collect();
        removed.map_err(|error| self.explain(error, StoreRequest::Write))
    }
}

/// The data of an object.
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

/// Returns true if the object at `path` is an envelope.
async fn is_envelope(kv: &KvV2, path: &str) -> Result<bool, OpenBaoError> {
    match kv.read::<Stored>(path).await {
        Ok(KvEntry::Present { data, .. }) => Ok(data.envelope.starts_with(ENVELOPE)),
        Ok(KvEntry::Deleted { .. } | KvEntry::Absent) => Ok(false),
        Err(error) if error.kind() == OpenBaoErrorKind::Corrupt => Ok(false),
        Err(error) => Err(error),
    }
}

/// Accepts only names that policies, URLs and proxies read literally.
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
