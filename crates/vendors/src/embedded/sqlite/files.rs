//! The folder and the files of the embedded platform, and their modes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::{DatabaseError, DatabaseErrorKind, FileError as _};

/// Name of the database in the embedded platform's folder.
pub const DATABASE_FILE: &str = "planton.db";

/// Name of the key file in the embedded platform's folder.
pub const KEY_FILE: &str = "planton.key";

// Closing any descriptor of a file drops this process's POSIX locks on it
// (https://www.sqlite.org/howtocorrupt.html, section 2.2). So no other thread may hold a
// connection between the creation of the file and its closing.
static CREATION: Mutex<()> = Mutex::new(());

/// Returns true if the folder contains a database.
///
/// # Errors
///
/// `Misconfigured` if SQLite's log exists without its database. Other kinds come from
/// the operating system.
pub(super) fn database_exists(directory: &Path) -> Result<bool, DatabaseError> {
    let database = directory.join(DATABASE_FILE);
    let exists = |path: &Path| {
        path.try_exists()
            .map_err(|error| DatabaseError::io("look for the database", path, error))
    };
    // The log is checked first: a new database is created before its log.
    let log = beside(&database, "-wal");
    let has_log = fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let has_database = exists(&database)?;
    // To open a pipe would block, both here and in SQLite.
    if has_database && !fs::metadata(&database).is_ok_and(|database| database.is_file()) {
        return Err(DatabaseError::at(
            DatabaseErrorKind::Misconfigured,
            "look for the database",
            &database,
        )
        .with_remedy(
            "The database must be a regular file. Put it back from a copy, or move away what \
             stands in its place.",
        ));
    }
    if has_log && !has_database {
        return Err(DatabaseError::at(
            DatabaseErrorKind::Misconfigured,
            "look for the database",
            &database,
        )
        .with_remedy(format!(
            "Records may still be in {log:?}. Put the database back beside it, or move that file away to begin anew."
        )));
    }
    Ok(has_database)
}

/// Creates the folder with mode 0700 if it is absent.
///
/// An existing folder keeps its mode, which may permit others to read it. It must
/// belong to this user, and nobody else may have write permission.
pub(super) fn prepare_directory(directory: &Path) -> Result<(), DatabaseError> {
    let failed = |error| DatabaseError::io("create the folder", directory, error);
    make_directory(directory).map_err(failed)?;
    check_directory(directory)
}

/// Checks an existing folder as [`prepare_directory`] does. Accepts one that is absent.
pub(super) fn check_directory(directory: &Path) -> Result<(), DatabaseError> {
    let trespass = match trespass(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        checked => {
            checked.map_err(|error| DatabaseError::io("check the folder", directory, error))?
        }
    };
    match trespass {
        None => Ok(()),
        Some(remedy) => Err(DatabaseError::at(
            DatabaseErrorKind::Misconfigured,
            "check the folder",
            directory,
        )
        .with_remedy(remedy)),
    }
}

/// Returns how another user could replace the key or the database, and the remedy.
/// Returns `None` if no other user can.
#[cfg(unix)]
fn trespass(directory: &Path) -> io::Result<Option<String>> {
    use std::os::unix::fs::MetadataExt as _;

    // With a trailing slash, the path would resolve a symbolic link.
    let directory: PathBuf = directory.components().collect();
    let user = rustix::process::geteuid().as_raw();
    let link = fs::symlink_metadata(&directory)?;
    if link.is_symlink() && ![user, 0].contains(&link.uid()) {
        return Ok(Some(format!(
            "The link {directory:?} belongs to user {}, who can let it lead elsewhere; this is \
             user {user}. Configure the folder that it leads to, or make the link anew.",
            link.uid()
        )));
    }
    let folder = fs::metadata(&directory)?;
    if folder.uid() != user {
        return Ok(Some(format!(
            "The folder {directory:?} belongs to user {}, and this is user {user}. Run as its \
             owner, or configure a folder of this user's.",
            folder.uid()
        )));
    }
    if folder.mode() & 0o022 != 0 {
        return Ok(Some(format!(
            "Others may write in the folder. Run `chmod go-w {}`, and see that nothing in it is \
             theirs.",
            directory.display()
        )));
    }
    Ok(None)
}

// On other systems, the folder inherits its permissions.
#[cfg(not(unix))]
fn trespass(_: &Path) -> io::Result<Option<String>> {
    Ok(None)
}

/// Creates an empty database file (0600) if it is absent.
pub(super) fn create_database(directory: &Path) -> Result<(), DatabaseError> {
    let database = directory.join(DATABASE_FILE);
    let created = create_private(&database)
        .map_err(|error| DatabaseError::io("create the database", &database, error))?;
    if created {
        sync_directory(directory)
            .map_err(|error| DatabaseError::io("create the database", &database, error))?;
    }
    Ok(())
}

/// Checks the folder of an existing database. Removes the permissions of other users from its
/// files.
pub(super) fn prepare(directory: &Path) -> Result<PathBuf, DatabaseError> {
    check_directory(directory)?;
    let database = directory.join(DATABASE_FILE);
    // A copy or a restore may have widened the modes. SQLite gives the log and the
    // shared memory that it creates the mode of the database.
    for path in [
        database.clone(),
        beside(&database, "-wal"),
        beside(&database, "-shm"),
    ] {
        match make_private(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(DatabaseError::io("restrict the mode", &path, error));
            }
            _ => {}
        }
    }
    Ok(database)
}

/// Distinguishes a file from another one that replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

/// Returns the identity of the file at `path`, without opening it.
pub(super) fn identity(path: &Path) -> Result<FileIdentity, DatabaseError> {
    let metadata = fs::metadata(path)
        .map_err(|error| DatabaseError::io("look for the database", path, error))?;
    Ok(identity_of(&metadata))
}

#[cfg(unix)]
fn identity_of(metadata: &fs::Metadata) -> FileIdentity {
    use std::os::unix::fs::MetadataExt as _;
    FileIdentity {
        device: metadata.dev(),
        inode: metadata.ino(),
    }
}

// On other systems, an open file cannot be removed.
#[cfg(not(unix))]
fn identity_of(_: &fs::Metadata) -> FileIdentity {
    FileIdentity {}
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    match directory.parent() {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

/// Creates an empty file with mode 0600. Returns false if the file exists.
fn create_private(path: &Path) -> io::Result<bool> {
    let _creation = CREATION.lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
