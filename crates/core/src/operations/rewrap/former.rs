//! Removes former keys from the record of a backend.

use std::collections::BTreeSet;

use crate::catalog::{SecretRecord, record_key_of_uuid};
use crate::kek::pin_of;
use crate::names::Slug;
use crate::operations::held_document::HeldSecret;
use crate::operations::{Interrupt, Keys, OperationError};

/// What became of the former keys of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormerKeys {
    /// The record has none any more. Names those that were removed.
    Removed(Vec<String>),
    /// They stay: these versions are not wrapped for the present main key, or the record that
    /// would tell is missing or altered.
    Needed(Vec<String>),
}

impl Keys<'_> {
    /// Removes the former keys of a backend, if each version is wrapped for the present main
    /// key.
    ///
    /// A rewrap does not do so by itself. A process that opened the backend before its keys
    /// changed still wraps for the former ones, and no record tells whether one runs. So the
    /// caller has to know that none does.
    ///
    /// # Errors
    ///
    /// `UnknownBackend`; `BackendChangedConcurrently` if the record changed since this call
    /// began, as it does with a change of keys; failures of the catalog.
    pub async fn remove_former(
        self,
        backend: &Slug,
        interrupt: &Interrupt,
    ) -> Result<FormerKeys, OperationError> {
        interrupt.before("remove former keys")?;
        let backends = self.organization.backends();
        // Before the versions are read: a change of keys meanwhile is a conflict at the end.
        let mut held = backends.hold(backend).await?;
        let Some(record) = &held.document.backend else {
            return Err(OperationError::UnknownBackend {
                backend: backend.clone(),
            });
        };
        let uuid = record.uuid;
        let former: Vec<String> = record
            .keys
            .former
            .iter()
            .map(|key| pin_of(&key.kek))
            .collect();
        if former.is_empty() {
            return Ok(FormerKeys::Removed(former));
        }
        let organization = self.keyring().await?.keyring.main().id().clone();
        let encryption = record.keys.encryption.as_ref();
        let main = encryption.map_or(organization, |key| key.kek.clone());
        let entries = self.organization.entries().of_backend(uuid).await?;
        let documents: BTreeSet<_> = entries
            .iter()
            .filter_map(|entry| record_key_of_uuid(entry.secret))
            .collect();
        let mut needed = Vec::new();
        for key in documents {
            let held: HeldSecret = match self.organization.hold_fenced(key.clone()).await {
                Ok(held) => held,
                Err(error) if error.ends_all() => return Err(error),
                Err(error) => {
                    // What it names is unknown until somebody restores it.
                    needed.push(format!("the record {key}: {}", error.with_sources()));
                    continue;
                }
            };
            if held.is_missing() {
                // A record that was deleted by hand may be restored.
                needed.push(format!("an object whose record {} is missing", held.name));
            }
            let of_backend = |secret: &&SecretRecord| secret.backend == uuid;
            let all = held.document.current.iter().chain(&held.document.displaced);
            for secret in all.filter(of_backend) {
                let others = secret.versions.iter();
                let others = others.filter(|version| !version.keks.contains(&main));
                needed.extend(
                    others.map(|version| format!("{}, version {}", secret.name, version.number)),
                );
            }
        }
        needed.sort();
        if !needed.is_empty() {
            return Ok(FormerKeys::Needed(needed));
        }
        if let Some(record) = &mut held.document.backend {
            record.keys.former.clear();
        }
        interrupt.before("commit former keys")?;
        backends.commit(&mut held).await?;
        self.organization.connections.forget(backend);
        Ok(FormerKeys::Removed(former))
    }
}
