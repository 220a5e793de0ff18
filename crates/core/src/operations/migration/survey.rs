//! What a migration would move. Changes nothing.

use futures_util::{StreamExt as _, stream};

use super::copy::secrets;
use super::report::{MigrationProgress, MigrationSurvey, Unmoved};
use super::stage::Stage;
use super::versions::{is_lost, unmoved};
use super::{AT_ONCE, CHUNK, Migration};
use crate::catalog::{
    BackendDocument, CatalogError, CatalogErrorKind, DefaultBackendRecord, Form, RecordKey,
    SecretDocument, SecretRecord, SecretState, VersionRecord,
};
use crate::kek::{KekErrorKind, WrapNames};
use crate::names::Slug;
use crate::operations::backends::Trust;
use crate::operations::held_document::Document;
use crate::operations::sealing::unseal;
use crate::operations::secrets::{context, limit_of};
use crate::operations::{Backend, Interrupt, OperationError};
use planton_envelope::{Envelope, KekId};

/// The bytes of an envelope beside its wraps and its plaintext: docs/format.md, section 23.
const FRAME_BYTES: usize = 65 + 32 + 32 + 4 + 16;

/// The bytes of a wrap beside its three parts: the length of each.
const WRAP_FRAME_BYTES: usize = 3 * 2;

impl Migration {
    /// Reads and verifies all that is to be moved. What an interrupted call has begun to move
    /// is not read again: the migration continues in any case.
    ///
    /// # Errors
    ///
    /// `MigrationTargetTaken`; failures of catalogs and KEKs that concern everything. Whatever
    /// concerns one record is an obstacle.
    pub async fn survey(
        &self,
        report: &(dyn Fn(&MigrationSurvey) + Sync),
        interrupt: &Interrupt,
    ) -> Result<MigrationSurvey, OperationError> {
        let mut found = MigrationSurvey::default();
        let stage = self.stage().await?;
        found.progress = match &stage {
            Stage::Vacant { .. } => MigrationProgress::NotBegun,
            Stage::Begun { .. } | Stage::Complete { .. } => MigrationProgress::Begun,
            Stage::Done { .. } => MigrationProgress::Complete,
        };
        if let Stage::Vacant { target, .. } = &stage {
            self.name_keys(target.is_some(), &mut found).await;
            let show = |looked_at, total| {
                report(&MigrationSurvey {
                    looked_at,
                    total,
                    ..MigrationSurvey::default()
                });
            };
            found.obstacles = self.stragglers(&stage, &show, interrupt).await?;
        }
        let source = match stage {
            Stage::Vacant { source, .. } | Stage::Begun { source, .. } => source,
            Stage::Complete { .. } | Stage::Done { .. } => return Ok(found),
        };
        if !source.record.state.is_ready() {
            return Ok(found);
        }
        let platform = self
            .source
            .backends()
            .open(&Slug::platform_backend())
            .await?;
        let catalog = &self.source.catalog;
        let mut keys = catalog.list("backends").await?;
        let default = DefaultBackendRecord::key(&());
        if catalog.exists(&default).await? {
            keys.push(default);
        }
        keys.extend(catalog.list("secrets").await?);
        found.total = keys.len();
        for some in keys.chunks(CHUNK) {
            interrupt.before("survey")?;
            let each: Vec<_> = some
                .iter()
                .map(|key| Box::pin(self.look_at(key, &platform)))
                .collect();
            let looked: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
            for (key, looked) in some.iter().zip(looked) {
                match looked {
                    Ok(one) => found.add(one),
                    Err(error) if error.ends_all() => return Err(error),
                    Err(error) => found.obstacles.push(Unmoved::record(key, &error)),
                }
            }
            found.looked_at += some.len();
            report(&found);
        }
        Ok(found)
    }

