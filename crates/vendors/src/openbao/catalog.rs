//! The catalog in KV version 2.

mod marks;

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::Deserialize;

use crate::openbao::client::{
    KvEntry, KvV2, OpenBaoClient, OpenBaoError, OpenBaoErrorKind, PolicyPart, PolicyRole,
    PolicyScope, policy_part,
};
use planton_core::catalog::{
    CatalogError, CatalogErrorKind, CatalogStore, ORGANIZATION_RECORD, RecordKey, Revision,
    StoredRecord,
};
use planton_core::marks::{ListedMarks, Mark, MarkQuery, SeenMarks};

/// Maximum number of old versions to destroy. It exceeds KV's default of 10 versions:
/// <https://openbao.org/api-docs/secret/kv/kv-v2/>. To destroy an absent version has no
/// effect.
const HISTORY: u64 = 32;

/// An organization's records, under `catalog/{organization}` in a KV mount. A record's
/// revision is its KV version.
///
/// A record whose current version was deleted or destroyed reads as absent. A write
/// that expects absence replaces it, so the next apply converges, and the revision
/// never goes back. Only `expect_never_deleted`, which precedes a destruction,
/// distinguishes the two.
#[derive(Debug)]
pub struct OpenBaoCatalog {
    client: OpenBaoClient,
    kv: KvV2,
    root: String,
    /// Policies to grant after a denied read, and after a denied write.
    reads: String,
    writes: String,
    marks: SeenMarks,
}

impl OpenBaoCatalog {
    /// Creates the catalog of an organization on its platform. Errors of denied writes
    /// print the policy of `role`.
    #[must_use]
    pub fn new(client: &OpenBaoClient, scope: &PolicyScope, role: PolicyRole) -> Self {
        Self {
            client: client.clone(),
            kv: client.kv(),
            root: scope.catalog_path(),
            // Includes the fence, which precedes every report of an absence.
            reads: policy_part(scope, PolicyRole::Plan, PolicyPart::Catalog),
            writes: policy_part(scope, role, PolicyPart::Catalog),
            marks: SeenMarks::default(),
        }
    }

    fn path(&self, key: &RecordKey) -> String {
        format!("{}/{key}", self.root)
    }

    async fn read_through(
        &self,
        kv: &KvV2,
        key: &RecordKey,
    ) -> Result<KvEntry<Stored>, CatalogError> {
        let entry = kv.read(&self.path(key)).await;
        let entry = entry.map_err(|error| self.explain(error))?;
        if let KvEntry::Present {
            version,
            created_time,
            ..
        } = &entry
        {
            self.note(key, *version, created_time);
        }
        Ok(entry)
    }

    /// Returns the mount behind a fence, so that its reads are not stale.
    async fn fenced(&self) -> Result<KvV2, CatalogError> {
        let fenced = self.client.fence().await;
        Ok(fenced.map_err(|error| self.explain(error))?.kv())
    }

    /// Returns the KV version for a write that expects absence, if the record was
    /// deleted.
    async fn cas_after_deletion(
        &self,
        kv: &KvV2,
        key: &RecordKey,
        expected: Revision,
    ) -> Result<Option<u64>, CatalogError> {
        if expected != Revision::ABSENT || key.as_str() == ORGANIZATION_RECORD {
            return Ok(None);
        }
        Ok(match self.read_through(kv, key).await? {
            KvEntry::Deleted { version } => Some(version),
            KvEntry::Present { .. } | KvEntry::Absent => None,
        })
    }

    /// Returns a deleted record as absent, except for the organization's own record.
    /// The provider never deletes that one, and a new one could open no existing
    /// secret.
    async fn record(
        &self,
        key: &RecordKey,
        entry: KvEntry<Stored>,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        if let KvEntry::Deleted { version } = entry
            && key.as_str() == ORGANIZATION_RECORD
        {
            let remedy = format!(
                "Somebody deleted the organization's record, from which all its secrets hang; it \
                 is never made anew. Bring it back: `{}`, or restore it from a backup.",
                self.undelete(key, version).await
            );
            return Err(CatalogError::new(
                CatalogErrorKind::Corrupt,
                "read record",
                self.path(key),
            )
            .with_remedy(remedy));
        }
        Ok(record(entry))
    }

    /// Returns the command that restores a deleted version of a record.
    async fn undelete(&self, key: &RecordKey, version: u64) -> String {
        format!(
            "{} kv undelete -mount={} -versions={version} {}",
            self.client.vendor().await.command(),
            self.kv.mount().as_str(),
            self.path(key)
        )
    }

    fn explain(&self, error: OpenBaoError) -> CatalogError {
        denied(error, &self.reads)
    }

    fn explain_write(&self, error: OpenBaoError) -> CatalogError {
        denied(error, &self.writes)
    }
}

/// Maps an error; a denial prints `policy`.
fn denied(error: OpenBaoError, policy: &str) -> CatalogError {
    match error.kind() {
        OpenBaoErrorKind::PermissionDenied => error
            .with_remedy(format!("Grant to the role in use:\n{policy}"))
            .into(),
        _ => error.into(),
    }
}

#[async_trait]
impl CatalogStore for OpenBaoCatalog {
    async fn read(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        // Asked before the request: an index that arrives meanwhile was not sent with it.
        let was_fenced = self.client.is_fenced();
        let entry = self.read_through(&self.kv, key).await?;
        if matches!(entry, KvEntry::Present { .. }) || was_fenced {
            return self.record(key, entry).await;
        }
        self.read_fenced(key).await
    }

