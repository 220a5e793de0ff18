//! The embedded platform's database: one SQLite file in a folder, which several processes
//! may use at once.
//!
//! An acknowledged write is on disk. The folder also contains the key file, which is
//! created before the database: see [`open_with_key`].

mod connect;
mod error;
mod files;
mod location;
mod schema;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task;

use connect::{connect, use_write_ahead_log};
use error::FileError as _;
pub use error::{DatabaseError, DatabaseErrorKind};
pub use files::{DATABASE_FILE, KEY_FILE};
pub use location::default_directory;

/// Options of the database.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseOptions {
    /// How long a call waits for other processes before it fails with `Unavailable`.
    pub busy_timeout: Duration,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(15),
        }
    }
}

/// Whether the key file may be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileRule {
    /// The database exists, and so must the key file: load it, and never create one.
    MustExist,
    /// There is no database yet. Create the key file if it is absent, and load it otherwise:
    /// another process, or one that was killed at this point, may have created it.
    CreateIfAbsent,
}

/// The embedded platform's database; clones share one connection.
#[derive(Clone)]
pub struct EmbeddedDatabase {
    connection: Arc<Mutex<Connection>>,
    path: Arc<Path>,
    identity: files::FileIdentity,
    busy_timeout: Arc<BusyTimeout>,
}

/// How long a call waits for other processes. After a timeout, later calls do not wait
/// until a write succeeds, so that a run with many secrets waits once.
#[derive(Debug)]
struct BusyTimeout {
    timeout: Duration,
    is_exhausted: AtomicBool,
}

impl BusyTimeout {
    fn current(&self) -> Duration {
        if self.is_exhausted.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            self.timeout
        }
    }

    fn record_failure(&self, error: &DatabaseError) {
        if error.is_busy() {
            self.is_exhausted.store(true, Ordering::Relaxed);
        }
    }

    fn reset(&self) {
        self.is_exhausted.store(false, Ordering::Relaxed);
    }
}

impl EmbeddedDatabase {
    /// Returns true if `directory` contains a database. Creates nothing.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if SQLite's log exists without its database.
    pub fn exists(directory: &Path) -> Result<bool, DatabaseError> {
        files::database_exists(directory)
    }

    /// Opens the database in `directory`, and creates both if they are absent.
    ///
    /// # Errors
    ///
    /// `NewerSchema` and `NotOurs`, which leave the file unchanged; `Corrupt`,
    /// `PermissionDenied`, `Unavailable` and `Misconfigured` by meaning.
    ///
    /// # Security
    ///
    /// The folder is created with mode 0700 and the database with 0600. SQLite's log and
    /// shared memory get the database's mode.
    pub async fn open(directory: &Path, options: DatabaseOptions) -> Result<Self, DatabaseError> {
        let directory = absolute(directory)?;
        blocking(move || open_here(&directory, options)).await
    }

    /// Returns the database's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the database's file is still the one that was opened. A `body` of
    /// [`write`](Self::write) calls it before it changes anything else than the database.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if the file was moved or replaced.
    pub(super) fn expect_in_place(&self, operation: &'static str) -> Result<(), DatabaseError> {
        in_place(operation, &self.path, self.identity)
    }

