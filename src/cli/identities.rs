//! The identities of age that a command gets in a file.

use std::path::Path;
use std::sync::Arc;

use super::operator::Failure;
use planton_core::operations::{KeyEncryptionKey, OperationError};
use planton_vendors::age::AgeIdentityFile;

/// Reads the identities of the file at `path`.
pub(super) fn open(path: &Path) -> Result<Vec<Arc<dyn KeyEncryptionKey>>, Failure> {
    let file = AgeIdentityFile::open(path).map_err(OperationError::Kek)?;
    let identities = file.into_identities().into_iter();
    Ok(identities.map(|identity| Arc::new(identity) as _).collect())
}
