//! The connection's settings, and the switch to a write-ahead log.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::DatabaseOptions;
use super::error::{DatabaseError, DatabaseErrorKind, FileError as _};

/// Opens the file with the settings that durability and deletion depend on.
pub(super) fn connect(path: &Path, options: DatabaseOptions) -> rusqlite::Result<Connection> {
    // Without CREATE: the file exists already, with its mode.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    // The file may have been tampered with, so its schema may define tables only:
    // https://www.sqlite.org/security.html
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // https://www.sqlite.org/pragma.html#pragma_secure_delete
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // FULL syncs the log at every commit; NORMAL loses the last commits in a power failure:
    // https://www.sqlite.org/pragma.html#pragma_synchronous
    // On macOS, only `fullfsync` syncs past the drive's cache:
    // https://www.sqlite.org/pragma.html#pragma_fullfsync
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    Ok(connection)
}

/// Switches the file to a write-ahead log. The mode is a property of the file:
/// <https://www.sqlite.org/wal.html>
pub(super) fn use_write_ahead_log(
    connection: &Connection,
    path: &Path,
    timeout: Duration,
) -> Result<(), DatabaseError> {
    let deadline = Instant::now() + timeout;
    loop {
        let mode: rusqlite::Result<String> =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => {
                return Err(DatabaseError::at(
                    DatabaseErrorKind::Misconfigured,
                    "open the database",
                    path,
                )
                .with_remedy(
                    "The file system does not support shared memory between processes, as is \
                     usual for network file systems. Use a folder on a local disk.",
                ));
            }
            // The switch upgrades to an exclusive lock. SQLite may return busy at once instead
            // of waiting, since two upgrades could deadlock:
            // https://www.sqlite.org/c3ref/busy_handler.html
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(DatabaseError::sqlite("open the database", path, error)),
        }
    }
}
