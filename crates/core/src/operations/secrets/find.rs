//! Finds secrets by name or uuid, without their values.

use uuid::Uuid;

use super::Secrets;
use crate::catalog::{
    Loaded, OnDestroy, RecordKey, SecretDocument, SecretRecord, SecretState, record_key_of_name,
    record_key_of_uuid,
};
use crate::names::SecretName;
use crate::operations::ownership::OwnerRelation;
use crate::operations::{KeptUnderItsName, NameHolder, OperationError, SecretView};

/// Selects a secret by its uuid or by its name.
#[derive(Clone, Debug)]
pub enum Selector {
    /// By identity.
    Uuid(Uuid),
    /// By name.
    Name(SecretName),
}

impl Secrets<'_> {
    /// Finds a secret by name, without its value: one request.
    ///
    /// # Errors
    ///
    /// `SecretNotFound`; failures of the catalog.
    pub async fn find(self, name: &SecretName) -> Result<SecretView, OperationError> {
        let (secret, document) = self.find_by(&Selector::Name(name.clone()), false).await?;
        let catalog = self.organization.existing().await?.uuid;
        Ok(SecretView::new(&secret, &document, catalog))
    }

    /// Finds a secret by identity, without its value: one request.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub async fn find_by_uuid(self, uuid: Uuid) -> Result<SecretView, OperationError> {
        let (secret, document) = self.find_by(&Selector::Uuid(uuid), false).await?;
        let catalog = self.organization.existing().await?.uuid;
        Ok(SecretView::new(&secret, &document, catalog))
    }

    /// Returns the secret because of which a creation under `name` fails. Returns `None` if the
    /// name is free, if the secret is being deleted, which a creation finishes, and if this run
    /// resumes the run that created it, so that a creation may adopt it.
    ///
    /// Sends one request for a free name. Any other answer is read again behind a fence.
    ///
    /// # Errors
    ///
    /// Failures of the catalog.
    ///
    /// # Security
    ///
    /// Verifies no MAC: a plan may be rejected because of the result, and nothing is opened or
    /// written.
    pub async fn name_holder(
        self,
        name: &SecretName,
    ) -> Result<Option<NameHolder>, OperationError> {
        match self.organization.existing().await {
            Ok(_) => {}
            Err(OperationError::OrganizationMissing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let key = record_key_of_name(name);
        // A stale read may return a secret that has been deleted since.
        let is_doubtful =
            |loaded: Option<&Loaded<SecretDocument>>| holder_in(loaded, name).is_some();
        let catalog = &self.organization.catalog;
        let loaded = catalog.load_fenced_if(&key, is_doubtful).await?;
        let holder = holder_in(loaded.as_ref(), name).filter(|holder| {
            let run = &self.organization.run;
            run.relation_to(&holder.owner, holder.is_untouched()) != OwnerRelation::ResumedRun
        });
        Ok(holder.map(|holder| NameHolder {
            uuid: holder.uuid,
            owner: holder.owner.clone(),
            kept: match (
                holder.arguments.deletion_protection,
                holder.arguments.on_destroy,
            ) {
                (true, _) => Some(KeptUnderItsName::Protected),
                (false, OnDestroy::Retain) => Some(KeptUnderItsName::Retained),
                (false, OnDestroy::Delete | OnDestroy::Forget) => None,
            },
        }))
    }

    pub(crate) async fn find_by(
        self,
        selector: &Selector,
        verify: bool,
    ) -> Result<(SecretRecord, SecretDocument), OperationError> {
        let (first, fenced) = if verify {
            (ReadMode::Verified, ReadMode::FencedAndVerified)
        } else {
            (ReadMode::Plain, ReadMode::Fenced)
        };
        for mode in [first, fenced] {
            if let Some(found) = self.look_up(selector, mode).await? {
                return Ok(found);
            }
        }
        Err(OperationError::SecretNotFound {
            secret: match selector {
                Selector::Uuid(uuid) => uuid.to_string(),
                Selector::Name(name) => name.to_string(),
            },
        })
    }

    pub(crate) async fn look_up(
        self,
        selector: &Selector,
        mode: ReadMode,
    ) -> Result<Option<(SecretRecord, SecretDocument)>, OperationError> {
        let key: RecordKey = match selector {
            Selector::Uuid(uuid) => match record_key_of_uuid(*uuid) {
                Some(key) => key,
                None => return Ok(None),
            },
            Selector::Name(name) => record_key_of_name(name),
        };
        self.organization.existing().await?;
        let loaded = match mode {
            ReadMode::Plain | ReadMode::Verified => {
                self.organization
                    .catalog
                    .load::<SecretDocument>(&key)
                    .await?
            }
            ReadMode::Fenced | ReadMode::FencedAndVerified => {
                self.organization.catalog.load_fenced(&key).await?
            }
        };
        let is_verified = matches!(mode, ReadMode::Verified | ReadMode::FencedAndVerified);
        let document = if is_verified {
            self.organization.verified(loaded).await?
        } else {
            loaded.map(|loaded| loaded.record)
        };
        let Some(document) = document else {
            return Ok(None);
        };
        let secret = match selector {
            Selector::Uuid(uuid) => document.secret(*uuid),
            Selector::Name(name) => {
                let current = document.current.as_ref();
                current.filter(|secret| secret.name == *name)
            }
        };
        let ready = secret.filter(|secret| secret.state == SecretState::Ready);
        Ok(ready.cloned().map(|secret| (secret, document)))
    }
}

fn holder_in<'a>(
    loaded: Option<&'a Loaded<SecretDocument>>,
    name: &SecretName,
) -> Option<&'a SecretRecord> {
    let current = loaded?.record.current.as_ref()?;
    // Two names share a document if 60 bits of their hashes collide.
    (current.name == *name && current.state == SecretState::Ready).then_some(current)
}

/// Read mode for the document of a secret.
#[derive(Clone, Copy)]
pub(crate) enum ReadMode {
    Plain,
    Verified,
    Fenced,
    FencedAndVerified,
}
