//! Creates a secret: one commit, after its object was put under a name that was
//! never used.
//!
//! What a creation that was interrupted has put and not committed is referred to by
//! nothing but its entry. What it has committed is its run's, and taken over by no
//! other run that nobody asked to resume it.

use super::Secrets;
use super::objects::NameDigits;
use super::size_limit::check_size;
use super::value_source::ValueSource;
use super::wanted::{Replaces, Wanted};
use crate::catalog::{RecordKey, SecretArguments, SecretMetadata, SecretState, record_key_of_name};
use crate::names::{SecretName, Slug};
use crate::operations::backends::{ByDefault, Rechecked};
use crate::operations::held_document::HeldSecret;
use crate::operations::interrupt::Interrupt;
use crate::operations::{Backend, OperationError, SecretView};

/// How often a creation begins anew after another writer came first, or the default
/// backend changed.
const TRIES: usize = 4;

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
    /// The namesakes that it may replace: whichever has the name stays, found by
    /// uuid only, until it is deleted.
    pub replaces: Vec<Replaces>,
}

/// What stands under the name of a secret that is to be created.
enum Met {
    /// Nothing that stands in the way.
    Vacancy(HeldSecret),
    /// What the run that is resumed has created.
    Resumed(HeldSecret),
}

impl Secrets<'_> {
    /// Creates a secret.
    ///
    /// A namesake that is being deleted is finished first. What an interrupted run
    /// has created is adopted where this run resumes that one.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `DeclaredTwice`, `ValueTooLarge` and `UnknownBackend` before
    /// anything is put; `CommitUnclear` where the commit may have landed; failures
    /// of catalog, store and KEK.
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
        let mut chosen = self.choose_backend(wanted.backend.as_ref()).await?;
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
            subject: format!("secret {}", wanted.name),
        })
    }

    async fn wanted(self, request: CreateSecret) -> Result<Wanted, OperationError> {
        let copied_from = request.source.copy_from();
        let is_generated = matches!(request.source, ValueSource::Generated(_));
        let value = match copied_from {
            // Read only where it turns out to be needed: after a killed creation that
            // deletes its source, it is gone.
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

    /// Reads, wraps, puts and commits, once.
    async fn attempt(
        self,
        wanted: &mut Wanted,
        backend: &Backend,
        by_default: ByDefault,
        interrupt: &Interrupt,
    ) -> Result<Attempt, OperationError> {
        let organization = self.organization.existing().await?.uuid;
        let key = record_key_of_name(&wanted.name);
        let mut secret = wanted.record(backend)?;
        let (met, sealed) = match &wanted.value {
            Some(value) => {
                secret.kind = value.kind();
                let plaintext = value.to_plaintext();
                check_size(backend.store.capability(), &plaintext)?;
                let seal = backend.seal(organization, &secret, 1, &plaintext, interrupt);
                // Neither needs the other; what stands there is reported first.
                let (met, sealed) = tokio::join!(self.meet(key, wanted, interrupt), seal);
                (met?, Some(sealed))
            }
            None => (self.meet(key, wanted, interrupt).await?, None),
        };
        let mut held = match met {
            Met::Vacancy(held) => held,
            Met::Resumed(held) => {
                return Ok(match self.adopt(held, wanted, interrupt).await? {
                    Some(view) => Attempt::Adopted(view),
                    None => Attempt::Overtaken,
                });
            }
        };
        let sealed = match sealed {
            Some(sealed) => sealed?,
            None => {
                let from = wanted.copied_from.clone();
                let from = from.expect("only a copy is read later");
                let value = self.resolve(ValueSource::Copied(from)).await?;
                secret.kind = value.kind();
                let value = wanted.value.insert(value);
                let plaintext = value.to_plaintext();
                let seal = backend.seal(organization, &secret, 1, &plaintext, interrupt);
                seal.await?
            }
        };
        let digits = NameDigits::OfUuid;
        let put = self.put_new_object(backend, &secret, &sealed, digits, by_default, interrupt);
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
            // Under its own stamp, whoever has adopted it since.
            None => Ok(Attempt::Done(SecretView {
                owner,
                ..self.view(&held, uuid).await?
            })),
            // Whoever has put something commits it on the revision that it read, or
            // not at all.
            Some(_) => Ok(Attempt::Overtaken),
        }
    }

    /// Looks at what stands under the name. A deletion that was begun is finished;
    /// a namesake that is to be replaced is displaced.
    async fn meet(
        self,
        key: RecordKey,
        wanted: &Wanted,
        interrupt: &Interrupt,
    ) -> Result<Met, OperationError> {
        let mut held: HeldSecret = self.organization.hold(key).await?;
        let mut is_fenced = false;
        loop {
            let Some(met) = held.document.current.clone() else {
                return Ok(Met::Vacancy(held));
            };
            let is_namesake = met.name == wanted.name;
            if is_namesake && met.state == SecretState::Deleting {
                self.finish_deletion(&mut held, met.uuid, interrupt).await?;
                continue;
            }
            if is_namesake && wanted.replaces.iter().any(|it| it.means(&met)) {
                if met.arguments.deletion_protection {
                    return Err(OperationError::DeletionProtected { name: met.name });
                }
                held.document.displaced.push(met);
                held.document.current = None;
                return Ok(Met::Vacancy(held));
            }
            if is_namesake && self.may_adopt(&met, wanted) {
                return Ok(Met::Resumed(held));
            }
            if is_fenced {
                return Err(self.refused(&met, wanted));
            }
            // A node that lags may show what has been deleted since.
            held = self.organization.hold_fenced(held.name).await?;
            is_fenced = true;
        }
    }

    /// Returns the backend of a new secret: the one that is asked for, or the
    /// default.
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

/// How far one round of a creation has come.
enum Attempt {
    Done(SecretView),
    Adopted(SecretView),
    /// Another writer came first; what was put is taken back.
    Overtaken,
    /// The backend is no place for a new secret.
    Unusable(Rechecked),
}

/// The backend of a new secret, and how it was chosen.
#[derive(Debug)]
struct Chosen {
    name: Slug,
    /// Whether its own record must still call it the default: so for one that
    /// was learned earlier.
    by_default: ByDefault,
    is_default: bool,
}

fn overtaken() -> OperationError {
    OperationError::ChangedConcurrently {
        subject: "the default backend".to_owned(),
    }
}
