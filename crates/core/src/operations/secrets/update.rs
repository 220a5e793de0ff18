//! Writes a new version of a secret, or changes its metadata and arguments.

use jiff::Timestamp;
use uuid::Uuid;

use super::Secrets;
use super::drift::Missed;
use super::objects::Put;
use super::surplus::Surplus;
use super::value_source::ValueSource;
use super::versions::{SealedVersion, Sealing};
use crate::catalog::{
    OnDestroy, SecretArguments, SecretMetadata, SecretRecord, SecretState, Stamp,
    record_key_of_name,
};
use crate::names::{SecretName, Slug};
use crate::operations::backends::Trust;
use crate::operations::held_document::HeldSecret;
use crate::operations::interrupt::Interrupt;
use crate::operations::{Backend, ChangedRecord, ExistingRecord, OperationError, SecretView};
use planton_envelope::SecretKind;

/// The change of a secret.
#[derive(Debug)]
pub struct UpdateSecret {
    /// Its name and scope.
    pub name: SecretName,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation that the caller saw when it planned the change. A later change of the
    /// secret is a conflict, and a later change of a namesake is not.
    pub generation: u64,
    /// The stamp in the caller's state; `None` if it has none.
    pub stamp: Option<Stamp>,
    /// The new value; `None` to keep the present one.
    pub source: Option<ValueSource>,
    /// The version that the caller's state has; `None` if it has none. A new value is sealed
    /// as the version after it, beside the read of the record.
    pub current: Option<CurrentVersion>,
    /// Whether the only reason for the change is a missing current version. The backend is
    /// asked once more, and an existing version stays.
    pub heals: bool,
    /// Description and labels, which replace the present ones.
    pub metadata: SecretMetadata,
    /// Arguments, which replace the present ones.
    pub arguments: SecretArguments,
}

/// The current version of a secret as the caller's state has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentVersion {
    /// The name of the secret's backend.
    pub backend: Slug,
    /// The UUID of the backend; `None` for the built-in one, or if the caller does not know it.
    pub backend_uuid: Option<Uuid>,
    /// The version's number.
    pub number: u64,
}

/// The source of a new value, and the value if it was sealed ahead.
struct NewValue {
    source: ValueSource,
    ahead: Option<SealedAhead>,
}

/// A value that was sealed beside the read of the record, as the version after the one that
/// the caller's state has.
struct SealedAhead {
    backend: Backend,
    number: u64,
    sealed: Result<SealedVersion, OperationError>,
}

impl SealedAhead {
    /// Returns true if the value was sealed as the next version of this secret.
    fn is_next_of(&self, secret: &SecretRecord) -> bool {
        self.number == secret.next_number()
            && self.backend.uuid == secret.backend
            && self.backend.name == secret.backend_name
    }
}

impl UpdateSecret {
    /// Enters the metadata and the arguments in the record.
    fn enter(self, record: &mut SecretRecord) {
        if record.metadata != self.metadata {
            record.updated_at = Timestamp::now();
        }
        record.metadata = self.metadata;
        record.arguments = self.arguments;
    }
}

