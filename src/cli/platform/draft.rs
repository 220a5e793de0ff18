//! A file that appears under its name once it is complete.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A private file under a temporary name, beside its own. Removed on drop.
#[derive(Debug)]
pub(super) struct Draft {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// Creates the draft of `target`, with mode 0600.
    ///
    /// # Errors
    ///
    /// Failures of the file system.
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        let name = target
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
        let mut name = name.to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let path = target.with_file_name(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self {
            file: options.open(&path)?,
            path,
            target: target.to_owned(),
        })
    }

    /// Returns the file to write to.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives the file its name. Returns false if a file of this name exists by now.
    ///
    /// # Errors
    ///
    /// Failures of the file system.
    pub(super) fn publish(self) -> io::Result<bool> {
        self.file.sync_all()?;
        match fs::hard_link(&self.path, &self.target) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            // The file system has no hard links. The name is claimed first, so that no other
            // file is replaced. A process that is killed here leaves an empty file.
            Err(_) => match File::create_new(&self.target) {
                Ok(_) => match fs::rename(&self.path, &self.target) {
                    Ok(()) => Ok(true),
                    Err(error) => {
                        let _ = fs::remove_file(&self.target);
                        Err(error)
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            },
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It was renamed, or is of no use any more.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        entries.map(name).collect()
    }

    #[test]
    fn a_file_appears_complete_and_private_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("backup");
        drop(Draft::create(&target).expect("a draft"));
        assert_eq!(names(folder.path()), [""; 0]);
        let mut draft = Draft::create(&target).expect("a draft");
        draft.file().write_all(b"all").expect("written");
        assert!(!target.exists());
        assert!(draft.publish().expect("published"));
        assert_eq!(names(folder.path()), ["backup"]);
        assert_eq!(fs::read(&target).expect("a file"), b"all");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&target).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn an_existing_file_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("backup");
        let mut draft = Draft::create(&target).expect("a draft");
        draft.file().write_all(b"new").expect("written");
        fs::write(&target, b"old").expect("written");
        assert!(!draft.publish().expect("no failure"));
        assert_eq!(fs::read(&target).expect("a file"), b"old");
        assert_eq!(names(folder.path()), ["backup"]);
    }
}
