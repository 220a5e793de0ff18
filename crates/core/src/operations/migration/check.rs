//! Verifies what was copied: records, payloads and lists of wraps.

use futures_util::{StreamExt as _, stream};

use super::copy::{Copying, secrets};
use super::fence::{There, removed};
use super::report::{Migrated, Unmoved};
use super::versions::{UNOPENED, delete, is_lost, unmoved};
use super::{AT_ONCE, CHUNK};
use crate::catalog::{
    BackendDocument, DefaultBackendRecord, Form, RecordKey, SecretDocument, SecretRecord,
    SecretState, VersionRecord,
};
use crate::operations::OperationError;
use crate::operations::backends::Trust;
use crate::operations::held_document::Document;

impl Copying<'_> {
    /// Looks at all secrets of a target that has everything. Deletes the versions on registered
    /// backends that their records call superseded, and returns the versions whose data keys are
    /// still wrapped under a key of the source. Reads the envelopes of these only: a lost version
    /// still has its former wraps in its record.
    ///
    /// # Errors
    ///
    /// Failures of the target's catalog; `Catalog(Altered)`. What cannot be deleted stays, sealed.
    pub(super) async fn close(&self) -> Result<Vec<Unmoved>, OperationError> {
        let mut unopened = Vec::new();
        let keys = self.migration.target.catalog.list("secrets").await?;
        for some in keys.chunks(CHUNK) {
            self.interrupt.before("verify migration")?;
            let each: Vec<_> = some
                .iter()
                .map(|key| Box::pin(self.close_one(key)))
                .collect();
            let mut closed = stream::iter(each).buffered(AT_ONCE);
            while let Some(found) = closed.next().await {
                unopened.extend(found?);
            }
        }
        Ok(unopened)
    }

    async fn close_one(&self, key: &RecordKey) -> Result<Vec<Unmoved>, OperationError> {
        let migration = self.migration;
        let mut unopened = Vec::new();
        let catalog = &migration.target.catalog;
        let Some(loaded) = catalog.load::<Form<SecretDocument>>(key).await? else {
            return Ok(unopened);
        };
        loaded.verify(migration.source.keys().mac_key().await?)?;
        let Form::Here(document) = &loaded.record else {
            return Ok(unopened);
        };
        for secret in secrets(document).filter(|it| it.state == SecretState::Ready) {
            self.delete_superseded(secret).await;
            let stuck = secret.versions.iter();
            for version in stuck.filter(|version| self.built_in.is_stuck(version)) {
                if !self.is_lost_there(secret, version).await? {
                    unopened.push(unmoved(secret, version, UNOPENED));
                }
            }
        }
        Ok(unopened)
    }

    /// Deletes what a verified record of the target calls superseded. No later record names it.
    async fn delete_superseded(&self, secret: &SecretRecord) {
        let of_all = secret.versions.iter();
        let superseded: Vec<_> = of_all.flat_map(|it| it.superseded.clone()).collect();
        if superseded.is_empty() || secret.backend == self.built_in.target.uuid {
            return;
        }
        let backends = self.migration.target.backends();
        match backends.of_secret(secret, Trust::Mac).await {
            Ok(backend) if backend.store.capability().deletes_versions => {
                delete(&backend, &secret.remote_name, superseded).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "superseded versions stay"),
        }
    }

    /// Returns whether the target's record names a version that its backend does not have.
    async fn is_lost_there(
        &self,
        secret: &SecretRecord,
        version: &VersionRecord,
    ) -> Result<bool, OperationError> {
        let target = &self.built_in.target;
        let fetched = async {
            if secret.backend == target.uuid {
                return target.fetch_envelope(secret, version).await;
            }
            let backends = self.migration.target.backends();
            let backend = backends.of_secret(secret, Trust::Mac).await?;
            backend.fetch_envelope(secret, version).await
        };
        match fetched.await {
            Err(error) if is_lost(&error) => Ok(true),
            Err(error) if error.ends_all() => Err(error),
            // A backend out of reach keeps no migration from ending.
            Ok(_) | Err(_) => Ok(false),
        }
    }

    /// Compares each document of the target with the one that it is a copy of, and each version
    /// of the built-in backend with its record. Adds to `done` what is wrong.
    ///
    /// # Errors
    ///
    /// Failures that no other record would escape.
    pub(super) async fn verify(
        &self,
        done: &mut Migrated,
        report: &(dyn Fn(&Migrated) + Sync),
    ) -> Result<(), OperationError> {
        let documents = self.documents();
        let documents: Vec<_> = documents
            .filter(|key| !key.as_str().starts_with("entries/"))
            .collect();
        done.total += documents.len();
        for some in documents.chunks(CHUNK) {
            self.interrupt.before("verify migration")?;
            let each: Vec<_> = some.iter().map(|key| self.verify_one(key)).collect();
            let found: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
            for (key, found) in some.iter().zip(found) {
                match found {
                    Ok(wrong) => done.failed.extend(wrong),
                    Err(error) if error.ends_all() => return Err(error),
                    Err(error) => done.failed.push(Unmoved::record(key, &error)),
                }
            }
            done.looked_at += some.len();
            report(done);
        }
        Ok(())
    }

    async fn verify_one(&self, key: &RecordKey) -> Result<Vec<Unmoved>, OperationError> {
        match key.as_str().split_once('/') {
            Some(("secrets", _)) => self.verify_secrets(key).await,
            Some(("backends", _)) => {
                let (source, target) = self.both::<BackendDocument>(key).await?;
                let uuid = |document: &BackendDocument| document.backend.as_ref().map(|it| it.uuid);
                let is_same = uuid(&source) == uuid(&target);
                let is_copy = is_same && source.generation == target.generation;
                let is_later =
                    target.generation > source.generation && (is_same || target.backend.is_none());
                Ok(differs(key, is_copy || is_later))
            }
            _ => {
                let (source, target) = self.both::<DefaultBackendRecord>(key).await?;
                let same = source.generation == target.generation;
                let is_later = target.generation > source.generation;
                Ok(differs(
                    key,
                    is_later || same && source.backend == target.backend,
                ))
            }
        }
    }

    /// Returns both documents under `key`, verified.
    async fn both<T: Document>(&self, key: &RecordKey) -> Result<(T, T), OperationError> {
        let migration = self.migration;
        let source = migration.source.catalog.load_fenced::<Form<T>>(key).await?;
        let source = source.ok_or_else(|| removed(key))?;
        source.verify(migration.source.keys().mac_key().await?)?;
        match (source.record, migration.there::<T>(key).await?) {
            (Form::Moved(source), There::Copied(target)) => Ok((source.document, target)),
            _ => Err(removed(key)),
        }
    }

    async fn verify_secrets(&self, key: &RecordKey) -> Result<Vec<Unmoved>, OperationError> {
        let (source, target) = self.both::<SecretDocument>(key).await?;
        // A process that has had the target open since an earlier time there may change or
        // destroy what is copied already. What it creates is another secret.
        let is_later = target.generation > source.generation
            && secrets(&target).all(|secret| source.secret(secret.uuid).is_some());
        let mut wrong = differs(key, is_later || is_copy(&source, &target));
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        for secret in secrets(&target).filter(|it| it.state == SecretState::Ready) {
            let before = source.secret(secret.uuid);
            for version in &secret.versions {
                let former = before.and_then(|before| {
                    let mut versions = before.versions.iter();
                    let former = versions.find(|it| it.number == version.number);
                    former.map(|former| (before, former))
                });
                let found = self.verify_version(former, (secret, version)).await?;
                wrong.extend(found.map(|reason| unmoved(secret, version, &reason)));
            }
        }
        // Whoever has changed the copy meanwhile would lose that change.
        if !is_later {
            wrong.iter_mut().for_each(|damaged| {
                damaged.reason += &again(key);
            });
        }
        Ok(wrong)
    }

    /// Returns what is wrong with a version on the target.
    async fn verify_version(
        &self,
        former: Option<(&SecretRecord, &VersionRecord)>,
        (secret, version): (&SecretRecord, &VersionRecord),
    ) -> Result<Option<String>, OperationError> {
        let built_in = &self.built_in;
        if secret.backend != built_in.target.uuid {
            return Ok(None);
        }
        let envelope = match built_in.target.fetch_envelope(secret, version).await {
            Ok(envelope) => envelope,
            Err(error) if is_lost(&error) => {
                let Some((before, former)) = former else {
                    return Ok(Some(error.with_sources()));
                };
                // It may have been lost before.
                return match built_in.source.fetch_envelope(before, former).await {
                    Err(lost) if is_lost(&lost) => Ok(None),
                    Err(error) => Err(error),
                    Ok(_) => Ok(Some(error.with_sources())),
                };
            }
            Err(error) => return Err(error),
        };
        let wraps = envelope.wrapped_keys().iter().map(|(kek, _)| kek);
        let is_as_recorded = wraps.eq(version.keks.iter());
        let wrong = "it is wrapped for other keys than its record says";
        Ok((!is_as_recorded).then(|| wrong.to_owned()))
    }
}

/// Returns whether two documents differ in nothing but what names the platform.
fn is_copy(source: &SecretDocument, target: &SecretDocument) -> bool {
    let stripped = |document: &SecretDocument| {
        let mut document = document.clone();
        document.write_id = uuid::Uuid::nil();
        let all = document.current.iter_mut().chain(&mut document.displaced);
        for version in all.flat_map(|secret| &mut secret.versions) {
            version.native_id = crate::store::NativeVersionId::new(String::new());
            version.wraps_sha256.clear();
            version.keks.clear();
            version.superseded.clear();
        }
        document
    };
    stripped(source) == stripped(target)
}

/// Returns how a damaged copy is made again: a document without a copy is copied as any other.
fn again(key: &RecordKey) -> String {
    format!(
        ". Remove the record {key} from the target, and run the command again: it copies the \
         secret again"
    )
}

fn differs(key: &RecordKey, is_same: bool) -> Vec<Unmoved> {
    let differs = || Unmoved {
        subject: key.to_string(),
        version: None,
        reason: "the target has another document under its key. Remove that one if it was \
                 written there while the organization was away"
            .to_owned(),
    };
    (!is_same).then(differs).into_iter().collect()
}
