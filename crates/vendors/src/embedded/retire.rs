//! Removes former root keys from the key file, once no record of any organization names a
//! key that was derived from them.

use std::fs;
use std::path::Path;

use planton_core::kek::{KekError, KekErrorKind};
use planton_envelope::RootKey;
use rusqlite::{OptionalExtension as _, Transaction};
use uuid::Uuid;

use super::LocalKeyFile;
use super::sqlite::{DatabaseError, DatabaseOptions, EmbeddedDatabase, KEY_FILE};

const RETIRE: &str = "remove former root keys";

/// Whether root keys are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retire {
    /// Those that nothing needs are found.
    Find,
    /// They are removed.
    Remove,
}

/// What became of the former root keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetiredRootKeys {
    /// Those that the file no longer contains, or that [`Retire::Find`] found.
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
/// that none runs. A key file that is a link may serve the database of another directory as
/// well, whose records are not looked at, so no root key is removed from it.
///
/// # Errors
///
/// Failures of the database and of the key file; `Misconfigured` if the key file is a link.
/// The key file is then unchanged, unless its folder could not be synced, or the database
/// failed after the change. No record needs what was removed.
pub async fn retire_root_keys(
    directory: &Path,
    what: Retire,
) -> Result<RetiredRootKeys, RetireError> {
    let path =
        std::path::absolute(directory.join(KEY_FILE)).unwrap_or_else(|_| directory.join(KEY_FILE));
    let database = EmbeddedDatabase::open(directory, DatabaseOptions::default()).await?;
    let place = database.clone();
    let retired = database.write(RETIRE, move |transaction| {
        retire(transaction, &place, (&path, what))
    });
    retired.await?
}

/// Removes what no record needs, while `transaction` keeps other writers out.
fn retire(
    transaction: &Transaction<'_>,
    database: &EmbeddedDatabase,
    (path, what): (&Path, Retire),
) -> rusqlite::Result<Result<RetiredRootKeys, RetireError>> {
    // Another file may have replaced the database while this waited for other writers. Its
    // records are not those that are looked at here.
    let opened = database
        .expect_in_place(RETIRE)
        .map_err(RetireError::from)
        .and_then(|()| Ok(LocalKeyFile::open(path)?));
    let file = match opened {
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
    if retired.removed.is_empty() || what == Retire::Find {
        return Ok(Ok(retired));
    }
    let changed = expect_no_link(path).and_then(|()| {
        LocalKeyFile::remove_former(path, &retired.removed)?;
        Ok(retired)
    });
    Ok(changed.map_err(RetireError::from))
}

/// Rejects a key file that is reached through a symbolic link. A hard link needs no check: a
/// change replaces one name of the file only.
fn expect_no_link(path: &Path) -> Result<(), KekError> {
    if !fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink()) {
        return Ok(());
    }
    let error = KekError::new(
        KekErrorKind::Misconfigured,
        RETIRE,
        path.display().to_string(),
    );
    Err(error.with_remedy(
        "The key file is a symbolic link. Another data directory may use the same file, and its \
         records may need the former root keys. No root key was removed.\n\nReplace the link by a \
         copy of the file that it leads to, with mode 0600, and run the command again. Each data \
         directory then has a key file of its own.",
    ))
}

/// Returns the text that a record contains if it names a key derived from the root key `id`.
#[must_use]
pub fn derived_key_prefix(id: Uuid) -> String {
    // The identifier of a derived key begins with it: docs/format.md, section 13.
    format!("{id}/")
}

