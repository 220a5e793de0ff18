//! Creates a secret.

use jiff::Timestamp;
use uuid::Uuid;

use super::documents::Held;
use super::remote_name::remote_name;
use super::sealing::check_size;
use super::steps::Interrupt;
use super::{Backend, OperationError, Organization, SecretView};
use crate::catalog::{
    GenerateSpec, SecretArguments, SecretMetadata, SecretRecord, SecretState, VersionRecord,
    new_secret_uuid, record_key_of_name,
};
use crate::envelope::SecretValue;
use crate::names::{SecretName, Slug};
use crate::secret::SecretBytes;
use crate::store::{Deletion, RemoteName, StoreErrorKind};

/// Where a value comes from.
#[derive(Debug)]
#[non_exhaustive]
pub enum ValueSource {
    /// The practitioner gave it.
    Given(SecretValue),
    /// It is generated here.
    Generated(GenerateSpec),
}

impl ValueSource {
    pub(super) fn value(self) -> Result<SecretValue, OperationError> {
        match self {
            Self::Given(value) => Ok(value),
            Self::Generated(spec) => Ok(SecretValue::Text(spec.generate()?)),
        }
    }

    fn is_generated(&self) -> bool {
        matches!(self, Self::Generated(_))
    }
}

/// What to create.
#[derive(Debug)]
pub struct CreateSecret {
    /// Its name and scope.
    pub name: SecretName,
    /// The backend's name; absent for the default in force now.
    pub backend: Option<Slug>,
    /// Its first value.
    pub source: ValueSource,
    /// What is set besides the value.
    pub metadata: SecretMetadata,
    /// What only the provider acts on.
    pub arguments: SecretArguments,
    /// The namesake that it replaces, which stays, found by uuid only, until it
    /// is deleted.
    pub replaces: Option<Uuid>,
}

impl Organization {
    /// Creates a secret: intent, sealed payload, commit.
    ///
    /// A creation that was killed is taken over or adopted; a namesake on its
    /// way out is finished first; a record whose object is gone is completed.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `ChangedConcurrently`, `ValueTooLarge` and
    /// `UnknownBackend` before anything is written; failures of catalog, store
    /// and KEK.
    pub async fn create_secret(
        &self,
        request: CreateSecret,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        interrupt.before("create")?;
        self.ensure().await?;
        let mut held = self.hold(record_key_of_name(&request.name)).await?;
        if held
            .document
            .current
            .as_ref()
            .is_some_and(|s| s.state == SecretState::Deleting)
        {
            let uuid = held.document.current.as_ref().map(|secret| secret.uuid);
            self.finish_deletion(&mut held, uuid.unwrap_or_default(), interrupt)
                .await?;
        }
        let backend_name = match &request.backend {
            Some(name) => name.clone(),
            None => self.default_backend().await?,
        };
        let backend = self.backend(&backend_name).await?;
        let generated = request.source.is_generated();
        let CreateSecret {
            name,
            source,
            metadata,
            arguments,
            replaces,
            ..
        } = request;
        let value = source.value()?;
        let plaintext = value.to_plaintext();
        check_size(backend.store.as_ref(), &plaintext)?;

        let now = Timestamp::now();
        let mut secret = SecretRecord {
            uuid: Uuid::nil(),
            kind: value.kind(),
            backend: backend.uuid,
            backend_name: backend.name.clone(),
            remote_name: RemoteName::new(String::new()),
            state: SecretState::Creating,
            metadata,
            arguments,
            versions: Vec::new(),
            created_at: now,
            updated_at: now,
            name,
        };
        match held.document.current.take() {
            // Two names share a record only if 60 bits of their hashes collide.
            Some(met) if met.name != secret.name => {
                return Err(OperationError::AlreadyExists { name: met.name });
            }
            None => secret.uuid = self.fresh_uuid(&secret.name)?,
            Some(met) if met.state == SecretState::Creating => secret.uuid = met.uuid,
            Some(met) if replaces == Some(met.uuid) => {
                held.document.displaced.push(met);
                secret.uuid = self.fresh_uuid(&secret.name)?;
            }
            Some(met) => {
                let candidate = Candidate {
                    secret,
                    plaintext: &plaintext,
                    generated,
                };
                return self.adopt(held, met, candidate, &backend, interrupt).await;
            }
        }
        let rules = backend.store.capability().name;
        secret.remote_name = remote_name(self.slug(), &secret.name, secret.uuid, rules);
        interrupt.before("intent")?;
        held.document.current = Some(secret.clone());
        self.commit(&mut held).await?;
        self.write_first_version(held, secret, &plaintext, &backend, interrupt)
            .await
    }

    async fn write_first_version(
        &self,
        mut held: Held,
        secret: SecretRecord,
        plaintext: &SecretBytes,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        let organization = self.existing().await?.uuid;
        let put = backend
            .seal_and_put(organization, &secret, 1, plaintext, interrupt)
            .await;
        let version = match put {
            Ok(version) => version,
            Err(error) => {
                if error.wrote_nothing() {
                    // The intent would only stand in the way; the error matters more.
                    held.document.current = None;
                    let _ = self.commit(&mut held).await;
                }
                return Err(error);
            }
        };
        let uuid = secret.uuid;
        self.commit_version(&mut held, uuid, version, backend, |record| {
            record.state = SecretState::Ready;
        })
        .await
    }

