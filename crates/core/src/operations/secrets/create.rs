//! Creates a secret: puts its object under a remote name that was never used, then commits
//! once.
//!
//! After an interrupted creation, only the entry refers to an object without a commit. A
//! committed secret is owned by the run of its creation, and adopted only by a run that
//! resumes it.

use super::Secrets;
use super::objects::{NameDigits, NewObject};
use super::size_limit::check_size;
use super::value_source::ValueSource;
use super::versions::SealedVersion;
use super::wanted::{Replaces, Wanted};
use crate::catalog::{
    OnDestroy, RecordKey, SecretArguments, SecretMetadata, SecretRecord, SecretState,
    record_key_of_name,
};
use crate::names::{SecretName, Slug};
use crate::operations::backends::{ByDefault, Rechecked};
use crate::operations::held_document::HeldSecret;
use crate::operations::interrupt::Interrupt;
use crate::operations::{Backend, ChangedRecord, OperationError, SecretView};
use planton_envelope::SecretValue;

/// How often a creation is retried after a conflict or a change of the default backend.
const TRIES: usize = 4;

/// The secret to create.
#[derive(Debug)]
pub struct CreateSecret {
    /// Its name and scope.
    pub name: SecretName,
    /// The backend's name; `None` for the current default backend.
    pub backend: Option<Slug>,
    /// Its first value.
    pub source: ValueSource,
    /// Description and labels.
    pub metadata: SecretMetadata,
    /// Arguments that only the caller acts on.
    pub arguments: SecretArguments,
    /// The secrets whose name it may take. A secret whose name was taken is displaced: it is
    /// found by its uuid until it is deleted.
    pub replaces: Vec<Replaces>,
}

/// Result of looking up the name of a creation.
enum NameCheck {
    /// No secret prevents the creation.
    Vacant(HeldSecret),
    /// The name belongs to a secret that this run may adopt.
    Adoptable(HeldSecret),
}

