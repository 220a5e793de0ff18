//! A secret that is to be created: what it will be, and whether what stands there
//! is it already.

use jiff::Timestamp;
use uuid::Uuid;

use super::copy::is_copied;
use super::documents::Held;
use super::steps::Interrupt;
use super::{
    Backend, CreateSecret, OperationError, Organization, PLATFORM_BACKEND, SecretView, ValueSource,
};
use crate::catalog::{SecretDocument, SecretRecord, SecretState};
use crate::names::Slug;
use crate::secret::SecretBytes;
use crate::store::RemoteName;

/// A secret that is to be created, and may meet a record.
pub(super) struct Candidate {
    pub(super) secret: SecretRecord,
    pub(super) plaintext: SecretBytes,
    generated: bool,
    /// Without its value: good for nothing but an adoption.
    pub(super) is_hollow: bool,
    pub(super) replaces: Option<Uuid>,
}

impl Organization {
    /// Makes the secret that is to be created, with its value.
    pub(super) async fn candidate(
        &self,
        request: CreateSecret,
        met: &SecretDocument,
    ) -> Result<Candidate, OperationError> {
        let is_hollow = is_copied(met, &request.source);
        let is_generated = matches!(request.source, ValueSource::Generated(_));
        let (kind, plaintext) = match &met.current {
            Some(met) if is_hollow => (met.kind, SecretBytes::new(Vec::new())),
            _ => {
                let value = self.resolve(request.source).await?;
                (value.kind(), value.to_plaintext())
            }
        };
        let now = Timestamp::now();
        let secret = SecretRecord {
            uuid: Uuid::nil(),
            name: request.name,
            kind,
            backend: Uuid::nil(),
            backend_name: Slug::parse(PLATFORM_BACKEND).expect("\"platform\" is a slug"),
            remote_name: RemoteName::new(String::new()),
            state: SecretState::Creating,
            metadata: request.metadata,
            arguments: request.arguments,
            versions: Vec::new(),
            created_at: now,
            updated_at: now,
            generation: 0,
            adopted_at: None,
        };
        Ok(Candidate {
            secret,
            plaintext,
            // Neither can be compared with what stands there.
            generated: is_generated || is_hollow,
            is_hollow,
            replaces: request.replaces,
        })
    }

    /// Adopts what a killed creation of ours has committed; refuses all else.
    pub(super) async fn adopt(
        &self,
        mut held: Held,
        met: SecretRecord,
        candidate: &Candidate,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        let Candidate {
            secret,
            plaintext,
            generated,
            ..
        } = candidate;
        let Some(version) = met.current_version() else {
            return Err(exists(&met));
        };
        let same_shape = met.is_as_created()
            && met.kind == secret.kind
            && met.metadata == secret.metadata
            && met.arguments.generate == secret.arguments.generate
            && met.arguments.copy_from == secret.arguments.copy_from;
        if !same_shape {
            return Err(exists(&met));
        }
        if !generated {
            let organization = self.existing().await?.uuid;
            let fetched = match backend.fetch(organization, &met, version).await {
                // Nobody can tell whether it was ours.
                Err(OperationError::VersionLost { .. }) => return Err(exists(&met)),
                fetched => fetched?,
            };
            if fetched.is_value(plaintext, version) != Some(true) {
                return Err(exists(&met));
            }
        }
        let uuid = met.uuid;
        // Always a write: what was created before this one may still be about to
        // be deleted, by the same uuid, and must not take this one along.
        held.document.current = Some(SecretRecord {
            arguments: secret.arguments.clone(),
            adopted_at: Some(held.document.generation + 1),
            ..met
        });
        interrupt.before("adopt")?;
        self.commit(&mut held).await?;
        tracing::info!("adopted a secret whose creation was interrupted");
        self.view(&held, uuid).await
    }
}

impl Candidate {
    pub(super) fn place_on(&mut self, backend: &Backend) {
        self.secret.backend = backend.uuid;
        self.secret.backend_name = backend.name.clone();
    }
}

/// Says that another secret has the name.
pub(super) fn exists(met: &SecretRecord) -> OperationError {
    OperationError::AlreadyExists {
        name: met.name.clone(),
        uuid: met.uuid,
    }
}
