//! The built-in backend of a bucket.

mod listing;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use object_store::path::Path;

use super::Bucket;
use super::client::{Client, Condition, Fault, FaultKind, Tag, Write};
use super::conditional::{ReadBack, Written, write};
use super::errors::explain;
use super::location::Places;
use super::marks;
use super::policy::Operation;
use planton_core::marks::{ListedMarks, Mark, MarkQuery, SeenMarks};
use planton_core::names::Slug;
use planton_core::store::{
    Deletion, DescribeOptions, ListObjects, NameRules, NativeVersionId, PayloadEncoding,
    PutOptions, RemoteName, SecretStore, StoreCapability, StoreError, StoreErrorKind,
    VersionStatus,
};
use version::{StoredVersion, digest_of};

static CAPABILITY: StoreCapability = StoreCapability {
    kind: "platform",
    vendor: "the bucket",
    encoding: PayloadEncoding::Binary,
    max_payload_bytes: 65_536,
    name: NameRules {
        separator: "/",
        max_bytes: 512,
    },
    max_versions: None,
    deletes_versions: true,
};

/// Metadata with the SHA-256 of the payload, in hexadecimal.
const DIGEST: &str = "plantonsha256";

/// Metadata with the labels, as in a URL's query.
const LABELS: &str = "plantonlabels";

/// Maximum size of the labels. All metadata of an object of S3 has 2 KB:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const MAX_LABELS_BYTES: usize = 1_024;

/// How many versions are deleted at once.
const DELETIONS_AT_ONCE: usize = 8;

/// Stores each version as an immutable object, under a key that is never written again.
#[derive(Clone, Debug)]
pub struct BucketStore {
    client: Client,
    places: Places,
    marks: Arc<SeenMarks>,
}

impl BucketStore {
    /// Creates the store of `organization` in `bucket`.
    #[must_use]
    pub fn new(bucket: &Bucket, organization: Slug) -> Self {
        let client = bucket.client.clone();
        Self {
            places: Places::new(client.settings().location(), &organization),
            client,
            marks: Arc::default(),
        }
    }

    fn explain(&self, fault: Fault, operation: Operation, path: &Path) -> StoreError {
        let place = (self.places.root(), path.as_ref());
        explain(&self.client, fault, operation, place)
    }

    fn error(&self, kind: StoreErrorKind, operation: Operation, name: &RemoteName) -> StoreError {
        let vendor = self.client.settings().location().vendor();
        StoreError::new(kind, operation.name(vendor), name.as_str())
    }

    /// Returns the key of a version; `None` for an identifier or a name that no put returned.
    fn key(&self, name: &RemoteName, id: &NativeVersionId) -> Option<(Path, StoredVersion)> {
        let version = StoredVersion::parse(id).filter(|_| is_valid(name))?;
        let path = self.places.version(name.as_str(), version.leaf());
        Some((path, version))
    }

    /// Notes the mark of a version that was put, and returns its identifier.
    fn noted(
        &self,
        name: &RemoteName,
        version: StoredVersion,
        path: &Path,
        tag: &Tag,
    ) -> NativeVersionId {
        let id = version.into_native_id();
        self.note((name, &id), path, tag);
        id
    }

    /// Notes the mark of a version, which its identifier does not contain.
    fn note(&self, (name, id): (&RemoteName, &NativeVersionId), path: &Path, tag: &Tag) {
        if let Some(mark) = marks::mark(path, tag) {
            self.marks.note(&[name.as_str(), id.as_str()], mark);
        }
    }

    /// Returns the status of a version that has no object: `Missing` if the object has other
    /// versions.
    async fn absent(&self, name: &RemoteName) -> Result<VersionStatus, StoreError> {
        match self.leaves(name).await?.is_empty() {
            true => Err(self.error(StoreErrorKind::NotFound, Operation::Head, name)),
            false => Ok(VersionStatus::Missing),
        }
    }

    /// Deletes all keys, even if the deletion of one fails.
    async fn delete_keys(&self, keys: Vec<Path>) -> Result<(), StoreError> {
        let deletions = keys.into_iter().map(|path| async move {
            let deleted = self.client.delete(&path).await;
            deleted.map_err(|fault| self.explain(fault, Operation::Delete, &path))
        });
        let mut deletions = stream::iter(deletions).buffer_unordered(DELETIONS_AT_ONCE);
        let mut outcome = Ok(());
        while let Some(deleted) = deletions.next().await {
            outcome = outcome.and(deleted);
        }
        outcome
    }

    /// Deletes the named versions, and lists beside it what else there is. The key of an
    /// object belongs to this program alone, so the rest is deleted too.
    async fn delete_object(
        &self,
        name: &RemoteName,
        versions: &[NativeVersionId],
    ) -> Result<(), StoreError> {
        let named = versions.iter().filter_map(|id| self.key(name, id));
        let named: Vec<Path> = named.map(|(path, _)| path).collect();
        // Both halves run to their end, even if one fails.
        let (deleted, listed) = tokio::join!(self.delete_keys(named.clone()), self.leaves(name));
        deleted?;
        let leaves = listed?.into_iter().map(|listed| listed.path);
        let stragglers = leaves.filter(|path| !named.contains(path)).collect();
        self.delete_keys(stragglers).await
    }
}

