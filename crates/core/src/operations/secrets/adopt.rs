//! Adopts the secret of an interrupted run that this run resumes.

use jiff::Timestamp;

use super::Secrets;
use super::value_source::ValueSource;
use super::wanted::Wanted;
use crate::catalog::SecretRecord;
use crate::operations::backends::Trust;
use crate::operations::held_document::HeldSecret;
use crate::operations::interrupt::Interrupt;
use crate::operations::ownership::Meeting;
use crate::operations::{Backend, MetRecord, OperationError, SecretView};
use planton_envelope::SecretKind;

impl Secrets<'_> {
    /// Returns whether a creation adopts an existing secret.
    ///
    /// The secret must be unchanged since the run that this one resumes created it. Every
    /// difference from the plan must be one that can change in place.
    pub(crate) fn may_adopt(self, met: &SecretRecord, wanted: &Wanted) -> bool {
        let meeting = self.organization.run.meets(&met.owner, met.is_untouched());
        meeting == Meeting::Resumed && difference(met, wanted).is_none()
    }

    /// Returns the error of a creation that does not adopt the existing secret.
    pub(crate) fn refused(self, met: &SecretRecord, wanted: &Wanted) -> OperationError {
        let is_namesake = met.name == wanted.name;
        let meeting = self.organization.run.meets(&met.owner, met.is_untouched());
        if is_namesake && meeting == Meeting::DeclaredTwice {
            return OperationError::DeclaredTwice {
                name: met.name.clone(),
                uuid: met.uuid,
            };
        }
        let differs = difference(met, wanted).filter(|_| meeting == Meeting::Resumed);
        OperationError::AlreadyExists {
            name: met.name.clone(),
            uuid: met.uuid,
            met: Box::new(MetRecord {
                differs: differs.map(str::to_owned),
                // Two names share a record if 60 bits of their hashes collide.
                ..MetRecord::new(met.owner.clone(), is_namesake && met.is_untouched())
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
        let met = held.document.current.clone();
        let met = met.expect("the caller has met this secret");
        let backend = self
            .organization
            .backends()
            .of_secret(&met, Trust::Mac)
            .await?;
        let put = if self.needs_a_version(&met, wanted, &backend).await? {
            if let Some(from) = wanted
                .copied_from
                .clone()
                .filter(|_| wanted.value.is_none())
            {
                wanted.value = Some(self.resolve(ValueSource::Copied(from)).await?);
            }
            let value = wanted.value.as_ref().expect("read above");
            Some(self.put_next(&met, value, &backend, interrupt).await?)
        } else {
            None
        };
        interrupt.before("adopt")?;
        let uuid = met.uuid;
        let owner = self.organization.run.owner(held.next_generation());
        let owner = owner.adopting(met.owner.clone());
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
        if record.metadata != met.metadata || put.is_some() {
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
        met: &SecretRecord,
        wanted: &Wanted,
        backend: &Backend,
    ) -> Result<bool, OperationError> {
        if wanted.is_generated || wanted.copied_from.is_some() {
            // A generated or copied value stays until its trigger or its source changes.
            let same = met.arguments.value_wo_version == wanted.arguments.value_wo_version
                && met.arguments.generate.is_some() == wanted.is_generated
                && met.arguments.copy_from == wanted.copied_from;
            return Ok(!same);
        }
        let Some(value) = &wanted.value else {
            return Ok(false);
        };
        let Some(version) = met.current_version() else {
            return Ok(true);
        };
        let organization = self.organization.existing().await?.uuid;
        match backend.fetch(organization, met, version).await {
            Ok(fetched) => Ok(fetched.is_value(&value.to_plaintext(), version) != Some(true)),
            Err(OperationError::VersionLost { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Returns the argument that differs from the plan and cannot change in place.
fn difference(met: &SecretRecord, wanted: &Wanted) -> Option<&'static str> {
    let backend = wanted.backend.as_ref();
    if backend.is_some_and(|asked| *asked != met.backend_name) {
        return Some("backend");
    }
    let kind = wanted.value.as_ref().map(|value| value.kind());
    match kind {
        Some(SecretKind::Text) if met.kind != SecretKind::Text => Some("value_wo"),
        Some(SecretKind::KeyValue) if met.kind != SecretKind::KeyValue => Some("data_wo"),
        _ => None,
    }
}
