//! Envelopes that a rewrap has replaced, as the records say.

use futures_util::{StreamExt as _, stream};

use super::{AT_ONCE, CHUNK, Collection, Collector, Disposal, Leftover, Reason};
use crate::catalog::{RecordKey, SecretRecord};
use crate::operations::OperationError;
use crate::operations::held_document::HeldSecret;
use crate::store::{Absence, Deletion, DescribeOptions, NativeVersionId, StoreErrorKind};
use crate::store::{RemoteName, VersionStatus};

impl Collector<'_> {
    /// Finds the superseded envelopes of a backend that still exist, if its store deletes
    /// single versions.
    ///
    /// A version that a verified record calls superseded is in no later record, so that a
    /// stale read does no harm.
    pub(super) async fn superseded(&self, found: &mut Collection) -> Result<(), OperationError> {
        if !self.backend.store.capability().deletes_versions {
            return Ok(());
        }
        let documents = self.keys.documents_of(self.backend).await?;
        found.total += documents.len();
        for some in documents.chunks(CHUNK) {
            self.interrupt.before("collect")?;
            for (key, held) in self.loaded(some).await {
                match held {
                    Ok(held) => {
                        let document = &held.document;
                        for secret in document.current.iter().chain(&document.displaced) {
                            self.superseded_by(secret, found).await?;
                        }
                    }
                    Err(error) => {
                        let record = RemoteName::new(key.to_string());
                        self.unclear(found, record, error)?;
                    }
                }
            }
            found.looked_at += some.len();
            (self.report)(found);
        }
        Ok(())
    }

    async fn loaded(
        &self,
        keys: &[RecordKey],
    ) -> Vec<(RecordKey, Result<HeldSecret, OperationError>)> {
        let organization = self.keys.organization;
        let each: Vec<_> = keys
            .iter()
            .map(|key| async move { (key.clone(), organization.hold(key.clone()).await) })
            .collect();
        stream::iter(each).buffered(AT_ONCE).collect().await
    }

    /// Adds the superseded envelopes of one secret that still exist.
    async fn superseded_by(
        &self,
        secret: &SecretRecord,
        found: &mut Collection,
    ) -> Result<(), OperationError> {
        if secret.backend != self.backend.uuid {
            return Ok(());
        }
        let current = secret.native_ids();
        let superseded = secret
            .versions
            .iter()
            .flat_map(|version| &version.superseded);
        for version in superseded.filter(|version| !current.contains(version)) {
            let leftover = Leftover {
                version: Some(version.clone()),
                reason: Reason::Superseded,
                ..self.orphan(secret.remote_name.clone(), None)
            };
            let attempt = self.delete_superseded(&secret.remote_name, version).await;
            self.settle(found, leftover, attempt)?;
        }
        Ok(())
    }

    /// Deletes a superseded envelope; `None` if it is gone.
    async fn delete_superseded(
        &self,
        object: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Option<Disposal>, OperationError> {
        let store = &self.backend.store;
        let options = DescribeOptions {
            version: version.clone(),
            others: Vec::new(),
            absence: Absence::Quick,
        };
        match store.describe(object, options).await {
            Ok(VersionStatus::Present) => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if !self.deletes {
            return Ok(Some(Disposal::Found));
        }
        let one = Deletion::Versions(vec![version.clone()]);
        store.delete(object, one).await?;
        Ok(Some(Disposal::Deleted))
    }
}
