//! Defines the error type of every trait that a vendor implements.

use std::error::Error as StdError;
use std::fmt;

type Source = Box<dyn StdError + Send + Sync>;

/// The kind of a failure, independent of the vendor's own codes.
pub trait ErrorKind: Copy + fmt::Debug + Send + Sync + 'static {
    /// Name of the error type, for its `Debug` output.
    const ERROR: &'static str;

    /// Returns the predicate of the message; the operation and its path are the
    /// subject.
    fn meaning(self) -> &'static str;
}

/// A failure: its kind, the operation, and the path on which it failed.
///
/// # Security
///
/// Contains no payload, no credential and no raw response body.
pub struct Error<K> {
    kind: K,
    operation: &'static str,
    path: String,
    remedy: Option<String>,
    setting: Option<&'static str>,
    source: Option<Source>,
}

impl<K> Error<K> {
    /// Describes a failure of `operation` (the vendor's name for it) on `path`.
    #[must_use]
    pub fn new(kind: K, operation: &'static str, path: impl Into<String>) -> Self {
        Self {
            kind,
            operation,
            path: path.into(),
            remedy: None,
            setting: None,
            source: None,
        }
    }

    /// Adds the remedy: the missing grant or policy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds the setting that most likely has to change, unless the path names it.
    #[must_use]
    pub fn with_setting(mut self, setting: &'static str) -> Self {
        self.setting = Some(setting);
        self
    }

    /// Adds the underlying error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the vendor's name for the operation that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns the path on which the operation failed.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the remedy.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    pub(crate) fn named_setting(&self) -> Option<&'static str> {
        self.setting
    }
}

impl<K: Copy> Error<K> {
    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> K {
        self.kind
    }
}

impl<K: ErrorKind> fmt::Debug for Error<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct(K::ERROR);
        fields
            .field("kind", &self.kind)
            .field("operation", &self.operation)
            .field("path", &self.path)
            .field("remedy", &self.remedy);
        if self.setting.is_some() {
            fields.field("setting", &self.setting);
        }
        fields.field("source", &self.source).finish()
    }
}

impl<K: ErrorKind> fmt::Display for Error<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation, path, ..
        } = self;
        write!(f, "{operation} on {path:?} {}", self.kind.meaning())
    }
}

impl<K: ErrorKind> StdError for Error<K> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::store::{StoreError, StoreErrorKind};

    #[test]
    fn an_error_shows_its_operation_path_and_meaning_and_keeps_its_source() {
        let error = StoreError::new(StoreErrorKind::NotFound, "GetSecretValue", "planton/db")
            .with_source(io::Error::other("404"));
        let text = r#"GetSecretValue on "planton/db" failed: not found"#;
        assert_eq!(error.to_string(), text);
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("404")
        );
        let debug = format!("{error:?}");
        assert!(debug.starts_with("StoreError { kind: NotFound"), "{debug}");
    }
}
