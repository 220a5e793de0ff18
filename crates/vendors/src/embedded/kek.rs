//! The key file. `docs/format.md` defines it.

mod rotation;

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;
use zeroize::Zeroizing;

use planton_core::kek::{KekError, KekErrorKind};
use planton_envelope::{KeyFile, MAX_KEY_FILE_BYTES, RootKey};

use crate::open_regular_file;

const CREATE: &str = "create key file";
const OPEN: &str = "open key file";

/// A parsed key file: the current root key, and the former ones.
///
/// # Security
///
/// Zeroized on drop, redacted `Debug`. On Unix, only its owner can access the file. On
/// other systems, only the folder's permissions protect it.
pub struct LocalKeyFile {
    path: PathBuf,
    content: KeyFile,
}

impl LocalKeyFile {
    /// Creates a key file if none exists.
    ///
    /// The file appears completely or not at all. It and its folder are synced to disk
    /// before this returns.
    ///
    /// Blocks on I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if `path` exists already (the source is then an [`io::Error`] of
    /// kind `AlreadyExists`) or the folder is missing; `PermissionDenied`;
    /// `Unavailable` for all other failures.
    pub fn create(path: &Path) -> Result<Self, KekError> {
        let failed = |source: io::Error| create_error(path, source);
        let random = |_| failed(io::Error::other("the operating system gave no randomness"));
        let file = Self {
            path: path.to_owned(),
            content: KeyFile::generate().map_err(random)?,
        };
        // Written under another name, then linked: a crash leaves no partial key file,
        // and a concurrent reader finds the whole file or none.
        let draft = draft_path(path, file.id());
        let written = write_new(&draft, file.content.encode().as_slice())
            .and_then(|()| fs::hard_link(&draft, path));
        // The draft may not exist; the earlier error is more useful. A concurrent
        // `open` may also have removed it.
        let removed = match fs::remove_file(&draft) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        written.and(removed).map_err(failed)?;
        sync_folder(path).map_err(failed)?;
        Ok(file)
    }

    /// Opens an existing key file, and never creates one.
    ///
    /// Blocks on I/O.
    ///
    /// # Errors
    ///
    /// `NotFound` if the file is absent. `Misconfigured` if others own it or have
    /// permissions on it, or if it is damaged or is no key file. `PermissionDenied`;
    /// `Unavailable` for all other failures.
    pub fn open(path: &Path) -> Result<Self, KekError> {
        let failed = |source: io::Error| open_error(path, source);
        let mut file = open_regular_file(path).map_err(failed)?;
        check_owner_only(path, &file)?;
        // Reads one byte more than the longest key file has, to reject a longer file.
        let mut bytes = Box::new(Zeroizing::new([0; MAX_KEY_FILE_BYTES + 1]));
        let length = read_up_to(&mut file, bytes.as_mut_slice()).map_err(failed)?;
        let content = KeyFile::decode(&bytes[..length]).ok_or_else(|| {
            KekError::new(KekErrorKind::Misconfigured, OPEN, display(path))
                .with_remedy("The file is not a key file or is damaged: restore it from a backup.")
        })?;
        // A link may lead to the file, which its drafts and its folder belong to.
        let home = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // Its creator may have been killed before it removed the draft. The draft is a
        // second name of the key, which would outlive the first.
        remove_drafts(&home, &file);
        rotation::remove_stale_draft(&home);
        // The creator may also have been killed before it synced the folder. The sync
        // fails on a read-only mount, on which no file can be new.
        let _best_effort = sync_folder(&home);
        Ok(Self {
            path: path.to_owned(),
            content,
        })
    }

    /// Returns the identifier of the current root key, which each derived key contains.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.content.current().id()
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the root key whose keys wrap.
    #[must_use]
    pub fn root_key(&self) -> &RootKey {
        self.content.current()
    }

    /// Returns the root keys whose keys only unwrap, newest first.
    #[must_use]
    pub fn former_root_keys(&self) -> &[RootKey] {
        self.content.former()
    }
}

impl fmt::Debug for LocalKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeyFile")
            .field("path", &self.path)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

//= docs/format.md#13-local-kek
//# On Unix, a writer MUST create a key file with mode 0600.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn draft_path(path: &Path, id: Uuid) -> PathBuf {
    let mut name = draft_prefix(path);
    name.push(id.to_string());
    path.with_file_name(name)
}

fn draft_prefix(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name
}

/// Removes the drafts that are links to the open `file`, if the folder permits it. A
/// draft that another process has yet to link is a different file.
#[cfg(unix)]
fn remove_drafts(path: &Path, file: &File) {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::MetadataExt as _;

    let Ok(key) = file.metadata() else { return };
    if key.nlink() < 2 {
        return;
    }
    let prefix = draft_prefix(path);
    let folder = fs::read_dir(folder_of(path));
    for entry in folder.into_iter().flatten().flatten() {
        // The metadata of a directory entry does not follow symbolic links.
        let is_the_key = entry
            .metadata()
            .is_ok_and(|entry| (entry.dev(), entry.ino()) == (key.dev(), key.ino()));
        if is_the_key && entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            let _best_effort = fs::remove_file(entry.path());
        }
    }
}

#[cfg(not(unix))]
fn remove_drafts(_path: &Path, _file: &File) {}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    // On other systems, a folder cannot be opened, and links are journaled.
    if cfg!(unix) {
        File::open(folder_of(path))?.sync_all()?;
    }
    Ok(())
}

/// Rejects a file that belongs to another user or that others can access. Checks the
/// open file, since the path may be changed in the meantime.
//= docs/format.md#13-local-kek
//# On Unix, a reader MUST refuse a key file that belongs to another user, or that grants any
//# permission to group or others.
#[cfg(unix)]
fn check_owner_only(path: &Path, file: &File) -> Result<(), KekError> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let refused = |remedy: String| {
        Err(KekError::new(KekErrorKind::Misconfigured, OPEN, display(path)).with_remedy(remedy))
    };
    let metadata = file.metadata().map_err(|source| open_error(path, source))?;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return refused(format!(
            "The key file belongs to user {}, and this is user {user}. Run as its owner, or give \
             it to this user with `chown {user} {}`; if they may have read it, rotate what it \
             protects.",
            metadata.uid(),
            display(path)
        ));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return refused(format!(
            "Others may open the key file. Run `chmod 600 {}`; if they may have read it, rotate \
             what it protects.",
            display(path)
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_owner_only(_path: &Path, _file: &File) -> Result<(), KekError> {
    Ok(())
}

fn create_error(path: &Path, source: io::Error) -> KekError {
    let kind = match source.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound => KekErrorKind::Misconfigured,
        io::ErrorKind::PermissionDenied => KekErrorKind::PermissionDenied,
        _ => KekErrorKind::Unavailable,
    };
    KekError::new(kind, CREATE, display(path)).with_source(source)
}

fn open_error(path: &Path, source: io::Error) -> KekError {
    let kind = match source.kind() {
        io::ErrorKind::NotFound => KekErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => KekErrorKind::PermissionDenied,
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => {
            return KekError::new(KekErrorKind::Misconfigured, OPEN, display(path))
                .with_remedy("The key file must be a regular file. Put it back from a copy.")
                .with_source(source);
        }
        _ => KekErrorKind::Unavailable,
    };
    KekError::new(kind, OPEN, display(path)).with_source(source)
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;
