//! Adopts a backend whose declaration was interrupted.

use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::Backends;
use super::declaration::{RegisterBackend, RegisteredBackend, exists};
use super::record::HeldBackend;
use crate::catalog::BackendRecord;
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::operations::key_resolution::ResolvedKeys;
use crate::operations::{Interrupt, OperationError};
use crate::store::{StoreCredential, StoreSettings};
use planton_envelope::SecretValue;

impl Backends<'_> {
    /// Adopts a backend that the resumed run declared. The same commit changes every
    /// difference that can change in place.
    ///
    /// # Errors
    ///
    /// `BackendExists` if an argument differs that cannot change in place; as
    /// [`update`](Self::update).
    pub(crate) async fn adopt(
        self,
        mut held: HeldBackend,
        existing: BackendRecord,
        request: RegisterBackend,
        interrupt: &Interrupt,
    ) -> Result<RegisteredBackend, OperationError> {
        let RegisterBackend {
            description,
            settings,
            fixed,
            credential,
            keys,
            arguments,
            ..
        } = request;
        if let Some(differs) = difference(&existing.settings, &settings, &fixed) {
            return Err(exists(&existing, Some(differs)));
        }
        interrupt.before("adopt backend")?;
        let generation = held.document.generation + 1;
        let mut adopted = BackendRecord {
            description,
            settings,
            arguments,
            ..existing.clone()
        };
        let owner = CredentialOwner::backend(existing.uuid, &existing.name);
        let organization = self.organization.keys();
        // Before a marker is put: a key that fails leaves nothing behind.
        let keys = organization.resolve(owner, &existing.keys, keys, generation);
        let ResolvedKeys { keys, notes } = keys.await?;
        // The digest covers no credential. A sealed one cannot be compared, so the declared
        // one replaces it.
        let has_credential = keys.has_credential() || existing.keys.has_credential();
        if has_credential || keys.digest() != existing.keys.digest() {
            adopted.keys = keys;
        }
        let mut reconnected = None;
        if adopted.settings != existing.settings
            || !self.is_credential(&existing, &credential).await?
        {
            let reconnect = self.reconnect(&existing, &mut adopted, Some(credential), generation);
            reconnected = Some(reconnect.await.map_err(|error| match error {
                OperationError::BackendNotThere { .. }
                | OperationError::BackendNotMarked { .. } => exists(
                    &existing,
                    Some("the place that its settings lead to".to_owned()),
                ),
                error => error,
            })?);
        }
        if adopted != existing {
            adopted.updated_at = Timestamp::now();
            adopted.generation = generation;
        }
        adopted.owner = self
            .organization
            .run
            .owner(generation)
            .adopting(existing.owner.clone());
        held.document.backend = Some(adopted);
        interrupt.before("commit backend")?;
        let committed = self.commit_reconnected(&mut held, reconnected).await;
        committed.map_err(|error| error.unclear_in(self.organization.run.id))?;
        self.organization.connections.forget(&held.name);
        tracing::info!("adopted a backend whose declaration was interrupted");
        crate::operations::crash_hooks::crash_point("answer");
        Ok(RegisteredBackend {
            view: self.view(&held.document).await?.with_key_notes(notes),
            adopted_from: Some(existing.owner),
        })
    }

    /// Returns whether `candidate` equals the backend's credential. A credential that does
    /// not open counts as different.
    async fn is_credential(
        self,
        existing: &BackendRecord,
        candidate: &StoreCredential,
    ) -> Result<bool, OperationError> {
        let Some(sealed) = &existing.credential else {
            return Ok(candidate.is_empty());
        };
        let usage = CredentialUse::store(
            CredentialOwner::backend(existing.uuid, &existing.name),
            &existing.settings,
        );
        let kept = self
            .organization
            .keys()
            .keyring()
            .await?
            .open_credential(usage, sealed)
            .await;
        let kept = match kept {
            Err(OperationError::CredentialRefused { .. }) => return Ok(false),
            kept => kept?,
        };
        let (one, other) = (
            SecretValue::KeyValue(kept),
            SecretValue::KeyValue(candidate.clone()),
        );
        Ok(bool::from(one.ct_eq(&other)))
    }
}

/// Returns the argument that differs and cannot change in place, under its name in the
/// configuration.
fn difference(existing: &StoreSettings, asked: &StoreSettings, fixed: &[&str]) -> Option<String> {
    if existing.kind != asked.kind {
        return Some("its type".to_owned());
    }
    if existing.name_prefix != asked.name_prefix {
        return Some("name_prefix".to_owned());
    }
    let of = |settings: &StoreSettings, key: &str| settings.configuration.get(key).cloned();
    let mut differing = fixed
        .iter()
        .filter(|key| of(existing, key) != of(asked, key));
    let key = differing.next()?;
    Some(format!("{}.{key}", asked.kind))
}
