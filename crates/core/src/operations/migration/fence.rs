//! Puts a record that says `moved` in the place of a document, and returns what it replaced.

use super::Migration;
use crate::catalog::{
    CatalogError, CatalogErrorKind, Compared, Form, Move, MoveProgress, MovedRecord, RecordKey,
    Revision,
};
use crate::deadline::OperationContext;
use crate::operations::held_document::Document;
use crate::operations::{Interrupt, OperationError};

/// How often a document is fenced again while others write.
const TRIES: usize = 32;

/// How a document is fenced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fence<'a> {
    pub(super) moved: &'a Move,
    /// Whether the migration is complete already.
    pub(super) late: bool,
    pub(super) interrupt: &'a Interrupt,
}

/// What the target has under a key.
pub(super) enum There<T> {
    /// Nothing of this migration. A document may be written at this revision.
    Vacant(Revision),
    /// The document that an earlier call has copied.
    Copied(T),
}

impl Migration {
    /// Fences the document under `key` on the source. From then on, no other process changes it.
    ///
    /// # Errors
    ///
    /// `Catalog(Altered)` for a document whose MAC does not verify; failures of the catalog.
    pub(super) async fn fence<T: Document>(
        &self,
        key: &RecordKey,
        fence: Fence<'_>,
    ) -> Result<MovedRecord<T>, OperationError> {
        let Fence {
            moved,
            late,
            interrupt,
        } = fence;
        let catalog = &self.source.catalog;
        let mac_key = self.source.keys().mac_key().await?;
        // A stale read makes the compare-and-set fail, which then returns the present record.
        let mut found = catalog.load::<Form<T>>(key).await?;
        for _ in 0..TRIES {
            let loaded = found.ok_or_else(|| removed(key))?;
            loaded.verify(mac_key)?;
            let document = match loaded.record {
                Form::Moved(other) if other.moved.id == moved.id => return Ok(other),
                Form::Moved(other) => {
                    let elsewhere = other.moved.elsewhere(MoveProgress::Moved);
                    return Err(elsewhere.error(key).into());
                }
                Form::Here(document) => document,
            };
            let record = MovedRecord {
                moved: moved.clone(),
                document,
                late,
            };
            let form = Form::Moved(record.clone());
            interrupt.before("fence document")?;
            let written = catalog.compare_and_set(key, &form, Some(mac_key), loaded.revision);
            match OperationContext::committing(written).await? {
                Compared::Written(_) => return Ok(record),
                Compared::Overtaken(now) => found = now,
            }
        }
        Err(CatalogError::new(CatalogErrorKind::Conflict, "write", key.as_str()).into())
    }

    /// Notes on the source that the target has a document that came late.
    ///
    /// # Errors
    ///
    /// Failures of the catalog. Another sweep may have noted it.
    pub(super) async fn note_copied<T: Document>(
        &self,
        key: &RecordKey,
        record: &MovedRecord<T>,
    ) -> Result<(), OperationError> {
        let catalog = &self.source.catalog;
        let mac_key = self.source.keys().mac_key().await?;
        let found = catalog.load_fenced::<Form<T>>(key).await?;
        let found = found.ok_or_else(|| removed(key))?;
        found.verify(mac_key)?;
        match &found.record {
            Form::Moved(present) if present.moved.id == record.moved.id => {}
            _ => return Ok(()),
        }
        let form = Form::Moved(MovedRecord {
            late: false,
            ..record.clone()
        });
        let written = catalog.compare_and_set(key, &form, Some(mac_key), found.revision);
        OperationContext::committing(written).await?;
        Ok(())
    }

    /// Returns what the target has under `key`.
    ///
    /// # Errors
    ///
    /// `Catalog(Altered)` for a document whose MAC does not verify; failures of the catalog.
    pub(super) async fn there<T: Document>(
        &self,
        key: &RecordKey,
    ) -> Result<There<T>, OperationError> {
        let Some(found) = self.target.catalog.load_fenced::<Form<T>>(key).await? else {
            return Ok(There::Vacant(Revision::ABSENT));
        };
        found.verify(self.source.keys().mac_key().await?)?;
        Ok(match found.record {
            // Nobody else has it.
            Form::Moved(record) if record.late => return Err(self.taken()),
            // What an earlier migration away from the target has left.
            Form::Moved(_) => There::Vacant(found.revision),
            Form::Here(document) => There::Copied(document),
        })
    }

    /// Writes a document on the target. Returns false if another call has written it first.
    ///
    /// # Errors
    ///
    /// Failures of the catalog.
    pub(super) async fn write<T: Document>(
        &self,
        key: &RecordKey,
        document: T,
        expected: Revision,
        interrupt: &Interrupt,
    ) -> Result<bool, OperationError> {
        interrupt.before("commit migrated document")?;
        let mac_key = self.source.keys().mac_key().await?;
        let form = Form::Here(document);
        let catalog = &self.target.catalog;
        let written = catalog.compare_and_set(key, &form, Some(mac_key), expected);
        match OperationContext::committing(written).await? {
            Compared::Written(_) => Ok(true),
            Compared::Overtaken(_) => Ok(false),
        }
    }
}

/// Returns the error of a document that was removed by hand while it was being moved.
pub(super) fn removed(key: &RecordKey) -> OperationError {
    CatalogError::new(CatalogErrorKind::Removed, "read", key.as_str()).into()
}
