//! Finds and deletes what no record needs: envelopes that a rewrap has replaced, and objects
//! of killed creations, which no record names.
//!
//! An object that no record names may belong to a creation that is still running: it has put
//! the object and not committed its record. So before such an object is deleted, the document
//! of its name is raised, whether or not anything stands there. The commit of that creation
//! then fails, and the creation begins anew under another name. What is acknowledged is never
//! deleted, at whatever age; a minimum age only spares others that detour.
//!
//! In the built-in backend, the name of an object leads to the document; in any other backend,
//! the entries of the catalog lead to the objects.

mod built_in;
mod registered;
mod superseded;

use std::time::Duration;

use jiff::Timestamp;

use crate::catalog::{RecordKey, SecretDocument};
use crate::names::{PLATFORM_BACKEND, Slug};
use crate::operations::held_document::HeldSecret;
use crate::operations::{Backend, Interrupt, Keys, OperationError};
use crate::store::{NativeVersionId, RemoteName};

/// How many requests run at once.
const AT_ONCE: usize = 8;

/// How many records or objects are looked at before progress is reported.
const CHUNK: usize = 100;

/// What to look for, and what to do with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collect {
    /// Also look for what no record names, if it is older than this. `None` finds only what
    /// verified records have given up.
    pub orphans: Option<Duration>,
    /// Delete what is found.
    pub deletes: bool,
}

/// Why nothing needs an object or a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A verified record says that a rewrap has replaced the version.
    Superseded,
    /// No record names it.
    Orphan,
    /// A record or an entry that cannot be verified may name it.
    Unclear,
}

/// What was done with an object or a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// It was found, and nothing else.
    Found,
    /// It is deleted.
    Deleted,
    /// It could not be deleted, or it is unclear whether a record names it.
    Failed(String),
}

/// An object or a version that no record needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The backend.
    pub backend: Slug,
    /// The object; the key of the record that leads to it, if it is unclear.
    pub object: RemoteName,
    /// The version; `None` for the whole object.
    pub version: Option<NativeVersionId>,
    /// Why nothing needs it.
    pub reason: Reason,
    /// When it was written, if that is known.
    pub written_at: Option<Timestamp>,
    /// What was done with it.
    pub disposal: Disposal,
}

/// What a collection has found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// The documents, objects and entries to look at.
    pub total: usize,
    /// Those that were looked at.
    pub looked_at: usize,
    /// What no record needs.
    pub leftovers: Vec<Leftover>,
    /// Number of orphans that are not old enough.
    pub too_young: usize,
}

/// The orphans that are old enough.
#[derive(Clone, Copy, Debug)]
struct Age {
    newest: Timestamp,
}

impl Age {
    fn of(minimum: Duration) -> Self {
        let newest = Timestamp::now().checked_sub(minimum);
        Self {
            // Nothing is older than the calendar.
            newest: newest.unwrap_or(Timestamp::MIN),
        }
    }

    fn is_enough(self, written_at: Timestamp) -> bool {
        written_at <= self.newest
    }
}

/// Collects what no record of one backend needs.
#[derive(Clone, Copy)]
struct Collector<'a> {
    keys: Keys<'a>,
    backend: &'a Backend,
    deletes: bool,
    report: &'a (dyn Fn(&Collection) + Sync),
    interrupt: &'a Interrupt,
}

impl Keys<'_> {
    /// Finds, and on request deletes, what no record of a backend needs. Adds it to `found`,
    /// which after a failure has what was done before.
    ///
    /// # Errors
    ///
    /// `RestoreNotAccepted` if it deletes; `UnknownBackend`; `Interrupted`; failures of catalog, store and KEK that concern the
    /// whole backend. Whatever concerns one object is a [`Disposal::Failed`].
    pub async fn collect(
        self,
        backend: &Slug,
        what: Collect,
        found: &mut Collection,
        (report, interrupt): (&(dyn Fn(&Collection) + Sync), &Interrupt),
    ) -> Result<(), OperationError> {
        self.mac_key().await?;
        if what.deletes {
            // Fenced: records of the backup do not name what was written after it.
            let record = self.hold_record().await?.record;
            self.organization.expect_accepted(&record)?;
        }
        let opened = self.organization.backends().open(backend).await?;
        let collector = Collector {
            keys: self,
            backend: &opened,
            deletes: what.deletes,
            report,
            interrupt,
        };
        collector.superseded(found).await?;
        if let Some(minimum) = what.orphans {
            let age = Age::of(minimum);
            match backend.as_str() {
                PLATFORM_BACKEND => collector.built_in(age, found).await?,
                _ => collector.entries(age, found).await?,
            }
        }
        Ok(())
    }
}

impl Collector<'_> {
    /// Makes sure that no document can name an orphan any more; in a dry run, that none names
    /// it now. Returns that document, or `None` if it `names` the orphan: the first read may
    /// have been stale, or a creation has committed since.
    ///
    /// # Errors
    ///
    /// As [`raise`](crate::operations::Organization::raise).
    async fn unless_named(
        &self,
        key: RecordKey,
        names: impl Fn(&SecretDocument) -> bool,
    ) -> Result<Option<SecretDocument>, OperationError> {
        let organization = self.keys.organization;
        if self.deletes {
            return organization.raise(key, names, self.interrupt).await;
        }
        let held: HeldSecret = organization.hold_fenced(key).await?;
        if held.is_absent() {
            let catalog = &organization.catalog;
            catalog.expect_never_deleted(&held.name).await?;
        }
        Ok(Some(held.document).filter(|document| !names(document)))
    }

    /// Adds a leftover, unless the attempt found that a record needs it.
    ///
    /// # Errors
    ///
    /// That of the attempt, if no other object would escape it.
    fn settle(
        &self,
        found: &mut Collection,
        leftover: Leftover,
        attempt: Result<Option<Disposal>, OperationError>,
    ) -> Result<(), OperationError> {
        let disposal = match attempt {
            Ok(None) => return Ok(()),
            Ok(Some(disposal)) => disposal,
            Err(error) if error.ends_all() => return Err(error),
            Err(error) => Disposal::Failed(error.with_sources()),
        };
        found.leftovers.push(Leftover {
            disposal,
            ..leftover
        });
        Ok(())
    }

    /// Adds what belongs to a record that cannot be read or verified. It stays.
    ///
    /// # Errors
    ///
    /// `error`, if no other record would escape it.
    fn unclear(
        &self,
        found: &mut Collection,
        object: RemoteName,
        error: OperationError,
    ) -> Result<(), OperationError> {
        let leftover = Leftover {
            reason: Reason::Unclear,
            ..self.orphan(object, None)
        };
        self.settle(found, leftover, Err(error))
    }

    /// Counts a record or an object that was looked at.
    fn looked(&self, found: &mut Collection) {
        found.looked_at += 1;
        if found.looked_at.is_multiple_of(CHUNK) || found.looked_at == found.total {
            (self.report)(found);
        }
    }

    /// Describes an orphan that was found.
    fn orphan(&self, object: RemoteName, written_at: Option<Timestamp>) -> Leftover {
        Leftover {
            backend: self.backend.name.clone(),
            object,
            version: None,
            reason: Reason::Orphan,
            written_at,
            disposal: Disposal::Found,
        }
    }
}