    /// Adds `version` to the secret and commits; when the commit is lost, the
    /// version that nothing refers to is deleted again.
    pub(super) async fn commit_version(
        &self,
        held: &mut Held,
        uuid: Uuid,
        version: VersionRecord,
        backend: &Backend,
        change: impl FnOnce(&mut SecretRecord),
    ) -> Result<SecretView, OperationError> {
        super::steps::crash_point("commit");
        let native_id = version.native_id.clone();
        let record = held
            .document
            .secret_mut(uuid)
            .expect("the caller holds this secret");
        record.versions.push(version);
        change(record);
        let remote_name = record.remote_name.clone();
        let committed = self.commit(held).await;
        if matches!(committed, Err(OperationError::ChangedConcurrently { .. })) {
            let orphan = Deletion::Versions(vec![native_id]);
            if let Err(error) = backend.store.delete(&remote_name, orphan).await {
                tracing::warn!(%error, "a version that nothing refers to is left behind");
            }
        }
        committed?;
        super::steps::crash_point("answer");
        self.view(held, uuid).await
    }

    pub(super) async fn view(&self, held: &Held, uuid: Uuid) -> Result<SecretView, OperationError> {
        let catalog = self.existing().await?.uuid;
        let secret = held
            .document
            .secret(uuid)
            .expect("the caller holds this secret");
        Ok(SecretView::new(secret, held.document.generation, catalog))
    }

    /// Adopts what a killed creation of ours has committed; completes a record
    /// whose object is gone; refuses everything else.
    async fn adopt(
        &self,
        mut held: Held,
        met: SecretRecord,
        candidate: Candidate<'_>,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        let Candidate {
            secret,
            plaintext,
            generated,
        } = candidate;
        let exists = || OperationError::AlreadyExists {
            name: met.name.clone(),
        };
        let (Some(version), true) = (met.current_version(), met.backend == backend.uuid) else {
            return Err(exists());
        };
        if self.object_is_gone(&met, backend).await? {
            return self
                .complete(held, met, secret, plaintext, backend, interrupt)
                .await;
        }
        let same_shape = met.is_as_created()
            && met.kind == secret.kind
            && met.metadata == secret.metadata
            && met.arguments.generate == secret.arguments.generate;
        if !same_shape {
            return Err(exists());
        }
        if !generated {
            let organization = self.existing().await?.uuid;
            let fetched = backend.fetch(organization, &met, version).await?;
            if fetched.is_value(plaintext, version) != Some(true) {
                return Err(exists());
            }
        }
        let uuid = met.uuid;
        let same_arguments = met.arguments == secret.arguments;
        held.document.current = Some(SecretRecord {
            arguments: secret.arguments,
            ..met
        });
        if !same_arguments {
            interrupt.before("adopt")?;
            self.commit(&mut held).await?;
        }
        tracing::info!("adopted a secret whose creation was interrupted");
        self.view(&held, uuid).await
    }

    async fn complete(
        &self,
        mut held: Held,
        met: SecretRecord,
        secret: SecretRecord,
        plaintext: &SecretBytes,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        let organization = self.existing().await?.uuid;
        let number = met
            .current_version()
            .map_or(1, |version| version.number + 1);
        let uuid = met.uuid;
        let mut record = SecretRecord {
            kind: secret.kind,
            metadata: secret.metadata,
            arguments: secret.arguments,
            updated_at: secret.updated_at,
            ..met
        };
        // Nothing of them is left in the backend.
        record.versions.clear();
        let version = backend
            .seal_and_put(organization, &record, number, plaintext, interrupt)
            .await?;
        held.document.current = Some(record);
        self.commit_version(&mut held, uuid, version, backend, |_| {})
            .await
    }

    async fn object_is_gone(
        &self,
        secret: &SecretRecord,
        backend: &Backend,
    ) -> Result<bool, OperationError> {
        let Some(options) = super::read::describe_options(secret) else {
            return Ok(true);
        };
        match backend.store.describe(&secret.remote_name, options).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    fn fresh_uuid(&self, name: &SecretName) -> Result<Uuid, OperationError> {
        let random = getrandom::u64().map_err(|_| OperationError::Randomness)?;
        Ok(new_secret_uuid(name, random))
    }
}

/// A secret that was to be created, and met a record.
struct Candidate<'a> {
    secret: SecretRecord,
    plaintext: &'a SecretBytes,
    generated: bool,
}

impl OperationError {
    /// Says whether the failure came surely before anything was written.
    fn wrote_nothing(&self) -> bool {
        match self {
            Self::ValueTooLarge { .. } | Self::Kek(_) | Self::Interrupted { .. } => true,
            Self::Store(error) => matches!(
                error.kind(),
                StoreErrorKind::PermissionDenied
                    | StoreErrorKind::TooLarge
                    | StoreErrorKind::InvalidName
                    | StoreErrorKind::Misconfigured
                    | StoreErrorKind::Unauthenticated
            ),
            _ => false,
        }
    }
}
