//! Certificate and key files that settings name.

use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::open_regular_file;
use planton_secret::SecretString;

/// A file that a setting names is unreadable.
///
/// # Security
///
/// Contains the path only if it looks like one, and never that of a private key: the
/// setting may contain the key itself instead.
#[derive(Debug)]
pub struct UnreadableFile {
    setting: &'static str,
    path: Option<String>,
    error: io::Error,
}

impl UnreadableFile {
    /// Returns the setting that names the file.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// Returns the remedy.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!(
            "Check its path and its mode; {} takes a path, and not what the file holds.",
            self.setting
        )
    }
}

impl fmt::Display for UnreadableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file ")?;
        if let Some(path) = &self.path {
            write!(f, "{path:?} ")?;
        }
        write!(
            f,
            "that {} names could not be read: {}",
            self.setting, self.error
        )
    }
}

impl std::error::Error for UnreadableFile {}

/// The text is not a usable path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It is empty.
    #[error("is empty; give it a path, or leave it out")]
    Empty,
    /// It begins with `~`, which only a shell expands.
    #[error(
        "begins with ~, which only a shell expands; use pathexpand(\"~/…\") in a configuration, and \
         an absolute path in a variable"
    )]
    Home,
    /// It begins with a variable, which only a shell expands.
    #[error(
        "begins with a variable, which only a shell expands; use an input variable, or \
         pathexpand(\"~/…\"), in a configuration, and an absolute path in a variable"
    )]
    Variable,
}

/// Checks that the system resolves a path as its author expects, without any I/O.
///
/// # Errors
///
/// [`InvalidPath`], which quotes nothing of the text.
pub fn check_path(text: &str) -> Result<(), InvalidPath> {
    match text {
        "" => Err(InvalidPath::Empty),
        text if text.starts_with('~') => Err(InvalidPath::Home),
        text if begins_with_a_variable(text) => Err(InvalidPath::Variable),
        _ => Ok(()),
    }
}

/// Returns true for `$NAME`, `${NAME}` and `%NAME%` at the start.
fn begins_with_a_variable(text: &str) -> bool {
    let begins_name = |c: char| c.is_ascii_alphabetic() || c == '_';
    if let Some(rest) = text.strip_prefix('$') {
        return rest
            .strip_prefix('{')
            .unwrap_or(rest)
            .starts_with(begins_name);
    }
    let windows = text.strip_prefix('%').and_then(|rest| rest.split_once('%'));
    windows.is_some_and(|(name, _)| {
        name.starts_with(begins_name) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Reads the certificate at `path`, which `setting` names.
///
/// # Errors
///
/// [`UnreadableFile`].
pub fn read_certificate(setting: &'static str, path: &str) -> Result<String, UnreadableFile> {
    read_text(path).map_err(|error| UnreadableFile {
        setting,
        // A user who sets the certificate instead of its path may include the key.
        path: is_plausible_path(path).then(|| path.to_owned()),
        error,
    })
}

/// Reads the private key at `path`, which `setting` names, into one buffer that is
/// zeroized.
///
/// # Errors
///
/// [`UnreadableFile`], without the path.
pub fn read_private_key(setting: &'static str, path: &str) -> Result<SecretString, UnreadableFile> {
    let unreadable = |error| UnreadableFile {
        setting,
        path: None,
        error,
    };
    read_secret_text(Path::new(path)).map_err(unreadable)
}

/// Reads a secret text into one buffer that is zeroized.
///
/// # Errors
///
/// As for [`open_regular_file`]; `InvalidData` for a text that is not UTF-8.
pub(super) fn read_secret_text(path: &Path) -> io::Result<SecretString> {
    let mut file = open_regular_file(path)?;
    // The capacity fits the file's length, so that the buffer does not grow.
    let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    file.read_to_end(&mut bytes)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| not_text())?;
    Ok(text.into())
}

fn read_text(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    open_regular_file(Path::new(path))?.read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| not_text())
}

fn not_text() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8")
}

/// Returns true for a text that looks like a path, and not like a file's content.
fn is_plausible_path(text: &str) -> bool {
    text.len() <= 255
        && text.contains(['/', '.', '\\'])
        && !text.contains("-----BEGIN")
        && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn what_may_be_a_credential_in_the_place_of_a_path_is_not_repeated() {
        let long = format!("./hunter2{}", "x".repeat(255));
        for bad in [
            "-----BEGIN PRIVATE KEY-----hunter2/.",
            "a/b.c\nhunter2",
            &long,
            "hunter2",
        ] {
            let error = read_certificate("ca_cert_file", bad).unwrap_err();
            assert!(error.to_string().contains("that ca_cert_file names"));
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{bad}");
        }
        let told = read_certificate("ca_cert_file", "/nowhere/ca.pem").unwrap_err();
        assert!(told.to_string().contains("\"/nowhere/ca.pem\""), "{told}");
        let error = read_private_key("client_key_file", "/run/hunter2.pem").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(error.remedy().contains("client_key_file takes a path"));
    }

    #[test]
    fn a_path_that_only_a_shell_expands_is_refused() {
        assert_eq!(check_path(""), Err(InvalidPath::Empty));
        assert_eq!(check_path("~/planton"), Err(InvalidPath::Home));
        for shell in [
            "$HOME/planton",
            "${HOME}/planton",
            "$_",
            "%APPDATA%/planton",
        ] {
            assert_eq!(check_path(shell), Err(InvalidPath::Variable), "{shell}");
        }
        for plain in ["./$HOME", "$", "$1", "${", "100%/50%", "%", "%20a", "/x/~"] {
            assert_eq!(check_path(plain), Ok(()), "{plain}");
        }
    }

    #[test]
    fn a_key_that_is_not_text_is_refused_and_text_is_read_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let name = path.to_str().unwrap();
        std::fs::write(&path, b"\xff").unwrap();
        let error = read_private_key("client_key_file", name).unwrap_err();
        assert!(error.to_string().contains("it is not text"), "{error}");
        std::fs::write(&path, "a\nb\n").unwrap();
        let key = read_private_key("client_key_file", name).unwrap();
        assert_eq!(key.expose(), "a\nb\n");
        assert_eq!(read_certificate("ca_cert_file", name).unwrap(), "a\nb\n");
    }
}
