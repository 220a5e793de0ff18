//! The embedded platform's file: one SQLite database in one folder, safe with
//! several processes at once.
//!
//! What a write has acknowledged is on disk. The folder also holds the key
//! file, which comes into being before the database: see [`open_with_key`].

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
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task;

use error::FileError as _;
pub use error::{DatabaseError, DatabaseErrorKind};
pub use files::{DATABASE_FILE, KEY_FILE};
pub use location::default_directory;

/// How the database is opened.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseOptions {
    /// How long a call waits for other processes before it is `Unavailable`.
    pub busy_timeout: Duration,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(15),
        }
    }
}

/// What the opener of the key file is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileRule {
    /// The database is there, and so is the key file: load it, and never make
    /// a new one.
    MustExist,
    /// There is no database yet. Make the key file where it is absent, and
    /// load what is there otherwise: another process, or one that was killed
    /// at this point, may have made it already.
    CreateIfAbsent,
}

/// The embedded platform's database; clones share one connection.
#[derive(Clone)]
pub struct EmbeddedDatabase {
    connection: Arc<Mutex<Connection>>,
    path: Arc<Path>,
    identity: files::FileIdentity,
    patience: Arc<Patience>,
}

/// How long a call waits for other processes. Once a call has waited in vain, those
/// after it do not wait until a write succeeds: a run with many secrets waits once.
#[derive(Debug)]
struct Patience {
    timeout: Duration,
    is_exhausted: AtomicBool,
}

impl Patience {
    fn now(&self) -> Duration {
        if self.is_exhausted.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            self.timeout
        }
    }

    fn learn(&self, error: &DatabaseError) {
        if error.is_busy() {
            self.is_exhausted.store(true, Ordering::Relaxed);
        }
    }

    fn renew(&self) {
        self.is_exhausted.store(false, Ordering::Relaxed);
    }
}

impl EmbeddedDatabase {
    /// Tells whether `directory` holds a database; creates nothing.
    ///
    /// # Errors
    ///
    /// `Misconfigured` when SQLite's log is there without its database.
    pub fn exists(directory: &Path) -> Result<bool, DatabaseError> {
        files::database_exists(directory)
    }

    /// Opens the database in `directory`; makes both where they are absent.
    ///
    /// # Errors
    ///
    /// `NewerSchema` and `NotOurs` leave the file as it is; `Corrupt`,
    /// `PermissionDenied`, `Unavailable` and `Misconfigured` by meaning.
    ///
    /// # Security
    ///
    /// The folder is made with mode 0700, the database with 0600, from the
    /// start; SQLite's log and shared memory take the database's mode.
    pub async fn open(directory: &Path, options: DatabaseOptions) -> Result<Self, DatabaseError> {
        let directory = absolute(directory)?;
        blocking(move || open_here(&directory, options)).await
    }

    /// Returns the database's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `body` on one unchanging state of the database.
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

    /// Runs `body` as the only writer, and commits what it did if it gives Ok.
    ///
    /// Once this gives Ok the changes are on disk. After an error of the commit
    /// itself they may or may not be: the caller reads again.
    ///
    /// # Errors
    ///
    /// By meaning, see [`DatabaseErrorKind`]; `Misconfigured` when the file was
    /// moved or replaced since it was opened.
    pub async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        body: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let path = Arc::clone(&self.path);
        let identity = self.identity;
        let patience = Arc::clone(&self.patience);
        self.with_connection(operation, move |connection| {
            let failed = |error| DatabaseError::sqlite(operation, &path, error);
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failed)?;
            let value = body(&transaction).map_err(failed)?;
            // Once more at the last moment: what is committed into a file that
            // nobody will find was not to be acknowledged.
            in_place(operation, &path, identity)?;
            transaction.commit().map_err(failed)?;
            patience.renew();
            Ok(value)
        })
        .await
    }

    /// Moves SQLite's log into the database and empties it, so that what was
    /// deleted or overwritten is in neither file. Returns false when another
    /// process stood in the way; its next checkpoint then does it.
    ///
    /// # Errors
    ///
    /// By meaning, see [`DatabaseErrorKind`].
    ///
    /// # Security
    ///
    /// `secure_delete` zeroes what is freed in the files as they stand. Blocks
    /// that the file system or the drive set aside are out of its reach.
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
        // Waits here, not on one of the runtime's few blocking threads.
        let mut connection: OwnedMutexGuard<Connection> =
            Arc::clone(&self.connection).lock_owned().await;
        let (path, identity) = (Arc::clone(&self.path), self.identity);
        let patience = Arc::clone(&self.patience);
        blocking(move || {
            in_place(operation, &path, identity)?;
            connection
                .busy_timeout(patience.now())
                .map_err(|error| DatabaseError::sqlite(operation, &path, error))?;
            body(&mut connection).inspect_err(|error| patience.learn(error))
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

/// Opens both files of the embedded platform: `key` opens the key file at the
/// path and by the rule that it is given, and only then the database comes into
/// being.
///
/// Killed anywhere in between, the next call converges: a key file without a
/// database is completed. A database without its key file is never given a new
/// key, which could open nothing in it.
///
/// # Errors
///
/// `KeyMissing`, which names the key file; what `key` gives; as
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
        // The database first: whoever makes both makes the key first, so a
        // database that is seen now has a key that is seen afterwards.
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

/// Sees to it that the file at `path` is still the one that was opened.
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
            .with_remedy("Another file took the database's place while it was open. Run again."),
    )
}

fn missing_key(directory: &Path, key_file: &Path) -> DatabaseError {
    DatabaseError::at(DatabaseErrorKind::KeyMissing, "open the key file", key_file).with_remedy(
        format!(
            "What {:?} holds can be opened with that file only. Put it back from a copy; or, to begin anew, move the database away.",
            directory.join(DATABASE_FILE)
        ),
    )
}

fn is_there(path: &Path) -> Result<bool, DatabaseError> {
    path.try_exists()
        .map_err(|error| DatabaseError::io("open the key file", path, error))
}

/// Makes `directory` absolute, so that a later change of the working directory
/// does not move it; and SQLite, built to take URIs, takes no path of ours for
/// one.
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
            // The runtime is shutting down; nothing was begun.
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
    // Refuses a log without its database, which SQLite would delete.
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
        patience: Arc::new(Patience {
            timeout: options.busy_timeout,
            is_exhausted: AtomicBool::new(false),
        }),
    })
}

fn connect(path: &Path, options: DatabaseOptions) -> rusqlite::Result<Connection> {
    // Without CREATE: the file is there, with its mode.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    // The file may have been tampered with: its schema is not to be trusted
    // with anything beyond holding tables.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // FULL: the log is synced at every commit; NORMAL would lose the last ones
    // with the machine. Apple's fsync stops at the drive's cache without
    // `fullfsync`.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    Ok(connection)
}

/// Switches the file to a write-ahead log, which it then keeps.
fn use_write_ahead_log(
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
                    "The file system cannot share memory between processes, as network file systems can't. Use a folder on a local disk.",
                ));
            }
            // The switch needs the file for itself, and SQLite does not wait
            // for that whatever the timeout says.
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
