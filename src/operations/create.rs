//! Creates a secret.

use uuid::Uuid;

use super::backends::{ByDefault, Rechecked};
use super::candidate::{Candidate, exists};
use super::documents::Held;
use super::remote_name::remote_name;
use super::sealing::check_size;
use super::steps::Interrupt;
use super::{Backend, OperationError, Organization, PLATFORM_BACKEND, SecretView};
use crate::catalog::{
    CopyFrom, GenerateSpec, SecretArguments, SecretDocument, SecretMetadata, SecretRecord,
    SecretState, distinguishing_digits, new_secret_uuid, record_key_of_name,
};
use crate::envelope::SecretValue;
use crate::names::{SecretName, Slug};
use crate::secret::SecretBytes;
use crate::store::StoreErrorKind;

/// How often a new secret follows a default backend that changes meanwhile.
const BACKEND_TRIES: usize = 4;

/// Where a value comes from.
#[derive(Debug)]
#[non_exhaustive]
pub enum ValueSource {
    /// The practitioner gave it.
    Given(SecretValue),
    /// It is generated here.
    Generated(GenerateSpec),
    /// It is what somebody else keeps in a backend.
    Copied(CopyFrom),
}

impl ValueSource {
    pub(super) fn copy_from(&self) -> Option<CopyFrom> {
        match self {
            Self::Copied(from) => Some(from.clone()),
            Self::Given(_) | Self::Generated(_) => None,
        }
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
        interrupt.bound(self.create(request, interrupt)).await
    }

    async fn create(
        &self,
        request: CreateSecret,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        interrupt.before("create")?;
        self.ensure().await?;
        let key = record_key_of_name(&request.name);
        let goes_elsewhere = match &request.backend {
            Some(name) => name.as_str() != PLATFORM_BACKEND,
            None => self.connections.learned_default().is_some(),
        };
        let mut held = if goes_elsewhere && request.source.copy_from().is_none() {
            // As a rule nothing stands there, and the intent's compare-and-set
            // tells where something does. One request less makes up for the look
            // at the backend's record.
            Held::unseen(key)
        } else {
            // A node that lags may show what is gone, or whole by now; and what is
            // created is absent as a rule, which nobody believes without a fence.
            self.hold_fenced(key).await?
        };
        let mut chosen = self.choose_backend(request.backend.as_ref()).await?;
        let from = request.source.copy_from();
        let mut candidate = self.candidate(request, &held.document).await?;
        for _ in 0..BACKEND_TRIES {
            let backend = self.backend(&chosen.name).await?;
            candidate.place_on(&backend);
            check_size(backend.store.capability(), &candidate.plaintext)?;
            let begun = self.begin(held, &candidate, &backend, interrupt).await;
            let intent = match begun? {
                Begun::Adopted(view) => {
                    let left = self.delete_source(from.as_ref()).await;
                    return Ok(view.on(&backend).leaving(left));
                }
                Begun::Intended(intent) => *intent,
                Begun::Met(now) => {
                    held = *now;
                    continue;
                }
            };
            if candidate.is_hollow {
                // What was to be adopted is not there any more.
                return Err(self.withdrawn(intent, overtaken()).await);
            }
            let rechecked = self.recheck_backend(&backend.name, backend.uuid, chosen.by_default);
            let error = match rechecked.await? {
                Rechecked::Usable => {
                    let written =
                        self.write_first_version(intent, &candidate.plaintext, &backend, interrupt);
                    let view = written.await?;
                    let left = self.delete_source(from.as_ref()).await;
                    return Ok(view.on(&backend).leaving(left));
                }
                // The default has changed since: the intent is taken over by the
                // next round, for the default in force now.
                Rechecked::NotDefault => None,
                Rechecked::Deleting => Some(OperationError::BackendDeleting {
                    backend: backend.name.clone(),
                }),
                Rechecked::Gone => Some(OperationError::UnknownBackend {
                    backend: backend.name.clone(),
                }),
            };
            let before = chosen;
            if !before.is_default {
                return Err(self
                    .withdrawn(intent, error.unwrap_or_else(overtaken))
                    .await);
            }
            chosen = Chosen {
                name: self.reload_default().await?,
                by_default: ByDefault::No,
                is_default: true,
            };
            match error {
                Some(error) if chosen.name == before.name => {
                    return Err(self.withdrawn(intent, error).await);
                }
                _ => held = self.hold_fenced(intent.held.key).await?,
            }
        }
        Err(overtaken())
    }

