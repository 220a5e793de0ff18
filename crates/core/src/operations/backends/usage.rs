//! Finds what still needs a backend, through its entries.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::Backends;
use crate::catalog::{
    EntryKey, RecordKey, SecretDocument, SecretRecord, SecretState, record_key_of_uuid,
};
use crate::names::Slug;
use crate::operations::held_document::HeldSecret;
use crate::operations::{Interrupt, OperationError};
use crate::store::{Absence, SecretStore, StoreErrorKind, VersionStatus};

/// Maximum number of secrets that `BackendInUse` names.
pub(crate) const MAX_NAMED_HOLDERS: usize = 10;

/// Number of concurrent reads.
const READS_AT_ONCE: usize = 8;

/// Treatment of secrets whose deletion was begun and not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// Their deletion is finished.
    Finish,
    /// They count as in use, since finishing their deletion sends requests to the backend's
    /// store.
    Keep,
}

/// The secrets and objects that a backend's entries refer to.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Secrets in use.
    pub(crate) ready: Vec<SecretRecord>,
    /// Secrets under deletion.
    deleting: Vec<Leaving>,
    /// Entries that no document names.
    pub(crate) unnamed: Vec<EntryKey>,
    /// Whether one of them is of a tombstone. A destroy removes it right after its response.
    is_being_cleared: bool,
    /// Keys under which no document exists.
    absent: Vec<RecordKey>,
}

#[derive(Debug)]
struct Leaving {
    key: RecordKey,
    secret: SecretRecord,
}

impl Usage {
    fn add(&mut self, key: &RecordKey, document: &SecretDocument, entries: Vec<EntryKey>) {
        let mut named: Vec<&SecretRecord> = Vec::new();
        for entry in entries {
            match holder_of(document, &entry) {
                Some(secret) if named.iter().all(|other| other.uuid != secret.uuid) => {
                    named.push(secret);
                }
                Some(_) => {}
                None => {
                    self.is_being_cleared |= document.is_tombstone();
                    self.unnamed.push(entry);
                }
            }
        }
        for secret in named.into_iter().cloned() {
            let key = key.clone();
            match secret.state {
                SecretState::Ready => self.ready.push(secret),
                SecretState::Deleting => self.deleting.push(Leaving { key, secret }),
            }
        }
    }
}

/// Returns the secret of a document that names the object of an entry.
pub(crate) fn holder_of<'a>(
    document: &'a SecretDocument,
    entry: &EntryKey,
) -> Option<&'a SecretRecord> {
    let secret = document.secret(entry.secret)?;
    secret.entries().contains(entry).then_some(secret)
}

