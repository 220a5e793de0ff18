//! The embedded platform's database: one SQLite file in a folder, which several processes
//! may use at once.
//!
//! An acknowledged write is on disk. The folder also contains the key file, which is
//! created before the database: see [`open_with_key`] and [`EmbeddedDatabase::awaited`].

mod connect;
mod error;
mod files;
mod location;
mod opening;
mod schema;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task;

use error::FileError as _;
pub use error::{DatabaseError, DatabaseErrorKind};
pub use files::{DATABASE_FILE, KEY_FILE};
pub use location::default_directory;
use opening::Opening;
pub use opening::{KeyFileRule, OpenKeyFile, open_with_key};

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

/// The embedded platform's database; clones share one connection.
#[derive(Clone)]
pub struct EmbeddedDatabase {
    /// `None` until a database that did not exist is needed.
    connection: Arc<Mutex<Option<Connection>>>,
    path: Arc<Path>,
    /// Set together with the connection.
    identity: Arc<OnceLock<files::FileIdentity>>,
    /// How a database that did not exist is opened; `None` for one that did.
    opening: Option<Arc<Opening>>,
    busy_timeout: Arc<BusyTimeout>,
}

/// What a call does in a database that does not exist yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WhenAbsent {
    /// It creates the database.
    Create,
    /// It finds an empty one.
    FindNothing,
}

/// How long a call waits for other processes. After a timeout, later calls do not wait
/// until a write succeeds, so that a run with many secrets waits once.
#[derive(Debug)]
struct BusyTimeout {
    timeout: Duration,
    is_exhausted: AtomicBool,
}

impl BusyTimeout {
    fn new(options: DatabaseOptions) -> Self {
        Self {
            timeout: options.busy_timeout,
            is_exhausted: AtomicBool::new(false),
        }
    }

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

    /// Opens the database in `directory`. Creates nothing.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if there is none; `NewerSchema` and `NotOurs`, which leave the file
    /// unchanged; `Corrupt`, `PermissionDenied`, `Unavailable` and `Misconfigured` by meaning.
    pub async fn open(directory: &Path, options: DatabaseOptions) -> Result<Self, DatabaseError> {
        let directory = absolute(directory)?;
        blocking(move || {
            let connection = opening::open_existing(&directory, options)?;
            Self::opened(&directory, options, connection)
        })
        .await
    }

    /// Returns the database of a `directory` that has none yet. Reads find nothing and create
    /// nothing. The first write creates the key file with `key`, and then the database.
    ///
    /// # Errors
    ///
    /// `Misconfigured` and `PermissionDenied` for an existing directory that is unsuitable.
    ///
    /// # Security
    ///
    /// The folder is created with mode 0700 and the database with 0600. SQLite's log and
    /// shared memory get the database's mode.
    pub fn awaited(
        directory: &Path,
        options: DatabaseOptions,
        key: Arc<OpenKeyFile>,
    ) -> Result<Self, DatabaseError> {
        let directory = absolute(directory)?;
        files::check_directory(&directory)?;
        let opening = Opening {
            directory,
            options,
            key,
        };
        Ok(Self {
            connection: Arc::default(),
            path: opening.directory.join(DATABASE_FILE).into(),
            identity: Arc::default(),
            opening: Some(Arc::new(opening)),
            busy_timeout: Arc::new(BusyTimeout::new(options)),
        })
    }

    fn opened(
        directory: &Path,
        options: DatabaseOptions,
        connection: Connection,
    ) -> Result<Self, DatabaseError> {
        let path = directory.join(DATABASE_FILE);
        let identity = files::identity(&path)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(Some(connection))),
            path: path.into(),
            identity: Arc::new(identity.into()),
            opening: None,
            busy_timeout: Arc::new(BusyTimeout::new(options)),
        })
    }

    /// Creates the key file and the database, unless they exist.
    ///
    /// # Errors
    ///
    /// As [`open_with_key`].
    pub async fn create(&self) -> Result<(), DatabaseError> {
        self.with_connection("create the database", WhenAbsent::Create, |_| Ok(()))
            .await
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
        in_place(operation, &self.path, &self.identity)
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
        self.with_connection(operation, WhenAbsent::FindNothing, move |connection| {
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
        let identity = Arc::clone(&self.identity);
        let busy_timeout = Arc::clone(&self.busy_timeout);
        self.with_connection(operation, WhenAbsent::Create, move |connection| {
            let failed = |error| DatabaseError::sqlite(operation, &path, error);
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failed)?;
            let value = body(&transaction).map_err(failed)?;
            // Checked again right before the commit: a commit to a file that has been
            // moved away must not be acknowledged.
            in_place(operation, &path, &identity)?;
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
        self.with_connection(OPERATION, WhenAbsent::FindNothing, move |connection| {
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
        when_absent: WhenAbsent,
        body: impl FnOnce(&mut Connection) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        // Waits here instead of on one of the runtime's few blocking threads.
        let mut connection: OwnedMutexGuard<Option<Connection>> =
            Arc::clone(&self.connection).lock_owned().await;
        let database = self.clone();
        blocking(move || {
            if connection.is_none() {
                *connection = database.open_awaited(when_absent)?;
            }
            let Some(connection) = connection.as_mut() else {
                return body(&mut opening::empty(&database.path)?);
            };
            in_place(operation, &database.path, &database.identity)?;
            let busy_timeout = &database.busy_timeout;
            connection
                .busy_timeout(busy_timeout.current())
                .map_err(|error| DatabaseError::sqlite(operation, &database.path, error))?;
            body(connection).inspect_err(|error| busy_timeout.record_failure(error))
        })
        .await
    }

    /// Opens a database that did not exist: another process may have created it.
    fn open_awaited(&self, when_absent: WhenAbsent) -> Result<Option<Connection>, DatabaseError> {
        let Some(opening) = &self.opening else {
            return Ok(None);
        };
        let connection = match when_absent {
            WhenAbsent::Create => Some(opening.create()?),
            WhenAbsent::FindNothing => opening.open()?,
        };
        if connection.is_some() {
            let identity = files::identity(&self.path)?;
            let _first_wins = self.identity.set(identity);
        }
        Ok(connection)
    }
}

impl fmt::Debug for EmbeddedDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedDatabase")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Checks that the file at `path` is still the one that was opened.
fn in_place(
    operation: &'static str,
    path: &Path,
    opened: &OnceLock<files::FileIdentity>,
) -> Result<(), DatabaseError> {
    if opened.get() == Some(&files::identity(path)?) {
        return Ok(());
    }
    Err(
        DatabaseError::at(DatabaseErrorKind::Misconfigured, operation, path)
            .with_remedy("Another file replaced the database while it was open. Run again."),
    )
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