    /// Returns the backend of a new secret: the one that is asked for, or the
    /// default.
    async fn choose_backend(&self, asked: Option<&Slug>) -> Result<Chosen, OperationError> {
        Ok(match asked {
            Some(name) => Chosen {
                name: name.clone(),
                by_default: ByDefault::No,
                is_default: false,
            },
            None => Chosen {
                name: self.default_backend().await?,
                by_default: ByDefault::Yes,
                is_default: true,
            },
        })
    }

    /// Takes an intent back behind which nothing was put, and returns `error`.
    async fn withdrawn(&self, intent: Intent, error: OperationError) -> OperationError {
        let Intent {
            mut held,
            withdrawal,
            ..
        } = intent;
        if let Some(before) = withdrawal {
            held.document = before;
            // It would only stand in the way; the error matters more.
            let _ = self.commit(&mut held).await;
        }
        error
    }

    /// Commits an intent, or adopts what stands there.
    async fn begin(
        &self,
        mut held: Held,
        candidate: &Candidate,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<Begun, OperationError> {
        let mut secret = candidate.secret.clone();
        if let Some(met) = &held.document.current {
            // Two names share a record only if 60 bits of their hashes collide.
            if met.name != secret.name {
                return Err(exists(met));
            }
            if met.state == SecretState::Deleting {
                let uuid = met.uuid;
                self.finish_deletion(&mut held, uuid, interrupt).await?;
            }
        }
        let before = held.document.clone();
        let mut withdrawal = Some(before);
        let rules = backend.store.capability().name;
        let placed = |digits: &str| {
            let name = &candidate.secret.name;
            remote_name(&backend.name_prefix, self.slug(), name, digits, rules)
        };
        match held.document.current.take() {
            None => {
                secret.uuid = fresh_uuid(&held.document, &secret.name)?;
                secret.remote_name = placed(&distinguishing_digits(secret.uuid));
            }
            // Somebody may have come while a deletion was finished.
            Some(met) if met.name != secret.name => return Err(exists(&met)),
            Some(met) if met.state == SecretState::Creating => {
                withdrawal = None;
                secret.uuid = met.uuid;
                secret.versions = met.versions;
                if met.backend == secret.backend {
                    secret.remote_name = met.remote_name;
                } else {
                    secret.remote_name = placed(&distinguishing_digits(met.uuid));
                }
            }
            Some(met) if candidate.replaces == Some(met.uuid) => {
                if met.arguments.deletion_protection {
                    return Err(OperationError::DeletionProtected { name: met.name });
                }
                held.document.displaced.push(met);
                secret.uuid = fresh_uuid(&held.document, &secret.name)?;
                secret.remote_name = placed(&distinguishing_digits(secret.uuid));
            }
            Some(met) if met.backend != secret.backend => return Err(exists(&met)),
            Some(met) if object_is_gone(&met, backend).await? => {
                secret.uuid = met.uuid;
                secret.versions = met.versions;
                // Another name than before: the vendor may keep the old one for
                // weeks, for an object that somebody deleted there.
                let random = getrandom::u32().map_err(|_| OperationError::Randomness)?;
                secret.remote_name = placed(&format!("{random:08x}"));
            }
            Some(met) => {
                let adopted = self.adopt(held, met, candidate, backend, interrupt);
                return adopted.await.map(|view| Begun::Adopted(Box::new(view)));
            }
        }
        interrupt.before("intent")?;
        held.document.current = Some(secret.clone());
        let was_unseen = held.is_unseen;
        if let Some(now) = self.try_commit(&mut held).await? {
            if was_unseen {
                return Ok(Begun::Met(Box::new(now)));
            }
            return Err(held.overtaken());
        }
        Ok(Begun::Intended(Box::new(Intent {
            held,
            secret,
            withdrawal,
        })))
    }

    async fn write_first_version(
        &self,
        intent: Intent,
        plaintext: &SecretBytes,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<SecretView, OperationError> {
        let Intent {
            mut held,
            secret,
            withdrawal,
        } = intent;
        let organization = self.existing().await?.uuid;
        let put = backend
            .seal_and_put(
                organization,
                &secret,
                secret.next_number(),
                plaintext,
                interrupt,
            )
            .await;
        let version = match put {
            Ok(version) => version,
            Err(error) => {
                if let Some(before) = error.withdraws(withdrawal, &held.document) {
                    // The intent would only stand in the way; the error matters more.
                    held.document = before;
                    let _ = self.commit(&mut held).await;
                }
                return Err(error);
            }
        };
        let uuid = secret.uuid;
        self.commit_version(&mut held, uuid, version, backend, |record| {
            record.state = SecretState::Ready;
            // What a completed record named before is gone.
            let lost = record.versions.len().saturating_sub(1);
            record.versions.drain(..lost);
        })
        .await
    }
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

/// How far a creation has come without its value.
enum Begun {
    Adopted(Box<SecretView>),
    Intended(Box<Intent>),
    /// Something stands there that was not looked at before.
    Met(Box<Held>),
}

/// An intent that is committed.
struct Intent {
    held: Held,
    secret: SecretRecord,
    /// The document before the intent; absent for one that was taken over, whose
    /// first owner may have put something already.
    withdrawal: Option<SecretDocument>,
}

async fn object_is_gone(secret: &SecretRecord, backend: &Backend) -> Result<bool, OperationError> {
    let Some(options) = super::read::describe_options(secret) else {
        return Ok(true);
    };
    match backend.store.describe(&secret.remote_name, options).await {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == StoreErrorKind::NotFound => {
            backend.expect_place().await?;
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes a uuid whose object has a name apart from all others of the document.
fn fresh_uuid(document: &SecretDocument, name: &SecretName) -> Result<Uuid, OperationError> {
    loop {
        let random = getrandom::u64().map_err(|_| OperationError::Randomness)?;
        let uuid = new_secret_uuid(name, random);
        let digits = distinguishing_digits(uuid);
        let taken = |secret: &SecretRecord| secret.remote_name.as_str().contains(&digits);
        if !document.displaced.iter().any(taken) {
            return Ok(uuid);
        }
    }
}

fn overtaken() -> OperationError {
    OperationError::ChangedConcurrently {
        subject: "the default backend".to_owned(),
    }
}

impl OperationError {
    /// Returns the document that takes back an intent, where this failure of a
    /// put came surely before anything was written.
    ///
    /// A denied put is none of them: it may have begun with other requests, or
    /// be the second try of one whose answer was lost.
    fn withdraws(
        &self,
        before: Option<SecretDocument>,
        now: &SecretDocument,
    ) -> Option<SecretDocument> {
        match self {
            Self::ValueTooLarge { .. }
            | Self::BackendNotThere { .. }
            | Self::Kek(_)
            | Self::Interrupted { .. }
            | Self::Randomness => before,
            Self::Store(error) => match error.kind() {
                StoreErrorKind::TooLarge | StoreErrorKind::InvalidName => before,
                // Not ours, so nothing is lost with its name, and another uuid
                // keeps clear of it.
                StoreErrorKind::AlreadyExists => before.or_else(|| {
                    Some(SecretDocument {
                        current: None,
                        ..now.clone()
                    })
                }),
                _ => None,
            },
            _ => None,
        }
    }
}