impl Backends<'_> {
    /// Checks that no secret in use is on the backend, and that it is not the default.
    ///
    /// # Errors
    ///
    /// `BackendInUse`, with the names of up to ten secrets; failures of the catalog,
    /// `Removed` among them.
    pub async fn expect_unused(self, name: &Slug, uuid: Uuid) -> Result<(), OperationError> {
        let usage = self.usage(uuid).await?;
        let is_default = self.organization.default_backend().is(name).await?;
        self.refuse_if_needed(name, &usage, is_default).await
    }

    /// Rejects the deletion of a backend that is needed or may be needed. A document that was
    /// deleted by hand may have named the object of an entry.
    ///
    /// # Errors
    ///
    /// `BackendInUse`; a catalog's `Removed`.
    pub(crate) async fn refuse_if_needed(
        self,
        name: &Slug,
        usage: &Usage,
        is_default: bool,
    ) -> Result<(), OperationError> {
        refuse_if_used(name, usage, is_default)?;
        self.expect_none_deleted(usage).await
    }

    /// Checks that each document that is missing was never written. A deleted document
    /// may have named the object of an entry.
    ///
    /// # Errors
    ///
    /// The catalog's `Removed`.
    async fn expect_none_deleted(self, usage: &Usage) -> Result<(), OperationError> {
        for key in &usage.absent {
            self.organization.catalog.expect_never_deleted(key).await?;
        }
        Ok(())
    }

    /// Returns what still needs the backend after all deletions under way have finished.
    ///
    /// A plan that destroys secrets together with their backend may begin with either. A
    /// secret in use may thus be under deletion a moment later.
    pub(crate) async fn settled_usage(
        self,
        uuid: Uuid,
        unfinished: Unfinished,
        interrupt: &Interrupt,
    ) -> Result<Usage, OperationError> {
        let waits = self.organization.deletion_waits;
        let mut before = None;
        let mut was_cleared = false;
        let mut since = Instant::now();
        loop {
            interrupt.before("list entries")?;
            let mut usage = self.usage(uuid).await?;
            if usage.ready.is_empty() && usage.deleting.is_empty() {
                if was_cleared || !usage.is_being_cleared {
                    return Ok(usage);
                }
                // Another process may be about to remove the entries of its last destroys.
                was_cleared = true;
                self.organization.settle_in_time().await;
                tokio::time::sleep(waits.poll).await;
                continue;
            }
            let now = (usage.ready.len(), usage.deleting.len());
            if before != Some(now) {
                before = Some(now);
                since = Instant::now();
            }
            if usage.deleting.is_empty() && since.elapsed() >= waits.in_use {
                return Ok(usage);
            }
            if since.elapsed() < waits.deleting {
                tokio::time::sleep(waits.poll).await;
                continue;
            }
            // The process that began the deletion makes no progress.
            let leaving = std::mem::take(&mut usage.deleting);
            if unfinished == Unfinished::Keep {
                let kept = leaving.into_iter().map(|leaving| leaving.secret);
                usage.ready.extend(kept);
                return Ok(usage);
            }
            for Leaving { key, secret } in leaving {
                let mut held: HeldSecret = self.organization.hold_fenced(key).await?;
                self.organization
                    .secrets()
                    .finish_deletion(&mut held, secret.uuid, interrupt)
                    .await?;
            }
            // The next listing contains no entry that is about to be removed.
            self.organization.settle_in_time().await;
        }
    }

    /// Lists the backend's entries, and reads the documents that may name them.
    ///
    /// A creation may commit a document that names an unnamed entry at any time. A caller
    /// therefore raises the document before it acts on that entry.
    async fn usage(self, uuid: Uuid) -> Result<Usage, OperationError> {
        let mut of_secrets: BTreeMap<Uuid, Vec<EntryKey>> = BTreeMap::new();
        for entry in self.organization.entries().of_backend(uuid).await? {
            of_secrets.entry(entry.secret).or_default().push(entry);
        }
        let of_documents = of_secrets
            .into_iter()
            .filter_map(|(secret, entries)| Some((record_key_of_uuid(secret)?, entries)));
        let organization = self.organization;
        let mut documents = stream::iter(of_documents)
            .map(|(key, entries)| async move {
                let held: HeldSecret = organization.hold(key).await?;
                Ok::<_, OperationError>((held, entries))
            })
            .buffered(READS_AT_ONCE);
        let mut usage = Usage::default();
        while let Some((held, entries)) = documents.try_next().await? {
            if held.is_absent() {
                usage.absent.push(held.name.clone());
            }
            usage.add(&held.name, &held.document, entries);
        }
        usage
            .ready
            .sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(usage)
    }

    /// Returns true if the store has a secret of the backend, or the backend has no
    /// secret that could be lost.
    ///
    /// # Errors
    ///
    /// The catalog's `Removed` if a document was deleted by hand: it may have named the
    /// only secret of the backend.
    pub(crate) async fn holds_ours(
        self,
        uuid: Uuid,
        store: &dyn SecretStore,
    ) -> Result<bool, OperationError> {
        let usage = self.usage(uuid).await?;
        for secret in &usage.ready {
            let Some(options) =
                crate::operations::secrets::describe_options(secret, Absence::Quick)
            else {
                continue;
            };
            match store.describe(&secret.remote_name, options).await {
                Ok(VersionStatus::Present) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == StoreErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !usage.ready.is_empty() {
            return Ok(false);
        }
        self.expect_none_deleted(&usage).await?;
        Ok(true)
    }
}

fn refuse_if_used(name: &Slug, usage: &Usage, is_default: bool) -> Result<(), OperationError> {
    if usage.ready.is_empty() && !is_default {
        return Ok(());
    }
    let ready = usage.ready.iter();
    let mut named: Vec<String> = ready.map(|secret| secret.name.to_string()).collect();
    named.truncate(MAX_NAMED_HOLDERS);
    Err(OperationError::BackendInUse {
        backend: name.clone(),
        secrets: named,
        total: usage.ready.len(),
        is_default,
    })
}
