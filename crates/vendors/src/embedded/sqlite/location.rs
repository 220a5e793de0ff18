//! The default folder of the embedded platform.

use std::ffi::OsString;
use std::path::PathBuf;

/// Returns the default folder of the embedded platform, in the user's data folder.
/// Returns `None` if the environment, which `variable` reads, names no data folder.
///
/// It is never the working directory: a folder with a key does not belong in a
/// repository or a build's workspace. A relative path in the environment is ignored, as
/// the XDG specification requires:
/// <https://specifications.freedesktop.org/basedir-spec/latest/ar01s02.html>.
#[must_use]
pub fn default_directory(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data = if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        absolute("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("planton"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Option<PathBuf> {
        default_directory(|name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        })
    }

    #[test]
    fn default_directory_follows_the_users_data_folder() {
        assert_eq!(
            with(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "/data")]),
            Some(PathBuf::from("/data/planton"))
        );
        assert_eq!(
            with(&[("HOME", "/home/ada")]),
            Some(PathBuf::from("/home/ada/.local/share/planton"))
        );
    }

    #[test]
    fn default_directory_is_never_relative() {
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("HOME", ""), ("XDG_DATA_HOME", ".")]), None);
        assert_eq!(
            with(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "data")]),
            Some(PathBuf::from("/home/ada/.local/share/planton"))
        );
    }
}