    /// Takes two requests: the fence, whatever this process wrote before, and the
    /// record.
    async fn read_fenced(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        let kv = self.fenced().await?;
        self.record(key, self.read_through(&kv, key).await?).await
    }

    /// Sends the index of the last write with the request. Uses a fence instead if the
    /// response of that write was lost or contained no index.
    async fn read_since_own_writes(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        if !self.client.is_fenced() {
            return self.read_fenced(key).await;
        }
        let entry = self.read_through(&self.kv, key).await?;
        self.record(key, entry).await
    }

    /// Takes two requests, like a fenced read.
    async fn expect_never_deleted(&self, key: &RecordKey) -> Result<(), CatalogError> {
        let kv = self.fenced().await?;
        let KvEntry::Deleted { version } = self.read_through(&kv, key).await? else {
            return Ok(());
        };
        let path = self.path(key);
        let remedy = format!(
            "Bring it back: `{undelete}`, or, where it was destroyed, restore it from a backup. To \
             give the secret up for good, with its object, remove what is left of the record: \
             `{command} kv metadata delete -mount={mount} {path}`.",
            undelete = self.undelete(key, version).await,
            command = self.client.vendor().await.command(),
            mount = self.kv.mount().as_str(),
        );
        let removed = CatalogError::new(CatalogErrorKind::Removed, "read record", path);
        Err(removed.with_remedy(remedy))
    }

    //= docs/format.md#20-places
    //# A writer MUST write a record at the place of its platform in this table, with `mac` in
    //# lower-case hexadecimal.
    async fn write(
        &self,
        key: &RecordKey,
        record: &StoredRecord,
        expected: Revision,
    ) -> Result<Revision, CatalogError> {
        let path = self.path(key);
        let data = serde_json::json!({"body": record.body, "mac": record.mac});
        let was_fenced = self.client.is_fenced();
        let is_conflict = |error: &OpenBaoError| error.kind() == OpenBaoErrorKind::Conflict;
        let mut kv = self.kv.clone();
        let mut outcome = kv.write(&path, &data, expected.0).await;
        // A standby may evaluate the compare-and-set on stale state. If the first try
        // was applied but its response was lost, the second one returns the documented
        // conflict.
        if !was_fenced && outcome.as_ref().is_err_and(is_conflict) {
            kv = self.fenced().await?;
            outcome = kv.write(&path, &data, expected.0).await;
        }
        if outcome.as_ref().is_err_and(is_conflict)
            && let Some(cas) = self.cas_after_deletion(&kv, key, expected).await?
        {
            outcome = kv.write(&path, &data, cas).await;
        }
        let written = outcome.map_err(|error| self.explain_write(error))?;
        self.note(key, written.version, &written.created_time);
        Ok(Revision(written.version))
    }

    async fn forget_history(&self, key: &RecordKey, present: Revision) -> Result<(), CatalogError> {
        let oldest = present.0.saturating_sub(HISTORY).max(1);
        let versions: Vec<u64> = (oldest..present.0).collect();
        if versions.is_empty() {
            return Ok(());
        }
        let destroyed = self.kv.destroy(&self.path(key), &versions).await;
        let error = match destroyed {
            Ok(()) => return Ok(()),
            Err(error) => self.explain_write(error),
        };
        match error.kind() {
            CatalogErrorKind::Unavailable | CatalogErrorKind::RateLimited => Err(error),
            kind => {
                tracing::debug!(?kind, %key, "a record's history stays");
                Ok(())
            }
        }
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), CatalogError> {
        let removed = self.kv.delete_metadata(&self.path(key)).await;
        removed.map_err(|error| self.explain_write(error))
    }

    fn mark(&self, key: &RecordKey, revision: Revision) -> Option<Mark> {
        self.noted(key, revision)
    }

    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, CatalogError> {
        let listed = self.page_of_marks(query).await;
        listed.map_err(|error| self.explain(error))
    }

    /// Includes deleted records, which read as absent.
    async fn list(&self, prefix: &str) -> Result<Vec<RecordKey>, CatalogError> {
        // A stale list is incomplete, and nothing reveals it.
        let kv = self.fenced().await?;
        let mut keys = BTreeSet::new();
        let mut folders = vec![match prefix {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }];
        while let Some(folder) = folders.pop() {
            let path = format!("{}/{folder}", self.root);
            let listed = kv.list(path.trim_end_matches('/')).await;
            for name in listed.map_err(|error| self.explain(error))? {
                let is_fence = folder.is_empty() && name == "fence/";
                match name.ends_with('/') {
                    true if is_fence => {}
                    true => folders.push(format!("{folder}{name}")),
                    false => {
                        keys.insert(RecordKey::new(format!("{folder}{name}")));
                    }
                }
            }
        }
        Ok(keys.into_iter().collect())
    }
}

/// The data of a record.
#[derive(Deserialize)]
struct Stored {
    body: String,
    mac: String,
}

fn record(entry: KvEntry<Stored>) -> Option<(StoredRecord, Revision)> {
    match entry {
        KvEntry::Present {
            data: Stored { body, mac },
            version,
            ..
        } => Some((StoredRecord { body, mac }, Revision(version))),
        KvEntry::Deleted { .. } | KvEntry::Absent => None,
    }
}
