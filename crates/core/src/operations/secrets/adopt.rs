//! Adopts the secret of an interrupted run that this run resumes.

use jiff::Timestamp;

use super::Secrets;
use super::value_source::ValueSource;
use super::wanted::Wanted;
use crate::catalog::SecretRecord;
use crate::operations::backends::Trust;
use crate::operations::held_document::HeldSecret;
use crate::operations::interrupt::Interrupt;
use crate::operations::ownership::OwnerRelation;
use crate::operations::{Backend, ExistingRecord, OperationError, SecretView};
use planton_envelope::SecretKind;

impl Secrets<'_> {
    /// Returns whether a creation adopts an existing secret.
    ///
    /// The secret must be unchanged since the run that this one resumes created it. Every
    /// difference from the plan must be one that can change in place.
    pub(crate) fn may_adopt(self, existing: &SecretRecord, wanted: &Wanted) -> bool {
        let relation = self
            .organization
            .run
            .relation_to(&existing.owner, existing.is_untouched());
        relation == OwnerRelation::ResumedRun && difference(existing, wanted).is_none()
    }

    /// Returns the error of a creation that does not adopt the existing secret.
    pub(crate) fn refused(self, existing: &SecretRecord, wanted: &Wanted) -> OperationError {
        let is_namesake = existing.name == wanted.name;
        let relation = self
            .organization
            .run
            .relation_to(&existing.owner, existing.is_untouched());
        if is_namesake && relation == OwnerRelation::ThisRun {
            return OperationError::DeclaredTwice {
                name: existing.name.clone(),
                uuid: existing.uuid,
            };
        }
        let differs =
            difference(existing, wanted).filter(|_| relation == OwnerRelation::ResumedRun);
        OperationError::AlreadyExists {
            name: existing.name.clone(),
            uuid: existing.uuid,
            existing: Box::new(ExistingRecord {
                differs: differs.map(str::to_owned),
                // Two names share a record if 60 bits of their hashes collide.
                ..ExistingRecord::new(
                    existing.owner.clone(),
                    is_namesake && existing.is_untouched(),
                )
            }),
        }
    }

    /// Adopts the current secret of a held document. The same commit changes everything that
    /// differs from the plan. Returns `None` if another writer committed first.
    pub(crate) async fn adopt(
        self,
        mut held: HeldSecret,
        wanted: &mut Wanted,
        interrupt: &Interrupt,
    ) -> Result<Option<SecretView>, OperationError> {
        let existing = held.document.current.clone();
        let existing = existing.expect("the caller found this secret");
        let backend = self
            .organization
            .backends()
            .of_secret(&existing, Trust::Mac)
            .await?;
        let put = if self.needs_a_version(&existing, wanted, &backend).await? {
            if let Some(from) = wanted
                .copied_from
                .clone()
                .filter(|_| wanted.value.is_none())
            {
                wanted.value = Some(self.resolve(ValueSource::Copied(from)).await?);
            }
            let value = wanted.value.as_ref().expect("read above");
            let sealed = self
                .seal_next(&existing, value, &backend, interrupt)
                .await?;
            Some(
                self.put_next(&existing, &sealed, &backend, interrupt)
                    .await?,
            )
        } else {
            None
        };
        interrupt.before("adopt")?;
        let uuid = existing.uuid;
        let owner = self.organization.run.owner(held.next_generation());
        let owner = owner.adopting(existing.owner.clone());
        let record = held
            .document
            .secret_mut(uuid)
            .expect("it is the current one");
        record.owner = owner;
        record.metadata = wanted.metadata.clone();
        record.arguments = wanted.arguments.clone();
        if let Some(put) = &put {
            put.enter(record);
        }
        if record.metadata != existing.metadata || put.is_some() {
            record.updated_at = Timestamp::now();
        }
        let overtaken = match &put {
            Some(put) => self.commit_put(&mut held, uuid, put, &backend).await?,
            None => self.organization.try_commit(&mut held).await?,
        };
        if overtaken.is_some() {
            return Ok(None);
        }
        tracing::info!("adopted a secret whose creation was interrupted");
        let view = self.view(&held, uuid).await?;
        Ok(Some(view.on(&backend).adopted()))
    }

    /// Returns whether the plan requires a new version, since its value differs from the
    /// existing one.
    async fn needs_a_version(
        self,
        existing: &SecretRecord,
        wanted: &Wanted,
        backend: &Backend,
    ) -> Result<bool, OperationError> {
        if wanted.is_generated || wanted.copied_from.is_some() {
            // A generated or copied value stays until its trigger or its source changes.
            let same = existing.arguments.value_wo_version == wanted.arguments.value_wo_version
                && existing.arguments.generate.is_some() == wanted.is_generated
                && existing.arguments.copy_from == wanted.copied_from;
            return Ok(!same);
        }
        let Some(value) = &wanted.value else {
            return Ok(false);
        };
        let Some(version) = existing.current_version() else {
            return Ok(true);
        };
        let organization = self.organization.existing().await?.uuid;
        match backend.fetch(organization, existing, version).await {
            Ok(fetched) => Ok(fetched.is_value(&value.to_plaintext(), version) != Some(true)),
            Err(OperationError::VersionLost { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Returns the argument that differs from the plan and cannot change in place.
fn difference(existing: &SecretRecord, wanted: &Wanted) -> Option<&'static str> {
    let backend = wanted.backend.as_ref();
    if backend.is_some_and(|asked| *asked != existing.backend_name) {
        return Some("backend");
    }
    let kind = wanted.value.as_ref().map(|value| value.kind());
    match kind {
        Some(SecretKind::Text) if existing.kind != SecretKind::Text => Some("value_wo"),
        Some(SecretKind::KeyValue) if existing.kind != SecretKind::KeyValue => Some("data_wo"),
        _ => None,
    }
}