    /// Names the keys of the target that are known before it is used.
    async fn name_keys(&self, is_recorded: bool, found: &mut MigrationSurvey) {
        let platform = &self.target.platform;
        if !is_recorded && platform.kek.is_recorded() {
            for kek in [&platform.kek, &platform.mac_kek] {
                if let Err(error) = kek.resolve().await {
                    tracing::debug!(%error, "a key of the target is not known yet");
                }
            }
        }
        let mut ids: Vec<KekId> = Vec::new();
        for id in [platform.kek.id(), platform.mac_kek.id()] {
            if !id.id.is_empty() && !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        found.keys = ids;
    }

    /// Looks at one record.
    async fn look_at(&self, key: &RecordKey, platform: &Backend) -> Result<Looked, OperationError> {
        let mut looked = Looked::default();
        match key.as_str().split_once('/') {
            Some(("backends", _)) => {
                let document: Option<BackendDocument> = self.verified(key).await?;
                looked.is_backend = document.is_some_and(|it| it.backend.is_some());
            }
            Some(("secrets", _)) => {
                let document: Option<SecretDocument> = self.verified(key).await?;
                for secret in document.iter().flat_map(secrets) {
                    looked.secrets += 1;
                    if secret.state == SecretState::Ready {
                        self.look_at_versions(secret, platform, &mut looked).await?;
                    }
                }
            }
            _ => {
                let _: Option<DefaultBackendRecord> = self.verified(key).await?;
            }
        }
        Ok(looked)
    }

    async fn verified<T: Document>(&self, key: &RecordKey) -> Result<Option<T>, OperationError> {
        let loaded = self.source.catalog.load::<Form<T>>(key).await?;
        let Some(loaded) = loaded else {
            return Ok(None);
        };
        loaded.verify(self.source.keys().mac_key().await?)?;
        Ok(match loaded.record {
            Form::Here(document) => Some(document),
            // The organization is here, and its record is marked before any document moves.
            Form::Moved(_) => {
                let kind = CatalogErrorKind::Altered;
                return Err(CatalogError::new(kind, "read", key.as_str()).into());
            }
        })
    }

    async fn look_at_versions(
        &self,
        secret: &SecretRecord,
        platform: &Backend,
        looked: &mut Looked,
    ) -> Result<(), OperationError> {
        if secret.backend != platform.uuid {
            return self.look_at_registered(secret, looked).await;
        }
        let limit = limit_of(self.target.platform.store.capability());
        for version in &secret.versions {
            let Some(envelope) = looked.fetch(platform, secret, version).await? else {
                continue;
            };
            looked.versions += 1;
            let bytes = plaintext_bytes(&envelope);
            if bytes > limit {
                let reason = format!(
                    "its value has {} bytes, and the target stores {} at most",
                    bytes.saturating_sub(1),
                    limit.saturating_sub(1)
                );
                looked.obstacles.push(unmoved(secret, version, &reason));
            }
            self.try_to_open(secret, (version, envelope), platform, looked)
                .await?;
        }
        Ok(())
    }

    /// Looks at what is to be wrapped again on a registered backend.
    async fn look_at_registered(
        &self,
        secret: &SecretRecord,
        looked: &mut Looked,
    ) -> Result<(), OperationError> {
        let source_keys = self.source_keys();
        let is_due = |keks: &[KekId]| keks.iter().any(|kek| source_keys.contains(kek));
        let due = secret.versions.iter().filter(|it| is_due(&it.keks));
        let due: Vec<_> = due.collect();
        if due.is_empty() {
            return Ok(());
        }
        let source = self.source.backends();
        let backend = source.of_secret(secret, Trust::Mac).await?;
        backend.expect_marker().await?;
        looked.rewraps += due.len();
        for version in due {
            if let Some(envelope) = looked.fetch(&backend, secret, version).await? {
                self.try_to_open(secret, (version, envelope), &backend, looked)
                    .await?;
            }
        }
        Ok(())
    }

    /// Unwraps the data key of a version, and notes it if no key at hand does. Opens no value.
    async fn try_to_open(
        &self,
        secret: &SecretRecord,
        (version, envelope): (&VersionRecord, Envelope),
        backend: &Backend,
        looked: &mut Looked,
    ) -> Result<(), OperationError> {
        let organization = self.source.existing().await?.uuid;
        let context = context(organization, secret, version.number);
        let names = WrapNames::secret(self.source.slug(), &secret.name);
        let keyring = backend.keyring.get().await?;
        match unseal(envelope, context, &names, keyring, &version.keks).await {
            Ok(unsealed) if unsealed.is_key() => Ok(()),
            Err(error) if error.kind() != KekErrorKind::Refused => Err(error.into()),
            _ => {
                looked.unopened.push(unmoved(secret, version, NOT_OPENED));
                Ok(())
            }
        }
    }
}

const NOT_OPENED: &str = "no key at hand unwraps its data key";

/// What a look at one record has found.
#[derive(Debug, Default)]
struct Looked {
    is_backend: bool,
    secrets: usize,
    versions: usize,
    rewraps: usize,
    lost: Vec<Unmoved>,
    unopened: Vec<Unmoved>,
    obstacles: Vec<Unmoved>,
}

impl Looked {
    /// Fetches an envelope; `None` for one that is lost, which is noted.
    async fn fetch(
        &mut self,
        backend: &Backend,
        secret: &SecretRecord,
        version: &VersionRecord,
    ) -> Result<Option<Envelope>, OperationError> {
        match backend.fetch_envelope(secret, version).await {
            Ok(envelope) => Ok(Some(envelope)),
            Err(error) if is_lost(&error) => {
                let reason = error.with_sources();
                self.lost.push(unmoved(secret, version, &reason));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl MigrationSurvey {
    fn add(&mut self, looked: Looked) {
        self.backends += usize::from(looked.is_backend);
        self.secrets += looked.secrets;
        self.versions += looked.versions;
        self.rewraps += looked.rewraps;
        self.lost.extend(looked.lost);
        self.unopened.extend(looked.unopened);
        self.obstacles.extend(looked.obstacles);
    }
}

/// Returns the length of the plaintext in an envelope, by the envelope's own.
fn plaintext_bytes(envelope: &Envelope) -> usize {
    let wraps = envelope.wrapped_keys().iter();
    let wraps: usize = wraps
        .map(|(kek, wrapped)| {
            kek.provider.len() + kek.id.len() + wrapped.as_bytes().len() + WRAP_FRAME_BYTES
        })
        .sum();
    let whole = envelope.encode().len();
    whole.saturating_sub(FRAME_BYTES + wraps)
}