impl Secrets<'_> {
    /// Creates a secret.
    ///
    /// First finishes the deletion of a secret of this name. Adopts a secret of an interrupted
    /// run that this run resumes.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `DeclaredTwice`, `ValueTooLarge` and `UnknownBackend` before anything
    /// is put; `CommitUnclear` if the commit may have landed; failures of catalog, store and
    /// KEK.
    pub async fn create(
        self,
        request: CreateSecret,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        interrupt.bound(self.try_create(request, interrupt)).await
    }

    async fn try_create(
        self,
        request: CreateSecret,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        interrupt.before("create")?;
        self.organization.ensure().await?;
        let mut wanted = self.wanted(request).await?;
        let keys = self.organization.keys().prepare(wanted.backend.as_ref());
        let (chosen, keys) = tokio::join!(self.choose_backend(wanted.backend.as_ref()), keys);
        let mut chosen = chosen?;
        keys?;
        for _ in 0..TRIES {
            let backend = self.organization.backends().open(&chosen.name).await?;
            let attempt = self.attempt(&mut wanted, &backend, chosen.by_default, interrupt);
            let unusable = match attempt.await? {
                Attempt::Done(view) => {
                    let from = wanted.copied_from.as_ref();
                    let left = self.delete_source(view.uuid, from).await;
                    return Ok(view.on(&backend).leaving(left));
                }
                Attempt::Adopted(view) => {
                    let from = wanted.copied_from.as_ref();
                    let left = self.delete_source(view.uuid, from).await;
                    return Ok(view.leaving(left));
                }
                Attempt::Overtaken => continue,
                Attempt::Unusable(unusable) => unusable,
            };
            let error = match unusable {
                Rechecked::Usable | Rechecked::NotDefault => None,
                Rechecked::Deleting => Some(OperationError::BackendDeleting {
                    backend: backend.name.clone(),
                }),
                Rechecked::Gone => Some(OperationError::UnknownBackend {
                    backend: backend.name.clone(),
                }),
            };
            let before = chosen;
            if !before.is_default {
                return Err(error.unwrap_or_else(overtaken));
            }
            chosen = Chosen {
                name: self.organization.default_backend().reload().await?,
                by_default: ByDefault::No,
                is_default: true,
            };
            if let Some(error) = error
                && chosen.name == before.name
            {
                return Err(error);
            }
        }
        Err(OperationError::ChangedConcurrently {
            record: ChangedRecord::Secret(Some(wanted.name)),
        })
    }

    async fn wanted(self, request: CreateSecret) -> Result<Wanted, OperationError> {
        let copied_from = request.source.copy_from();
        let is_generated = matches!(request.source, ValueSource::Generated(_));
        let value = match copied_from {
            // Read later, and only if it is needed: a killed creation with `delete_source`
            // may have deleted it.
            Some(_) => None,
            None => Some(self.resolve(request.source).await?),
        };
        Ok(Wanted {
            name: request.name,
            backend: request.backend,
            value,
            is_generated,
            copied_from,
            metadata: request.metadata,
            arguments: request.arguments,
            replaces: request.replaces,
        })
    }

    /// Runs one attempt: reads the name's document, seals and announces beside it, puts, and
    /// commits.
    async fn attempt(
        self,
        wanted: &mut Wanted,
        backend: &Backend,
        by_default: ByDefault,
        interrupt: &Interrupt,
    ) -> Result<Attempt, OperationError> {
        if let Some(value) = &wanted.value {
            check_size(backend.store.capability(), &value.to_plaintext())?;
        }
        let early = async {
            let value = wanted.value.as_ref()?;
            Some(self.prepare(wanted, value, backend, interrupt).await)
        };
        // Both run to their end, so that no entry is left behind. A test that pauses before the
        // entry must not hold a read of the catalog, which others wait for: the read comes last.
        let key = record_key_of_name(&wanted.name);
        let (early, found) = tokio::join!(early, self.check_name(key, wanted, interrupt));
        let mut held = match found {
            Ok(NameCheck::Vacant(held)) => held,
            Ok(NameCheck::Adoptable(held)) => {
                self.abandon(early).await;
                return Ok(match self.adopt(held, wanted, interrupt).await? {
                    Some(view) => Attempt::Adopted(view),
                    None => Attempt::Overtaken,
                });
            }
            // An existing record is reported before a failure of the KEK.
            Err(error) => {
                self.abandon(early).await;
                return Err(error);
            }
        };
        let prepared = self
            .settle(early, &held, wanted, backend, interrupt)
            .await?;
        let Prepared {
            mut secret,
            sealed,
            object,
        } = prepared;
        let put = self.put_announced(backend, &secret, &sealed, object, by_default, interrupt);
        let put = match put.await? {
            Ok(put) => put,
            Err(unusable) => return Ok(Attempt::Unusable(unusable)),
        };
        put.enter(&mut secret);
        let owner = self.organization.run.owner(held.next_generation());
        secret.owner = owner.clone();
        let uuid = secret.uuid;
        held.document.current = Some(secret);
        let committed = self.commit_put(&mut held, uuid, &put, backend).await;
        match committed.map_err(|error| error.unclear_in(self.organization.run.id))? {
            // The stamp is that of this commit, even if another run has adopted the secret since.
            None => Ok(Attempt::Done(SecretView {
                owner,
                ..self.view(&held, uuid).await?
            })),
            // An object is committed on the revision that was read before its put, or never.
            Some(_) => Ok(Attempt::Overtaken),
        }
    }

    /// Seals a value under a new uuid and announces its object, side by side.
    async fn prepare(
        self,
        wanted: &Wanted,
        value: &SecretValue,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Prepared, OperationError> {
        let secret = SecretRecord {
            kind: value.kind(),
            ..wanted.record(backend)?
        };
        let digits = NameDigits::OfUuid;
        let announced = self.seal_and_announce(&secret, value, digits, backend, interrupt);
        let (sealed, object) = announced.await?;
        Ok(Prepared {
            secret,
            sealed,
            object,
        })
    }

    /// Returns what is put under the document that was read.
    ///
    /// An entry that was written beside the read counts only if no document exists. A deletion
    /// of the backend may have listed the entry and raised the document before the read, and
    /// would delete the object. A new uuid and a second entry then follow the read.
    async fn settle(
        self,
        early: Option<Result<Prepared, OperationError>>,
        held: &HeldSecret,
        wanted: &mut Wanted,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Prepared, OperationError> {
        let early = early.transpose()?;
        let Some(value) = &wanted.value else {
            let from = wanted.copied_from.clone();
            let from = from.expect("only a copy is read later");
            let value = self.resolve(ValueSource::Copied(from)).await?;
            check_size(backend.store.capability(), &value.to_plaintext())?;
            let prepared = self.prepare(wanted, &value, backend, interrupt).await;
            wanted.value = Some(value);
            return prepared;
        };
        match early {
            Some(early) if held.is_absent() || !early.object.is_entered() => Ok(early),
            early => {
                let again = self.prepare(wanted, value, backend, interrupt);
                let (again, ()) = tokio::join!(again, self.abandon(early.map(Ok)));
                again
            }
        }
    }

    /// Withdraws what was prepared for an object that is not put.
    async fn abandon(self, prepared: Option<Result<Prepared, OperationError>>) {
        if let Some(Ok(prepared)) = prepared {
            self.withdraw(prepared.object).await;
        }
    }

    /// Reads the record of the name. Finishes a deletion that was begun, and displaces a
    /// secret that is to be replaced.
    async fn check_name(
        self,
        key: RecordKey,
        wanted: &Wanted,
        interrupt: &Interrupt,
    ) -> Result<NameCheck, OperationError> {
        let mut held: HeldSecret = self.organization.hold(key).await?;
        let mut is_fenced = false;
        loop {
            let Some(existing) = held.document.current.clone() else {
                return Ok(NameCheck::Vacant(held));
            };
            let is_namesake = existing.name == wanted.name;
            if is_namesake && existing.state == SecretState::Deleting {
                self.finish_deletion(&mut held, existing.uuid, interrupt)
                    .await?;
                continue;
            }
            if is_namesake && wanted.replaces.iter().any(|it| it.means(&existing)) {
                if existing.arguments.deletion_protection {
                    return Err(OperationError::DeletionProtected {
                        name: existing.name,
                    });
                }
                if existing.arguments.on_destroy == OnDestroy::Retain {
                    return Err(OperationError::Retained {
                        name: existing.name,
                    });
                }
                held.document.displaced.push(existing);
                held.document.current = None;
                return Ok(NameCheck::Vacant(held));
            }
            if is_namesake && self.may_adopt(&existing, wanted) {
                return Ok(NameCheck::Adoptable(held));
            }
            if is_fenced {
                return Err(self.refused(&existing, wanted));
            }
            // A stale read may return a secret that has been deleted since.
            held = self.organization.hold_fenced(held.name).await?;
            is_fenced = true;
        }
    }

    /// Returns the backend of a new secret: the given one, or the default.
    async fn choose_backend(self, asked: Option<&Slug>) -> Result<Chosen, OperationError> {
        Ok(match asked {
            Some(name) => Chosen {
                name: name.clone(),
                by_default: ByDefault::No,
                is_default: false,
            },
            None => Chosen {
                name: self.organization.default_backend().for_new_secret().await?,
                by_default: ByDefault::Yes,
                is_default: true,
            },
        })
    }
}

/// A new secret that is sealed and announced, and not put.
struct Prepared {
    secret: SecretRecord,
    sealed: SealedVersion,
    object: NewObject,
}

/// Outcome of one attempt of a creation.
enum Attempt {
    Done(SecretView),
    Adopted(SecretView),
    /// Another writer committed first. The object of this attempt was deleted.
    Overtaken,
    /// The backend accepts no new secret.
    Unusable(Rechecked),
}

/// The backend of a new secret, and how it was chosen.
#[derive(Debug)]
struct Chosen {
    name: Slug,
    /// Whether its record must still mark it as the default: true for a cached default.
    by_default: ByDefault,
    is_default: bool,
}

fn overtaken() -> OperationError {
    OperationError::ChangedConcurrently {
        record: ChangedRecord::DefaultBackend,
    }
}
