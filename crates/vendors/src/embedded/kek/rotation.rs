//! Changes of a key file that exists: a new current root key, and the removal of former ones.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use planton_core::kek::{KekError, KekErrorKind};
use planton_envelope::{KeyFile, MAX_ROOT_KEYS};
use uuid::Uuid;

use super::{LocalKeyFile, display, draft_prefix, sync_folder, write_new};

const CHANGE: &str = "change key file";

impl LocalKeyFile {
    /// Adds a new current root key to the file at `path`, and keeps the others as former
    /// ones. Their keys unwrap from then on.
    ///
    /// The file is replaced as a whole, with its mode, and synced to disk. Changes of several
    /// processes wait for each other. Blocks on I/O.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `Misconfigured` if the file is full.
    pub fn rotate(path: &Path) -> Result<Self, KekError> {
        changed(path, |content| {
            let random = |_| {
                KekError::new(KekErrorKind::Unavailable, CHANGE, display(path))
                    .with_source(io::Error::other("the operating system gave no randomness"))
            };
            if content.rotate().map_err(random)? {
                return Ok(());
            }
            Err(
                KekError::new(KekErrorKind::Misconfigured, CHANGE, display(path)).with_remedy(
                    format!(
                        "The file contains {MAX_ROOT_KEYS} root keys and has no room for another. \
                         Run rewrap for every organization that uses the file, and then platform \
                         key-file remove-former, which removes the former ones."
                    ),
                ),
            )
        })
    }

    /// Removes former root keys from the file at `path`, as [`rotate`](Self::rotate) adds
    /// one. Skips identifiers that are none of its former root keys.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn remove_former(path: &Path, ids: &[Uuid]) -> Result<Self, KekError> {
        changed(path, |content| {
            for id in ids {
                content.remove_former(*id);
            }
            Ok(())
        })
    }
}

/// Changes the file at `path` in one step that other processes see completely or not at all.
fn changed(
    path: &Path,
    change: impl FnOnce(&mut KeyFile) -> Result<(), KekError>,
) -> Result<LocalKeyFile, KekError> {
    changed_and_synced(path, change, sync_folder)
}

