//! Removes former root keys from the key file, once no record of any organization names a
//! key that was derived from them.

use std::path::Path;

use planton_core::kek::KekError;
use planton_envelope::RootKey;
use rusqlite::{OptionalExtension as _, Transaction};
use uuid::Uuid;

use super::LocalKeyFile;
use super::sqlite::{DatabaseError, DatabaseOptions, EmbeddedDatabase, KEY_FILE};

/// What became of the former root keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetiredRootKeys {
    /// Those that the file no longer contains.
    pub removed: Vec<Uuid>,
    /// Those that stay, each with a record that needs it.
    pub needed: Vec<NeededRootKey>,
}

/// A former root key that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededRootKey {
    /// The root key.
    pub id: Uuid,
    /// Organization of a record that names a key derived from it.
    pub organization: String,
    /// The key of that record.
    pub record: String,
}

/// Failure to remove former root keys.
#[derive(Debug)]
pub enum RetireError {
    /// Of the database.
    Database(DatabaseError),
    /// Of the key file.
    KeyFile(KekError),
}

impl From<DatabaseError> for RetireError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<KekError> for RetireError {
    fn from(error: KekError) -> Self {
        Self::KeyFile(error)
    }
}

/// Removes the former root keys that nothing needs from the key file in `directory`.
///
/// Every wrap stands in a record together with its key: those of versions, of credentials and
/// of MAC keys. No other process commits a record meanwhile. But a process that opened the key
/// file before its rotation still wraps under a former root key, so the caller has to know
/// that none runs.
///
/// # Errors
///
/// Failures of the database and of the key file. The key file is then unchanged.
pub async fn retire_root_keys(directory: &Path) -> Result<RetiredRootKeys, RetireError> {
    let path =
        std::path::absolute(directory.join(KEY_FILE)).unwrap_or_else(|_| directory.join(KEY_FILE));
    let database = EmbeddedDatabase::open(directory, DatabaseOptions::default()).await?;
    let retired = database.write("look for root keys", move |transaction| {
        let file = match LocalKeyFile::open(&path) {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let mut retired = RetiredRootKeys::default();
        for id in file.former_root_keys().iter().map(RootKey::id) {
            match needed(transaction, id)? {
                None => retired.removed.push(id),
                Some(needed) => retired.needed.push(needed),
            }
        }
        if retired.removed.is_empty() {
            return Ok(Ok(retired));
        }
        let changed = LocalKeyFile::remove_former(&path, &retired.removed);
        Ok(changed.map(|_| retired))
    });
    Ok(retired.await??)
}

/// Returns a record that names a key derived from the root key `id`.
fn needed(transaction: &Transaction<'_>, id: Uuid) -> rusqlite::Result<Option<NeededRootKey>> {
    const QUERY: &str = "SELECT organization, key FROM records WHERE instr(body, ?1) > 0 \
                         ORDER BY organization, key LIMIT 1";
    // The identifier of a derived key begins with it: docs/format.md, section 13.
    let text = format!("{id}/");
    let found = transaction.query_row(QUERY, [text], |row| {
        Ok(NeededRootKey {
            id,
            organization: row.get(0)?,
            record: row.get(1)?,
        })
    });
    found.optional()
}

#[cfg(test)]
mod tests {
    use planton_core::catalog::{CatalogStore as _, RecordKey, Revision, StoredRecord};
    use planton_core::names::Slug;

    use super::*;
    use crate::embedded::EmbeddedCatalog;

    async fn record(directory: &Path, organization: &str, key: &str, body: String) {
        let database = EmbeddedDatabase::open(directory, DatabaseOptions::default());
        let organization: Slug = organization.parse().expect("slug");
        let catalog = EmbeddedCatalog::new(database.await.expect("database"), organization);
        let record = StoredRecord {
            body,
            mac: String::new(),
        };
        let key = RecordKey::new(key);
        let written = catalog.write(&key, &record, Revision::ABSENT).await;
        written.expect("written");
    }

    #[tokio::test]
    async fn a_former_root_key_stays_as_long_as_a_record_of_any_organization_needs_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(KEY_FILE);
        let first = LocalKeyFile::create(&path).expect("created").id();
        let second = LocalKeyFile::rotate(&path).expect("rotated").id();
        let third = LocalKeyFile::rotate(&path).expect("rotated").id();
        let body = format!(r#"{{"keks":[{{"provider":"local","id":"{first}/beta"}}]}}"#);
        record(folder.path(), "beta", "secrets/x", body).await;
        let body = format!(r#"{{"keks":[{{"provider":"local","id":"{third}/acme"}}]}}"#);
        record(folder.path(), "acme", "organization", body).await;

        let retired = retire_root_keys(folder.path()).await.expect("retired");
        let needed = NeededRootKey {
            id: first,
            organization: "beta".to_owned(),
            record: "secrets/x".to_owned(),
        };
        assert_eq!(
            (retired.removed, retired.needed),
            (vec![second], vec![needed])
        );
        let file = LocalKeyFile::open(&path).expect("opened");
        let former: Vec<_> = file.former_root_keys().iter().map(RootKey::id).collect();
        assert_eq!((file.id(), former), (third, vec![first]));
    }
}