    /// Runs `body` on a snapshot of the database.
    ///
    /// # Errors
    ///
    /// By meaning, see [`DatabaseErrorKind`].
    pub async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        body: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let path = Arc::clone(&self.path);
        self.with_connection(operation, move |connection| {
            connection
                .transaction_with_behavior(TransactionBehavior::Deferred)
                .and_then(|transaction| body(&transaction))
                .map_err(|error| DatabaseError::sqlite(operation, &path, error))
        })
        .await
    }

    /// Runs `body` as the only writer, and commits its changes if it returns `Ok`.
    ///
    /// When this returns `Ok`, the changes are on disk. If the commit itself fails, they may
    /// or may not be; the caller has to read again.
    ///
    /// # Errors
    ///
    /// By meaning, see [`DatabaseErrorKind`]; `Misconfigured` if the file was moved or
    /// replaced since it was opened.
    pub async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        body: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let path = Arc::clone(&self.path);
        let identity = self.identity;
        let busy_timeout = Arc::clone(&self.busy_timeout);
        self.with_connection(operation, move |connection| {
            let failed = |error| DatabaseError::sqlite(operation, &path, error);
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failed)?;
            let value = body(&transaction).map_err(failed)?;
            // Checked again right before the commit: a commit to a file that has been
            // moved away must not be acknowledged.
            in_place(operation, &path, identity)?;
            transaction.commit().map_err(failed)?;
            busy_timeout.reset();
            Ok(value)
        })
        .await
    }

    /// Moves SQLite's log into the database and truncates it, so that deleted and
    /// overwritten data is in neither file. Returns false if another process held a lock;
    /// its next checkpoint completes the work. <https://www.sqlite.org/wal.html>
    ///
    /// # Errors
    ///
    /// By meaning, see [`DatabaseErrorKind`].
    ///
    /// # Security
    ///
    /// `secure_delete` zeroes freed pages in the current files. It does not reach blocks that
    /// the file system or the drive has remapped.
    pub async fn checkpoint(&self) -> Result<bool, DatabaseError> {
        const OPERATION: &str = "checkpoint";
        let path = Arc::clone(&self.path);
        self.with_connection(OPERATION, move |connection| {
            let busy: i64 = connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
                .map_err(|error| DatabaseError::sqlite(OPERATION, &path, error))?;
            Ok(busy == 0)
        })
        .await
    }

    async fn with_connection<T: Send + 'static>(
        &self,
        operation: &'static str,
        body: impl FnOnce(&mut Connection) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        // Waits here instead of on one of the runtime's few blocking threads.
        let mut connection: OwnedMutexGuard<Connection> =
            Arc::clone(&self.connection).lock_owned().await;
        let (path, identity) = (Arc::clone(&self.path), self.identity);
        let busy_timeout = Arc::clone(&self.busy_timeout);
        blocking(move || {
            in_place(operation, &path, identity)?;
            connection
                .busy_timeout(busy_timeout.current())
                .map_err(|error| DatabaseError::sqlite(operation, &path, error))?;
            body(&mut connection).inspect_err(|error| busy_timeout.record_failure(error))
        })
        .await
    }
}

impl fmt::Debug for EmbeddedDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedDatabase")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Opens both files of the embedded platform. `key` opens the key file at the given path
/// and by the given rule; the database is created afterwards.
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
        // The database is checked first. Every process creates the key before the database,
        // so the key of a database that exists now is visible afterwards.
        let rule = if files::database_exists(&directory)? {
            KeyFileRule::MustExist
        } else {
            KeyFileRule::CreateIfAbsent
        };
        let key_file = directory.join(KEY_FILE);
        if rule == KeyFileRule::MustExist && !is_there(&key_file)? {
            return Err(E::from(missing_key(&directory, &key_file)));
        }
        files::prepare_directory(&directory)?;
        let key = key(&key_file, rule)?;
        let database = open_here(&directory, options)?;
        Ok((database, key))
    })
    .await
}

/// Checks that the file at `path` is still the one that was opened.
fn in_place(
    operation: &'static str,
    path: &Path,
    opened: files::FileIdentity,
) -> Result<(), DatabaseError> {
    if files::identity(path)? == opened {
        return Ok(());
    }
    Err(
        DatabaseError::at(DatabaseErrorKind::Misconfigured, operation, path)
            .with_remedy("Another file replaced the database while it was open. Run again."),
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

/// Makes `directory` absolute, so that it is independent of the working directory.
///
/// SQLite then never reads a path as a URI: <https://www.sqlite.org/uri.html>.
fn absolute(directory: &Path) -> Result<PathBuf, DatabaseError> {
    std::path::absolute(directory)
        .map_err(|error| DatabaseError::io("open the database", directory, error))
}

async fn blocking<T: Send + 'static, E: From<DatabaseError> + Send + 'static>(
    body: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match task::spawn_blocking(body).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down before the work has begun.
            Err(error) => Err(E::from(
                DatabaseError::at(
                    DatabaseErrorKind::Unavailable,
                    "run",
                    Path::new(DATABASE_FILE),
                )
                .with_source(error),
            )),
        },
    }
}

fn open_here(
    directory: &Path,
    options: DatabaseOptions,
) -> Result<EmbeddedDatabase, DatabaseError> {
    // Rejects a log without its database, which SQLite would delete.
    files::database_exists(directory)?;
    let path = files::prepare(directory)?;
    let mut connection = connect(&path, options)
        .map_err(|error| DatabaseError::sqlite("open the database", &path, error))?;
    schema::ensure(&mut connection, &path)?;
    use_write_ahead_log(&connection, &path, options.busy_timeout)?;
    Ok(EmbeddedDatabase {
        connection: Arc::new(Mutex::new(connection)),
        identity: files::identity(&path)?,
        path: path.into(),
        busy_timeout: Arc::new(BusyTimeout {
            timeout: options.busy_timeout,
            is_exhausted: AtomicBool::new(false),
        }),
    })
}
