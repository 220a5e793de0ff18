//! Errors of the embedded platform's files, by kind.

use std::error::Error as _;
use std::io;
use std::path::Path;

use planton_core::error::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// The kind of a failure of the embedded platform's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// The operating system denied a read or a write.
    PermissionDenied,
    /// The database stayed locked until the timeout, the disk is full, or it fails.
    Unavailable,
    /// The file is damaged or is not a database.
    Corrupt,
    /// A newer release wrote the file.
    NewerSchema,
    /// The file is a database of another application.
    NotOurs,
    /// The database exists without its key file.
    KeyMissing,
    /// The database was moved or deleted, or its folder is unsuitable.
    Misconfigured,
}

/// A failure of one of the embedded platform's files.
///
/// # Security
///
/// Contains no record, no payload and no bound value: SQLite's own messages name tables
/// and constraints only.
pub type DatabaseError = Error<DatabaseErrorKind>;

/// Constructors for failures of a file.
pub(super) trait FileError {
    /// Describes a failure of `operation` on the file at `path`.
    fn at(kind: DatabaseErrorKind, operation: &'static str, path: &Path) -> Self;

    /// Maps SQLite's error by kind.
    fn sqlite(operation: &'static str, path: &Path, error: rusqlite::Error) -> Self;

    /// Maps the operating system's error by kind.
    fn io(operation: &'static str, path: &Path, error: io::Error) -> Self;

    /// Returns true if another process kept the database locked.
    fn is_busy(&self) -> bool;
}

impl FileError for DatabaseError {
    fn at(kind: DatabaseErrorKind, operation: &'static str, path: &Path) -> Self {
        Self::new(kind, operation, path.to_string_lossy())
    }

    fn sqlite(operation: &'static str, path: &Path, error: rusqlite::Error) -> Self {
        let told = Self::at(kind_of_sqlite(&error), operation, path);
        let told = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => told.with_remedy(
                "Another process keeps the database locked: another run of Terraform that hangs, a \
                 backup, or a SQLite shell. End it, and run again.",
            ),
            Some(ErrorCode::DiskFull) => told.with_remedy(NO_ROOM),
            Some(ErrorCode::SystemIoFailure) if is_of_a_write(&error) => told.with_remedy(NO_ROOM),
            _ => told,
        };
        told.with_source(error)
    }

    fn is_busy(&self) -> bool {
        let source = self.source();
        let sqlite = source.and_then(|source| source.downcast_ref::<rusqlite::Error>());
        matches!(
            sqlite.and_then(rusqlite::Error::sqlite_error_code),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }

    fn io(operation: &'static str, path: &Path, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                DatabaseErrorKind::PermissionDenied
            }
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::InvalidInput => DatabaseErrorKind::Misconfigured,
            _ => DatabaseErrorKind::Unavailable,
        };
        Self::at(kind, operation, path).with_source(error)
    }
}

impl ErrorKind for DatabaseErrorKind {
    const ERROR: &'static str = "DatabaseError";

    fn meaning(self) -> &'static str {
        match self {
            Self::PermissionDenied => "was denied",
            Self::Unavailable => "failed: unavailable",
            Self::Corrupt => "found a damaged database",
            Self::NewerSchema => "found a database of a newer release",
            Self::NotOurs => "found a database of another application",
            Self::KeyMissing => "found a database without its key file",
            Self::Misconfigured => "failed: not configured as required",
        }
    }
}

const NO_ROOM: &str = "The disk is full, or a quota or the largest size of a file is used up. Free some \
                       space, and run again; nothing is half-written.";

/// Returns true if an I/O failure is one of a write. SQLite reports only ENOSPC as a
/// full disk, neither EDQUOT nor EFBIG: <https://www.sqlite.org/rescode.html#ioerr_write>
fn is_of_a_write(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi;
    let written = [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_SHMSIZE,
    ];
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| written.contains(&code))
}

fn kind_of_sqlite(error: &rusqlite::Error) -> DatabaseErrorKind {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::AuthorizationForStatementDenied
            // The file exists, so missing permissions prevent SQLite from opening it or
            // from creating its log.
            | ErrorCode::CannotOpen,
        ) => DatabaseErrorKind::PermissionDenied,
        Some(
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            // The provider's statements satisfy all constraints and triggers. Only
            // another program can violate them.
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch,
        ) => DatabaseErrorKind::Corrupt,
        // SQLite reports a missing table as an SQL error. The statements are fixed, so
        // the file is wrong.
        Some(ErrorCode::Unknown) => DatabaseErrorKind::Corrupt,
        Some(_) => DatabaseErrorKind::Unavailable,
        // No code: a column whose type differs from the schema.
        None => DatabaseErrorKind::Corrupt,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_write_without_room_says_so_and_a_failing_read_does_not() {
        for (code, says_so) in [
            (ffi::SQLITE_FULL, true),
            (ffi::SQLITE_IOERR_WRITE, true),
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_IOERR_SHMSIZE, true),
            (ffi::SQLITE_IOERR_READ, false),
            (ffi::SQLITE_IOERR_LOCK, false),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let told = DatabaseError::sqlite("commit", Path::new("planton.db"), error);
            let remedy = told.remedy().unwrap_or_default();
            assert_eq!(remedy.contains("disk is full"), says_so, "code {code}");
        }
    }

    #[test]
    fn sqlite_codes_are_mapped_by_meaning() {
        for (code, kind) in [
            (ffi::SQLITE_BUSY, DatabaseErrorKind::Unavailable),
            (ffi::SQLITE_BUSY_SNAPSHOT, DatabaseErrorKind::Unavailable),
            (ffi::SQLITE_FULL, DatabaseErrorKind::Unavailable),
            (ffi::SQLITE_IOERR_FSYNC, DatabaseErrorKind::Unavailable),
            (ffi::SQLITE_CORRUPT, DatabaseErrorKind::Corrupt),
            (ffi::SQLITE_NOTADB, DatabaseErrorKind::Corrupt),
            (ffi::SQLITE_ERROR, DatabaseErrorKind::Corrupt),
            (ffi::SQLITE_READONLY, DatabaseErrorKind::PermissionDenied),
            (ffi::SQLITE_PERM, DatabaseErrorKind::PermissionDenied),
            (ffi::SQLITE_CANTOPEN, DatabaseErrorKind::PermissionDenied),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(kind_of_sqlite(&error), kind, "code {code}");
        }
    }
}
