//! The settings of a folder, parsed once.

use std::path::PathBuf;

use planton_core::store::{StoreError, StoreSettings};

/// Where the files are, and how they are named.
#[derive(Clone, Debug)]
pub(super) struct ToyConfig {
    pub(super) folder: PathBuf,
    pub(super) extension: String,
}

impl ToyConfig {
    /// Reads `path` and `file_extension`.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, at the setting to edit.
    pub(super) fn from_settings(settings: &StoreSettings) -> Result<Self, StoreError> {
        let folder = PathBuf::from(settings.text("path").unwrap_or_default());
        if !folder.is_absolute() {
            let remedy = "path must be an absolute path.";
            return Err(StoreError::unusable_setting("path", remedy));
        }
        let extension = settings.text("file_extension").unwrap_or("sealed");
        let is_known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if extension.is_empty() || !extension.bytes().all(is_known) {
            let remedy = "file_extension must consist of a-z and 0-9.";
            return Err(StoreError::unusable_setting("file_extension", remedy));
        }
        Ok(Self {
            folder,
            extension: extension.to_owned(),
        })
    }
}