/// Returns a record that names a key derived from the root key `id`.
fn needed(transaction: &Transaction<'_>, id: Uuid) -> rusqlite::Result<Option<NeededRootKey>> {
    const QUERY: &str = "SELECT organization, key FROM records WHERE instr(body, ?1) > 0 \
                         ORDER BY organization, key LIMIT 1";
    let text = derived_key_prefix(id);
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
    use std::sync::Arc;

    use planton_core::catalog::{CatalogStore as _, RecordKey, Revision, StoredRecord};
    use planton_core::names::Slug;

    use super::*;
    use crate::embedded::EmbeddedCatalog;
    use crate::embedded::sqlite::DatabaseErrorKind;

    /// Returns the database of a directory that has a key file.
    fn database(directory: &Path) -> EmbeddedDatabase {
        let key = Arc::new(|_: &Path, _| Ok(()));
        EmbeddedDatabase::awaited(directory, DatabaseOptions::default(), key).expect("database")
    }

    async fn record(directory: &Path, organization: &str, key: &str, body: String) {
        let organization: Slug = organization.parse().expect("slug");
        let catalog = EmbeddedCatalog::new(database(directory), organization);
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

        let found = retire_root_keys(folder.path(), Retire::Find).await;
        let found = found.expect("found");
        assert_eq!(former(&path), [second, first], "nothing is removed yet");
        let retired = retire_root_keys(folder.path(), Retire::Remove)
            .await
            .expect("retired");
        assert_eq!(retired, found);
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
        assert_eq!((file.id(), former(&path)), (third, vec![first]));
    }

    fn former(path: &Path) -> Vec<Uuid> {
        let file = LocalKeyFile::open(path).expect("opened");
        file.former_root_keys().iter().map(RootKey::id).collect()
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn no_root_key_is_removed_from_a_key_file_that_two_directories_link_to() {
        let folder = tempfile::tempdir().expect("folder");
        let shared = folder.path().join("shared.key");
        let first = LocalKeyFile::create(&shared).expect("created").id();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        for directory in [&one, &other] {
            fs::create_dir(directory).expect("directory");
            std::os::unix::fs::symlink(&shared, directory.join(KEY_FILE)).expect("link");
        }
        let body = format!(r#"{{"keks":[{{"provider":"local","id":"{first}/acme"}}]}}"#);
        record(&other, "acme", "secrets/x", body).await;

        database(&one).create().await.expect("a database");
        // Without a former root key, there is nothing to reject.
        let retired = retire_root_keys(&one, Retire::Remove)
            .await
            .expect("nothing to remove");
        assert_eq!(retired, RetiredRootKeys::default());

        LocalKeyFile::rotate(&one.join(KEY_FILE)).expect("rotated");
        let refused = retire_root_keys(&one, Retire::Remove)
            .await
            .expect_err("a link");
        let RetireError::KeyFile(error) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(error.kind(), KekErrorKind::Misconfigured);
        let remedy = error.remedy().expect("a remedy");
        assert!(remedy.contains("Replace the link by a copy"), "{remedy}");
        assert_eq!(former(&shared), [first]);

        // As the remedy says: the copy loses the root key, and the other directory keeps it.
        fs::remove_file(one.join(KEY_FILE)).expect("link removed");
        fs::copy(&shared, one.join(KEY_FILE)).expect("copied");
        let retired = retire_root_keys(&one, Retire::Remove)
            .await
            .expect("retired");
        assert_eq!(retired.removed, [first]);
        assert_eq!(former(&other.join(KEY_FILE)), [first]);
    }

    // On other systems, an open database cannot be moved.
    #[cfg(unix)]
    #[tokio::test]
    async fn no_root_key_is_removed_once_the_database_was_moved_away() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(KEY_FILE);
        let first = LocalKeyFile::create(&path).expect("created").id();
        LocalKeyFile::rotate(&path).expect("rotated");
        let database = database(folder.path());
        let (place, key_file) = (database.clone(), path.clone());
        let retired = database.write(RETIRE, move |transaction| {
            // While the call waited for the other writers.
            let moved = place.path().with_extension("moved");
            fs::rename(place.path(), moved).expect("moved");
            fs::write(place.path(), "").expect("another database");
            let retired = retire(transaction, &place, (&key_file, Retire::Remove))?;
            let Err(RetireError::Database(error)) = &retired else {
                panic!("{retired:?}");
            };
            assert_eq!(error.kind(), DatabaseErrorKind::Misconfigured);
            Ok(())
        });
        retired.await.expect_err("nothing is committed");
        assert_eq!(former(&path), [first]);
    }
}
