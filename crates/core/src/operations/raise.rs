//! Raises a document: commits it again with a new revision, whatever it contains.
//!
//! Whoever deletes an object that no document names calls this first. A creation that has read
//! the document earlier then fails its commit, and so does not name the object.

use super::held_document::HeldSecret;
use super::{Interrupt, OperationError, Organization};
use crate::catalog::{RecordKey, SecretDocument};

/// How often a document is raised again while others write.
const TRIES: usize = 5;

impl Organization {
    /// Raises the document under `key`. Returns the raised document, or `None` if it `names`
    /// what is to be deleted.
    ///
    /// # Errors
    ///
    /// `Removed` for a document that somebody deleted by hand, since it may have named the
    /// object; `ChangedConcurrently` if others kept on committing; failures of the catalog.
    pub(crate) async fn raise(
        &self,
        key: RecordKey,
        names: impl Fn(&SecretDocument) -> bool,
        interrupt: &Interrupt,
    ) -> Result<Option<SecretDocument>, OperationError> {
        interrupt.before("raise document")?;
        let mut held: HeldSecret = self.hold_fenced(key).await?;
        for _ in 0..TRIES {
            if names(&held.document) {
                return Ok(None);
            }
            if held.is_absent() {
                // A raise of a document that was deleted by hand would hide which objects it
                // named.
                self.catalog.expect_never_deleted(&held.name).await?;
            }
            match self.try_commit(&mut held).await? {
                None => return Ok(Some(held.document)),
                Some(now) => held = now,
            }
        }
        Err(held.overtaken())
    }
}