/// Does what [`changed`] says, with a `sync` that a test lets fail.
fn changed_and_synced(
    path: &Path,
    change: impl FnOnce(&mut KeyFile) -> Result<(), KekError>,
    sync: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<LocalKeyFile, KekError> {
    let failed = |source: io::Error| change_error(path, source);
    // A link stays, and the file that it leads to is replaced.
    let target = fs::canonicalize(path).map_err(|source| super::open_error(path, source))?;
    let _lock = lock(&target).map_err(failed)?;
    let mut file = LocalKeyFile::open(&target)?;
    change(&mut file.content)?;
    let mode = fs::metadata(&target).map_err(failed)?.permissions();
    let draft = draft_of_change(&target);
    // A killed change has left it. It contains root keys, so it is not kept either way.
    remove(&draft).map_err(failed)?;
    let written = write_new(&draft, file.content.encode().as_slice())
        .and_then(|()| fs::set_permissions(&draft, mode))
        .and_then(|()| fs::rename(&draft, &target));
    if let Err(error) = written {
        let _best_effort = fs::remove_file(&draft);
        return Err(failed(error));
    }
    sync(&target).map_err(|source| unsynced(path, source))?;
    Ok(file)
}

/// Removes the draft that a killed change of the file at `path` has left, which contains all
/// root keys. Leaves it while a change is under way, and where the folder denies the removal.
pub(super) fn remove_stale_draft(path: &Path) {
    let draft = draft_of_change(path);
    if !draft.is_file() {
        return;
    }
    let Ok(lock) = lock_file(path) else { return };
    if lock.try_lock().is_ok() {
        let _best_effort = remove(&draft);
    }
}

fn draft_of_change(path: &Path) -> PathBuf {
    beside(path, "next")
}

/// Waits for the other changes of the file, and keeps them waiting until it is dropped. The
/// key file itself cannot be locked: a change replaces it.
fn lock(path: &Path) -> io::Result<File> {
    let lock = lock_file(path)?;
    lock.lock()?;
    Ok(lock)
}

fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(beside(path, "lock"))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = draft_prefix(path);
    name.push(suffix);
    path.with_file_name(name)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn change_error(path: &Path, source: io::Error) -> KekError {
    without_remedy(path, source)
        .with_remedy("The file is unchanged. Make sure that its folder can be written to.")
}

/// Describes a change that is in effect, and that a power failure may undo.
fn unsynced(path: &Path, source: io::Error) -> KekError {
    without_remedy(path, source).with_remedy(
        "The file was changed, and its root keys are in use. But its folder could not be synced to \
         disk: a power failure may bring the former file back, without a root key that was \
         added.\n\nBack up the file now. Do not repeat the change: platform status prints the main \
         key.",
    )
}

fn without_remedy(path: &Path, source: io::Error) -> KekError {
    let kind = match source.kind() {
        io::ErrorKind::PermissionDenied => KekErrorKind::PermissionDenied,
        _ => KekErrorKind::Unavailable,
    };
    KekError::new(kind, CHANGE, display(path)).with_source(source)
}

#[cfg(test)]
mod tests {
    use planton_core::kek::{KekErrorKind, KeyEncryptionKey as _, LocalKek};

    use super::super::OPEN;
    use super::super::tests::Folder;
    use super::*;

    fn ids(file: &LocalKeyFile) -> Vec<Uuid> {
        let former = file.former_root_keys().iter();
        std::iter::once(file.id())
            .chain(former.map(planton_envelope::RootKey::id))
            .collect()
    }

    #[test]
    fn a_rotation_adds_a_root_key_and_keeps_the_others_and_the_mode() {
        let folder = Folder::new();
        let path = folder.path();
        let first = LocalKeyFile::create(&path).expect("created");
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o400))
            .expect("mode");
        let second = LocalKeyFile::rotate(&path).expect("rotated");
        let third = LocalKeyFile::rotate(&path).expect("rotated");
        assert_eq!(ids(&third), [third.id(), second.id(), first.id()]);
        let opened = LocalKeyFile::open(&path).expect("opened");
        assert_eq!(ids(&opened), ids(&third));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).expect("file").permissions().mode();
            assert_eq!(mode & 0o7777, 0o400);
        }
        // The former root key derives the keys that it derived before.
        let organization = "acme".parse().expect("slug");
        let before = LocalKek::new(first.root_key(), &organization);
        let former = &opened.former_root_keys()[1];
        assert_eq!(LocalKek::new(former, &organization).id(), before.id());

        let removed = LocalKeyFile::remove_former(&path, &[first.id(), third.id()]);
        assert_eq!(ids(&removed.expect("changed")), [third.id(), second.id()]);
        let removed = LocalKeyFile::remove_former(&path, &[second.id(), first.id()]);
        assert_eq!(ids(&removed.expect("changed")), [third.id()]);
        assert_eq!(std::fs::read(&path).expect("file").len(), 85);
    }

    #[test]
    fn a_full_file_is_not_rotated() {
        let folder = Folder::new();
        LocalKeyFile::create(&folder.path()).expect("created");
        for _ in 1..MAX_ROOT_KEYS {
            LocalKeyFile::rotate(&folder.path()).expect("rotated");
        }
        let before = std::fs::read(folder.path()).expect("file");
        let error = LocalKeyFile::rotate(&folder.path()).expect_err("full");
        assert_eq!(error.kind(), KekErrorKind::Misconfigured);
        assert_eq!(std::fs::read(folder.path()).expect("file"), before);
    }

    #[test]
    fn rotations_of_many_at_once_all_stay() {
        let folder = Folder::new();
        let path = folder.path();
        let first = LocalKeyFile::create(&path).expect("created").id();
        let rotated: Vec<Uuid> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| LocalKeyFile::rotate(&path).expect("rotated").id()))
                .collect();
            let racers = racers.into_iter();
            racers.map(|racer| racer.join().expect("racer")).collect()
        });
        let found = ids(&LocalKeyFile::open(&path).expect("opened"));
        assert_eq!(found.len(), 9);
        assert!(rotated.iter().chain([&first]).all(|id| found.contains(id)));
    }

    #[test]
    fn a_rotation_that_was_killed_before_the_change_leaves_no_key_behind() {
        let folder = Folder::new();
        let path = folder.path();
        let first = LocalKeyFile::create(&path).expect("created");
        let draft = beside(&path, "next");
        let leave = || std::fs::write(&draft, b"root keys of a killed change").expect("draft");
        leave();
        assert_eq!(LocalKeyFile::open(&path).expect("opened").id(), first.id());
        assert!(!draft.exists());
        leave();
        LocalKeyFile::rotate(&path).expect("rotated");
        assert!(!draft.exists());
    }

    #[test]
    fn open_leaves_the_draft_of_a_change_that_is_under_way() {
        let folder = Folder::new();
        let path = folder.path();
        LocalKeyFile::create(&path).expect("created");
        let draft = beside(&path, "next");
        let under_way = lock(&path).expect("locked");
        std::fs::write(&draft, b"root keys").expect("draft");
        LocalKeyFile::open(&path).expect("opened");
        assert!(draft.exists());
        drop(under_way);
        LocalKeyFile::open(&path).expect("opened");
        assert!(!draft.exists());
    }

    #[cfg(unix)]
    #[test]
    fn open_through_a_link_removes_the_drafts_beside_the_file_that_it_leads_to() {
        let folder = Folder::new();
        let path = folder.path();
        let elsewhere = tempfile::tempdir().expect("folder");
        let link = elsewhere.path().join("link.key");
        LocalKeyFile::create(&path).expect("created");
        std::os::unix::fs::symlink(&path, &link).expect("link");
        let (of_creation, of_change) = (beside(&path, "left-behind"), beside(&path, "next"));
        std::fs::hard_link(&path, &of_creation).expect("draft");
        std::fs::write(&of_change, b"root keys").expect("draft");
        LocalKeyFile::open(&link).expect("opened");
        assert!(!of_creation.exists() && !of_change.exists());
    }

    #[test]
    fn a_change_whose_folder_is_not_synced_is_said_to_be_in_effect() {
        let folder = Folder::new();
        let path = folder.path();
        LocalKeyFile::create(&path).expect("created");
        let rotate = |content: &mut KeyFile| {
            assert!(content.rotate().expect("randomness"));
            Ok(())
        };
        let failing = |_: &Path| Err(io::Error::other("the disk failed"));
        let error = changed_and_synced(&path, rotate, failing).expect_err("not synced");
        let remedy = error.remedy().expect("a remedy");
        assert!(remedy.contains("Back up the file now"), "{remedy}");
        assert!(!remedy.contains("unchanged"), "{remedy}");
        let file = LocalKeyFile::open(&path).expect("opened");
        assert_eq!(file.former_root_keys().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_rotation_replaces_the_file_that_a_link_leads_to() {
        let folder = Folder::new();
        let (path, link) = (folder.path(), folder.path().with_file_name("link"));
        LocalKeyFile::create(&path).expect("created");
        std::os::unix::fs::symlink(&path, &link).expect("link");
        let rotated = LocalKeyFile::rotate(&link).expect("rotated");
        assert!(link.is_symlink());
        assert_eq!(
            LocalKeyFile::open(&path).expect("opened").id(),
            rotated.id()
        );
    }

    #[test]
    fn a_missing_or_damaged_file_is_not_rotated() {
        let folder = Folder::new();
        let error = LocalKeyFile::rotate(&folder.path()).expect_err("missing");
        assert_eq!(error.kind(), KekErrorKind::NotFound);
        LocalKeyFile::create(&folder.path()).expect("created");
        std::fs::write(folder.path(), "damaged").expect("written");
        let error = LocalKeyFile::rotate(&folder.path()).expect_err("damaged");
        assert_eq!(
            (error.kind(), error.operation()),
            (KekErrorKind::Misconfigured, OPEN)
        );
    }
}