impl Secrets<'_> {
    /// Writes a new version, new metadata, or both, in one commit. The version that a rotation
    /// gives up is deleted after the response
    /// ([`settle`](crate::operations::Organization::settle)). Several are deleted before it, and so
    /// are those beyond a lower `keep_versions`.
    ///
    /// # Errors
    ///
    /// `OwnedByAnotherState` if the secret has another stamp; `RecordMissing`;
    /// `ChangedConcurrently` if the secret changed since it was planned; `RolledBack` if the
    /// catalog is older than what the caller saw; `SecretNotFound`; `ValueTooLarge` before
    /// anything is written; failures of catalog, store and KEK.
    pub async fn update(
        self,
        request: UpdateSecret,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        interrupt.bound(self.try_update(request, interrupt)).await
    }

    async fn try_update(
        self,
        mut request: UpdateSecret,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        interrupt.before("update")?;
        let source = match request.source.take() {
            Some(source @ ValueSource::Generated(_)) => {
                Some(ValueSource::Given(self.resolve(source).await?))
            }
            source => source,
        };
        // Both run to their end. What the record says is reported before a failure of the KEK.
        let (held, ahead) = tokio::join!(
            self.hold_for_update(&request),
            self.seal_ahead(&request, source.as_ref(), interrupt),
        );
        let mut held = held?;
        self.take_name_back(&mut held, request.uuid)?;
        match source {
            Some(source) => {
                let value = NewValue { source, ahead };
                self.write_version(held, request, value, interrupt).await
            }
            None => self.edit(held, request, interrupt).await,
        }
    }

    /// Seals a value as the version after the one that the caller's state has; `None` if the
    /// caller has none, or the value is not at hand.
    ///
    /// Nothing depends on the result until the verified record is compared with it. If it is
    /// not used, nothing is left of it.
    async fn seal_ahead(
        self,
        request: &UpdateSecret,
        source: Option<&ValueSource>,
        interrupt: &Interrupt,
    ) -> Option<SealedAhead> {
        let Some(ValueSource::Given(value)) = source else {
            return None;
        };
        let current = request.current.as_ref().filter(|_| !request.heals)?;
        let backends = self.organization.backends();
        let backend = backends.open_known(&current.backend, current.backend_uuid);
        let backend = backend.await?.ok()?;
        let number = current.number.checked_add(1)?;
        let sealing = Sealing {
            backend: backend.uuid,
            secret: request.uuid,
            name: &request.name,
            number,
        };
        let sealed = backend
            .seal(self.organization, sealing, &value.to_plaintext(), interrupt)
            .await;
        Some(SealedAhead {
            backend,
            number,
            sealed,
        })
    }

    /// Commits new metadata and arguments, unless the document stays the same. Then deletes the
    /// versions beyond a lower `keep_versions`.
    async fn edit(
        self,
        mut held: HeldSecret,
        request: UpdateSecret,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        let uuid = request.uuid;
        let record = held.document.secret_mut(uuid).expect("held for update");
        request.enter(record);
        let surplus = self.give_up_beyond_argument(record).await?;
        if held.document != held.base {
            interrupt.before("commit edit")?;
            self.organization.commit(&mut held).await?;
        }
        if let Some(surplus) = surplus {
            surplus.delete().await;
        }
        self.view(&held, uuid).await
    }

    /// Puts a version and commits it together with the metadata and arguments. Then deletes
    /// the source of a copy and the versions beyond `keep_versions`.
    async fn write_version(
        self,
        mut held: HeldSecret,
        request: UpdateSecret,
        value: NewValue,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        let uuid = request.uuid;
        let before = held.document.secret(uuid).expect("held for update").clone();
        let backend = self
            .organization
            .backends()
            .of_secret(&before, Trust::Mac)
            .await?;
        let missed = match request.heals {
            true => self.look_again(&before, &backend).await?,
            false => Missed::Version,
        };
        let from = value.source.copy_from();
        let put = self.put_missed(missed, &before, value, &backend, interrupt);
        let put = put.await?;
        let record = held.document.secret_mut(uuid).expect("held for update");
        request.enter(record);
        let Some((put, kind)) = put else {
            let surplus = Surplus::give_up(record, &backend);
            interrupt.before("commit edit")?;
            self.organization.commit(&mut held).await?;
            if let Some(surplus) = surplus {
                surplus.delete().await;
            }
            return self.view(&held, uuid).await.map(|view| view.on(&backend));
        };
        record.kind = kind;
        record.updated_at = Timestamp::now();
        put.enter(record);
        let surplus = Surplus::give_up(record, &backend);
        let rival = self.commit_put(&mut held, uuid, &put, &backend).await?;
        if rival.is_some() {
            return Err(held.overtaken());
        }
        if let Some(surplus) = surplus {
            // A rotation gives up one. Several may take longer than a process has at its end.
            if surplus.has_several() {
                surplus.delete().await;
            } else {
                self.organization.after_commit(surplus.delete());
            }
        }
        let view = self.view(&held, uuid).await?;
        let left = self.delete_source(uuid, from.as_ref()).await;
        Ok(view.on(&backend).leaving(left))
    }

    /// Puts what is missing of a secret; `None` if nothing is. Returns the put and the kind of
    /// the value.
    async fn put_missed(
        self,
        missed: Missed,
        before: &SecretRecord,
        NewValue { source, ahead }: NewValue,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Option<(Put, SecretKind)>, OperationError> {
        Ok(match missed {
            Missed::Nothing => None,
            Missed::Version => {
                let value = self.resolve(source).await?;
                let sealed = match ahead.filter(|ahead| ahead.is_next_of(before)) {
                    Some(ahead) => ahead.sealed?,
                    None => self.seal_next(before, &value, backend, interrupt).await?,
                };
                let put = self.put_next(before, &sealed, backend, interrupt);
                Some((put.await?, value.kind()))
            }
            Missed::Object => {
                let value = self.resolve(source).await?;
                let put = self.heal(before, &value, backend, interrupt);
                Some((put.await?, value.kind()))
            }
        })
    }

    /// Loads the document of the secret. Checks that the caller owns the secret, and that it
    /// is unchanged since it was planned.
    async fn hold_for_update(self, request: &UpdateSecret) -> Result<HeldSecret, OperationError> {
        let UpdateSecret {
            name,
            uuid,
            generation,
            stamp,
            ..
        } = request;
        let is_behind = |held: &HeldSecret| {
            held.document.generation < *generation || held.named(name, *uuid).is_none()
        };
        let held = self
            .organization
            .hold_fenced_if(record_key_of_name(name), is_behind);
        let held = held.await?;
        if held.is_missing() {
            return Err(OperationError::RecordMissing { name: name.clone() });
        }
        if held.document.generation < *generation {
            return Err(OperationError::RolledBack {
                name: name.clone(),
                seen: *generation,
                found: held.document.generation,
            });
        }
        let Some(record) = held.named(name, *uuid) else {
            let floor = self.organization.catalog.floor.value();
            if held.document.may_be_abandoned(*uuid, *generation, floor) {
                return Err(OperationError::RecordMissing { name: name.clone() });
            }
            return Err(OperationError::SecretNotFound {
                secret: name.to_string(),
            });
        };
        if !record.owner.is_known_as(*stamp) {
            return Err(OperationError::OwnedByAnotherState {
                name: name.clone(),
                uuid: *uuid,
                owner: Box::new(record.owner.clone()),
            });
        }
        if record.generation > *generation || record.state != SecretState::Ready {
            return Err(OperationError::ChangedConcurrently {
                record: ChangedRecord::Secret(Some(name.clone())),
            });
        }
        Ok(held)
    }

    /// Returns its name to a displaced secret.
    ///
    /// The name must be vacant, or belong to an untouched secret that the resumed run
    /// created.
    fn take_name_back(self, held: &mut HeldSecret, uuid: Uuid) -> Result<(), OperationError> {
        let displaced = &mut held.document.displaced;
        let Some(position) = displaced.iter().position(|secret| secret.uuid == uuid) else {
            return Ok(());
        };
        if let Some(holder) = &held.document.current {
            let gives_way = holder.is_untouched()
                && !holder.arguments.deletion_protection
                && holder.arguments.on_destroy == OnDestroy::Delete;
            if !gives_way || self.organization.run.resumes != Some(holder.owner.stamp.run) {
                return Err(OperationError::Displaced {
                    name: holder.name.clone(),
                    uuid: holder.uuid,
                    existing: Box::new(ExistingRecord::new(holder.owner.clone(), gives_way)),
                });
            }
        }
        let secret = displaced.remove(position);
        let holder = held.document.current.replace(secret);
        displaced.extend(holder);
        Ok(())
    }
}
