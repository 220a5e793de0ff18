//! The tables, and the version of the schema.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::{DatabaseError, DatabaseErrorKind, FileError as _};

/// "PLNT", which identifies the provider's databases.
const APPLICATION_ID: i32 = 0x504c_4e54;

/// The version of the tables below.
pub(super) const SCHEMA_VERSION: i32 = 1;

// The triggers enforce the invariants of `CatalogStore` and `SecretStore` for every
// writer, including a person with a database tool. A record's revision only increases,
// and a version never changes. Only entries may be deleted: their keys are never used
// again.
const VERSION_1: &str = "
    CREATE TABLE records (
        organization TEXT NOT NULL,
        key TEXT NOT NULL,
        revision INTEGER NOT NULL,
        body TEXT NOT NULL,
        mac TEXT NOT NULL,
        PRIMARY KEY (organization, key)
    ) STRICT, WITHOUT ROWID;

    CREATE TRIGGER records_rise_by_one BEFORE UPDATE ON records
    WHEN new.revision <> old.revision + 1
    BEGIN SELECT RAISE(ABORT, 'a revision rises by one'); END;

    CREATE TRIGGER records_stay BEFORE DELETE ON records
    WHEN substr(old.key, 1, 8) <> 'entries/'
    BEGIN SELECT RAISE(ABORT, 'a record is emptied, never deleted'); END;

    CREATE TABLE objects (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE
    ) STRICT;

    CREATE TABLE versions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        object INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
        attempt TEXT NOT NULL,
        native_id TEXT NOT NULL UNIQUE,
        payload BLOB NOT NULL,
        digest BLOB NOT NULL,
        labels TEXT NOT NULL,
        written_at INTEGER NOT NULL,
        UNIQUE (object, attempt)
    ) STRICT;

    CREATE TRIGGER versions_never_change BEFORE UPDATE ON versions
    BEGIN SELECT RAISE(ABORT, 'a version never changes'); END;
";

/// Creates the tables in an empty database. Rejects a database of another application
/// or of a newer release.
///
/// # Errors
///
/// `NewerSchema`, `NotOurs`, or an error of SQLite.
pub(super) fn ensure(connection: &mut Connection, path: &Path) -> Result<(), DatabaseError> {
    const OPERATION: &str = "open the database";
    let failed = |error| DatabaseError::sqlite(OPERATION, path, error);
    let reading = connection
        .transaction_with_behavior(TransactionBehavior::Deferred)
        .map_err(failed)?;
    if is_current(&reading, path)? {
        return Ok(());
    }
    reading.commit().map_err(failed)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    // Another process may have created the tables while this one waited for the lock.
    if is_current(&transaction, path)? {
        return Ok(());
    }
    transaction.execute_batch(VERSION_1).map_err(failed)?;
    for (pragma, value) in [
        ("application_id", APPLICATION_ID),
        ("user_version", SCHEMA_VERSION),
    ] {
        transaction
            .pragma_update(None, pragma, value)
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// Returns false for an empty database.
///
/// Both queries need one transaction. If another process created the tables between
/// them, the database would look like another application's.
fn is_current(connection: &Transaction<'_>, path: &Path) -> Result<bool, DatabaseError> {
    const OPERATION: &str = "open the database";
    let number = |pragma: &str| -> Result<i32, DatabaseError> {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(|error| DatabaseError::sqlite(OPERATION, path, error))
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| DatabaseError::sqlite(OPERATION, path, error))?;
    match (number("application_id")?, number("user_version")?) {
        (0, 0) if tables == 0 => Ok(false),
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(true),
        (APPLICATION_ID, newer) if newer > SCHEMA_VERSION => Err(DatabaseError::at(
            DatabaseErrorKind::NewerSchema,
            OPERATION,
            path,
        )
        .with_remedy(format!(
            "Its schema has version {newer}, this release knows version {SCHEMA_VERSION}. Use the release that wrote it, or a later one."
        ))),
        _ => Err(DatabaseError::at(DatabaseErrorKind::NotOurs, OPERATION, path)
            .with_remedy("Point the embedded platform at a folder of its own.")),
    }
}
