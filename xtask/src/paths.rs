//! Paths of the repository.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Returns the repository's root.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the repository")
}

/// Returns Cargo's target folder.
#[must_use]
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => repository().join(folder),
        None => repository().join("target"),
    }
}

/// Returns the path of `name` on PATH.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    within(&std::env::var_os("PATH")?, name)
}

/// Returns the path of `name` in the folders of `path`, in the format of PATH.
#[must_use]
pub fn within(path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
