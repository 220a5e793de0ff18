//! Moves an organization from one platform to another.
//!
//! UUIDs, versions, generations and stamps stay, and so does the MAC key: states stay valid.
//! What names the platform changes: the identifiers of versions in the built-in backend, and
//! the wraps under the organization's main key.
//!
//! The order of the steps lets nothing be lost or written twice, wherever a call is killed:
//!
//! 1. The target's record of the organization says `arriving`. Nobody else can use it.
//! 2. The source's record says `moving`. Nobody can begin to use it.
//! 3. Each document of the source is replaced, with a compare-and-set, by one that says `moved`
//!    and contains it. What that write has replaced is copied. So a writer that read the
//!    document earlier fails, and learns where the organization is.
//! 4. A name without a document has nothing to replace. Whoever creates one has looked at the
//!    organization's record shortly before. After a longer time than that, the names are listed
//!    for the last time.
//! 5. What was copied is verified. Then the target's record says `ready`, and the source's
//!    `moved`.
//!
//! A call that follows an interrupted one continues it.

mod check;
mod copy;
mod fence;
mod finish;
mod pointer;
mod report;
mod stage;
mod stragglers;
mod survey;
mod target;
mod versions;

use std::sync::Arc;

pub use self::report::{Migrated, MigrationProgress, MigrationSurvey, Unmoved};

use super::{OperationError, Organization};
use crate::catalog::Place;
use crate::kek::KeyEncryptionKey;
use crate::names::Slug;
use planton_envelope::KekId;

/// How many records are copied at once.
const AT_ONCE: usize = 8;

/// How many records are copied before progress is reported.
const CHUNK: usize = 100;

/// A migration of an organization between two platforms.
#[derive(Debug)]
pub struct Migration {
    source: Organization,
    target: Organization,
    /// The platform of `source`, as the target's record names it.
    from: Place,
    /// The platform of `target`, as the source's records name it.
    to: Place,
}

/// Both ends of a migration.
#[derive(Debug)]
pub struct Ends {
    /// The organization on the platform that has it.
    pub source: Organization,
    /// The organization on the platform that is to have it.
    pub target: Organization,
    /// Description of the first platform.
    pub from: Place,
    /// Description of the second platform.
    pub to: Place,
}

impl Migration {
    /// Prepares a migration. Sends no request.
    #[must_use]
    pub fn new(ends: Ends) -> Self {
        let Ends {
            source,
            mut target,
            from,
            to,
        } = ends;
        // What is sealed for the source opens on the target until it is wrapped again.
        target.platform.former_keks.extend(keys_of(&source));
        target.catalog.fill();
        Self {
            source,
            target,
            from,
            to,
        }
    }

    /// Returns the organization's name.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        self.source.slug()
    }

    /// Checks that the client pins the organization and its keys: a migration wraps all data
    /// keys for the escrow keys that the catalog names.
    ///
    /// # Errors
    ///
    /// `PinsMissing`.
    pub fn expect_pins(&self) -> Result<(), OperationError> {
        self.source.keys().expect_pins()
    }

    /// Returns the platform that is to have the organization.
    #[must_use]
    pub fn to(&self) -> &Place {
        &self.to
    }

    /// Returns the keys of the source.
    fn source_keys(&self) -> SourceKeys {
        SourceKeys(keys_of(&self.source))
    }
}

/// The keys of the platform that an organization leaves.
#[derive(Debug)]
struct SourceKeys(Vec<Arc<dyn KeyEncryptionKey>>);

impl SourceKeys {
    /// Returns whether `id` is one of the keys, or a version of one.
    fn contains(&self, id: &KekId) -> bool {
        self.0.iter().any(|kek| kek.covers(id))
    }
}

/// Returns the keys that open what is sealed for an organization.
fn keys_of(organization: &Organization) -> Vec<Arc<dyn KeyEncryptionKey>> {
    let platform = &organization.platform;
    let main = Arc::clone(&platform.kek) as Arc<dyn KeyEncryptionKey>;
    let former = platform.former_keks.iter().cloned();
    std::iter::once(main).chain(former).collect()
}
