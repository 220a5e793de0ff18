//! The Rust files that the rules check, as plain text.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xtask::paths;

/// A file of the repository.
pub(super) struct File {
    /// The path from the repository's root.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    /// Returns whether the file contains tests only. The rules do not apply to tests.
    pub(super) fn is_test(&self) -> bool {
        let path = Path::new(&self.path);
        path.iter().any(|part| part == "tests") || path.ends_with("tests.rs")
    }

    /// Returns the text without lines of comments, and without the tests at its end.
    pub(super) fn code(&self) -> String {
        let tests = ["mod ", "pub(super) mod "].map(|module| format!("#[cfg(test)]\n{module}"));
        let ends = tests.iter().filter_map(|begin| self.text.find(begin));
        let end = ends.min().unwrap_or(self.text.len());
        let lines = self.text[..end].lines();
        let code = lines.filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| [line, "\n"]).collect()
    }
}

/// Returns the Rust files under `path`, which is a folder or a file.
pub(super) fn files(path: &str) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut left = vec![at(path)];
    while let Some(path) = left.pop() {
        let reading = || format!("reading {}", path.display());
        if path.is_dir() {
            for entry in fs::read_dir(&path).with_context(reading)? {
                left.push(entry.with_context(reading)?.path());
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(paths::repository())?;
            files.push(File {
                path: relative.display().to_string(),
                text: fs::read_to_string(&path).with_context(reading)?,
            });
        }
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Returns the absolute path of `path`, which is relative to the repository's root.
pub(super) fn at(path: &str) -> PathBuf {
    paths::repository().join(path)
}

/// Returns whether `c` can be part of a name in code.
pub(super) fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