/// Returns the tag of an object if its payload has the digest of the version; `None` if it has
/// another.
///
/// The metadata is sufficient. Without the expected one, the payload counts: a restore may drop
/// metadata, and must not count as another version. An object larger than any payload is not
/// read.
async fn matching(
    client: &Client,
    path: &Path,
    is_of: impl Fn(&str) -> bool + Send + Sync,
) -> Result<Option<Tag>, Fault> {
    let found = client.head(path).await?;
    if found.metadata(DIGEST).is_some_and(&is_of) {
        return Ok(Some(found.tag));
    }
    if found.size > CAPABILITY.max_payload_bytes as u64 {
        return Ok(None);
    }
    let object = client.get(path).await?;
    if is_of(&digest_of(&object.body)) {
        return Ok(Some(object.tag));
    }
    // Another content is found only if both responses are about the same object.
    match object.tag == found.tag {
        true => Ok(None),
        false => {
            let said = "two reads returned different objects";
            Err(Fault::new(FaultKind::Unexpected, said))
        }
    }
}

/// Returns what a read after an unclear put means. The key belongs to the attempt alone.
async fn read_back(client: &Client, path: &Path, digest: &str) -> Result<ReadBack, Fault> {
    match matching(client, path, |found| found == digest).await {
        Ok(Some(tag)) => Ok(ReadBack::Own(tag)),
        Ok(None) => Ok(ReadBack::Other),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(ReadBack::Unchanged),
        Err(fault) => Err(fault),
    }
}

#[async_trait]
impl SecretStore for BucketStore {
    fn capability(&self) -> &StoreCapability {
        &CAPABILITY
    }

    fn listing(&self) -> Option<&dyn ListObjects> {
        Some(self)
    }

    fn mark(&self, name: &RemoteName, version: &NativeVersionId) -> Option<Mark> {
        self.marks.of(&[name.as_str(), version.as_str()])
    }

    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, StoreError> {
        let folder = self.places.object(query.folder);
        let listed = marks::list(&self.client, &folder, query).await;
        listed.map_err(|fault| self.explain(fault, Operation::List, &folder))
    }

    /// One request. A retry of an attempt takes two.
    //= docs/format.md#20-places
    //# In a bucket, a writer MUST write an envelope at the place and in the form of this table.
    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        let refused = |kind| self.error(kind, Operation::Put, name);
        if !is_valid(name) {
            return Err(refused(StoreErrorKind::InvalidName));
        }
        if payload.len() > CAPABILITY.max_payload_bytes {
            return Err(refused(StoreErrorKind::TooLarge));
        }
        let version = StoredVersion::new(options.version, options.attempt, payload);
        let path = self.places.version(name.as_str(), version.leaf());
        let digest = digest_of(payload);
        let mut metadata = vec![(DIGEST, digest.clone())];
        metadata.extend(labels(&options.labels).map(|labels| (LABELS, labels)));
        let put = Write {
            path: path.clone(),
            body: Bytes::copy_from_slice(payload),
            condition: Condition::Absent,
            content_type: "application/octet-stream",
            metadata,
        };
        let read_back = || read_back(&self.client, &path, &digest);
        let failed = |fault| self.explain(fault, Operation::Put, &path);
        let written = write(&self.client, &put, read_back).await;
        match written.map_err(failed)? {
            Written::Done(tag) => Ok(self.noted(name, version, &path, &tag)),
            // An earlier call with the same attempt may have written it.
            Written::Refused => match read_back().await.map_err(failed)? {
                ReadBack::Own(tag) => Ok(self.noted(name, version, &path, &tag)),
                ReadBack::Other | ReadBack::Unchanged => Err(refused(StoreErrorKind::Conflict)),
            },
        }
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        let Some((path, version)) = self.key(name, version) else {
            return Err(self.error(StoreErrorKind::NotFound, Operation::Get, name));
        };
        let object = self.client.get(&path).await;
        let object = object.map_err(|fault| self.explain(fault, Operation::Get, &path))?;
        match version.has_digest(&digest_of(&object.body)) {
            true => Ok(object.body.to_vec()),
            false => Err(self.error(StoreErrorKind::Corrupt, Operation::Get, name)),
        }
    }

    /// One request. One more if the version is gone, and two if it has no metadata.
    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        let Some((path, version)) = self.key(name, &options.version) else {
            return self.absent(name).await;
        };
        match matching(&self.client, &path, |digest| version.has_digest(digest)).await {
            Ok(Some(tag)) => {
                self.note((name, &options.version), &path, &tag);
                Ok(VersionStatus::Present)
            }
            Ok(None) => Ok(VersionStatus::Replaced),
            Err(fault) if fault.kind == FaultKind::NotFound => self.absent(name).await,
            Err(fault) => Err(self.explain(fault, Operation::Head, &path)),
        }
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        if !is_valid(name) {
            return Ok(());
        }
        match what {
            Deletion::Versions(ids) => {
                let keys = ids.iter().filter_map(|id| self.key(name, id));
                self.delete_keys(keys.map(|(path, _)| path).collect()).await
            }
            Deletion::Object { versions } | Deletion::Purge { versions } => {
                self.delete_object(name, &versions).await
            }
        }
    }
}

/// Returns true for a name whose key is unambiguous: no part is empty or made of dots.
fn is_valid(name: &RemoteName) -> bool {
    let name = name.as_str();
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let part = |part: &str| !part.is_empty() && !part.ends_with('.') && part.bytes().all(known);
    name.len() <= CAPABILITY.name.max_bytes && name.split('/').all(part)
}

/// Returns the labels as one value of metadata, which is ASCII; `None` if they are too long.
fn labels(labels: &BTreeMap<String, String>) -> Option<String> {
    if labels.is_empty() {
        return None;
    }
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    let text = text.extend_pairs(labels).finish();
    (text.len() <= MAX_LABELS_BYTES).then_some(text)
}

#[cfg(test)]
mod tests;
