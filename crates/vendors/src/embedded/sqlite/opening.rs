//! Opens the platform's two files, and creates them: the key file before the database.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::connect::{connect, use_write_ahead_log};
use super::error::{DatabaseError, DatabaseErrorKind, FileError as _};
use super::files::{self, DATABASE_FILE, KEY_FILE};
use super::{DatabaseOptions, EmbeddedDatabase, absolute, blocking, schema};

/// Whether the key file may be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileRule {
    /// The database exists, and so must the key file: load it, and never create one.
    MustExist,
    /// There is no database yet. Create the key file if it is absent, and load it otherwise:
    /// another process, or one that was killed at this point, may have created it.
    CreateIfAbsent,
}

/// Opens or creates the key file at a path, by a rule.
pub type OpenKeyFile = dyn Fn(&Path, KeyFileRule) -> Result<(), DatabaseError> + Send + Sync;

/// How the two files are opened once they are needed.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) directory: PathBuf,
    pub(super) options: DatabaseOptions,
    pub(super) key: Arc<OpenKeyFile>,
}

impl Opening {
    /// Opens both files, and creates those that are absent.
    pub(super) fn create(&self) -> Result<Connection, DatabaseError> {
        let key = |path: &Path, rule| (self.key)(path, rule);
        let (connection, ()) = open_both(&self.directory, self.options, key)?;
        Ok(connection)
    }

    /// Opens both files if the database exists by now.
    pub(super) fn open(&self) -> Result<Option<Connection>, DatabaseError> {
        match files::database_exists(&self.directory)? {
            true => self.create().map(Some),
            false => Ok(None),
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// Opens both files of the embedded platform, and creates those that are absent. `key` opens the
/// key file at the given path and by the given rule; the database is created afterwards.
///
/// After a kill at any point, the next call converges: it adds the database to a key file.
/// A database without its key file never gets a new key, which could not open its records.
///
/// # Errors
///
/// `KeyMissing`, which names the key file; the error of `key`; as
/// [`EmbeddedDatabase::open`].
pub async fn open_with_key<K, E>(
    directory: &Path,
    options: DatabaseOptions,
    key: impl FnOnce(&Path, KeyFileRule) -> Result<K, E> + Send + 'static,
) -> Result<(EmbeddedDatabase, K), E>
where
    K: Send + 'static,
    E: From<DatabaseError> + Send + 'static,
{
    let directory = absolute(directory)?;
    blocking(move || {
        let (connection, key) = open_both(&directory, options, key)?;
        let database = EmbeddedDatabase::opened(&directory, options, connection)?;
        Ok((database, key))
    })
    .await
}

fn open_both<K, E: From<DatabaseError>>(
    directory: &Path,
    options: DatabaseOptions,
    key: impl FnOnce(&Path, KeyFileRule) -> Result<K, E>,
) -> Result<(Connection, K), E> {
    // The database is checked first. Every process creates the key before the database,
    // so the key of a database that exists now is visible afterwards.
    let rule = if files::database_exists(directory)? {
        KeyFileRule::MustExist
    } else {
        KeyFileRule::CreateIfAbsent
    };
    let key_file = directory.join(KEY_FILE);
    if rule == KeyFileRule::MustExist && !is_there(&key_file)? {
        return Err(E::from(missing_key(directory, &key_file)));
    }
    files::prepare_directory(directory)?;
    let key = key(&key_file, rule)?;
    files::create_database(directory)?;
    Ok((open_existing(directory, options)?, key))
}

/// Opens a database that exists.
pub(super) fn open_existing(
    directory: &Path,
    options: DatabaseOptions,
) -> Result<Connection, DatabaseError> {
    // Rejects a log without its database, which SQLite would delete.
    if !files::database_exists(directory)? {
        return Err(absent(directory));
    }
    let path = files::prepare(directory)?;
    let mut connection = connect(&path, options)
        .map_err(|error| DatabaseError::sqlite("open the database", &path, error))?;
    schema::ensure(&mut connection, &path)?;
    use_write_ahead_log(&connection, &path, options.busy_timeout)?;
    Ok(connection)
}

/// Returns an empty database in memory, for reads while the file does not exist.
pub(super) fn empty(path: &Path) -> Result<Connection, DatabaseError> {
    let opened = Connection::open_in_memory();
    let mut connection =
        opened.map_err(|error| DatabaseError::sqlite("open the database", path, error))?;
    schema::ensure(&mut connection, path)?;
    Ok(connection)
}

fn absent(directory: &Path) -> DatabaseError {
    let path = directory.join(DATABASE_FILE);
    DatabaseError::at(DatabaseErrorKind::Misconfigured, "open the database", &path).with_remedy(
        "There is no database in this directory, and nothing was created. Check the path.",
    )
}

fn missing_key(directory: &Path, key_file: &Path) -> DatabaseError {
    DatabaseError::at(DatabaseErrorKind::KeyMissing, "open the key file", key_file).with_remedy(
        format!(
            "Restore the key file from a copy. If there is none, only an escrow key opens the secrets \
             in {:?}: create a new key file (platform key-file create), then install it with the \
             escrow identity (rewrap --with). Without an escrow key, they are lost.",
            directory.join(DATABASE_FILE)
        ),
    )
}

fn is_there(path: &Path) -> Result<bool, DatabaseError> {
    path.try_exists()
        .map_err(|error| DatabaseError::io("open the key file", path, error))
}
