//! What keeps an argument from being used.

use crate::http::HttpError;

/// A problem with one argument. No text repeats the value, which may be a credential in
/// the wrong argument.
#[derive(Debug)]
pub struct ConnectionProblem {
    /// Path of the argument inside its block, such as `jwt.token_file`.
    pub setting: String,
    /// Kind of the problem.
    pub kind: ConnectionProblemKind,
    /// The rule that the value breaks, or the remedy.
    pub message: String,
    /// The underlying error.
    pub source: Option<Box<HttpError>>,
}

/// Kind of a [`ConnectionProblem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionProblemKind {
    /// A required argument is absent.
    Missing,
    /// The address is not a URL of a server.
    Address,
    /// The namespace is not a path.
    Namespace,
    /// The mount path is not a path.
    Mount,
    /// The name of the key is not one segment of a path.
    KeyName,
    /// The period is not a duration that the server accepts.
    Period,
    /// The certificates are not PEM.
    Certificates,
    /// The path cannot be used.
    Path,
    /// A credential or another text is empty.
    Empty,
    /// Arguments exclude each other.
    Conflict,
    /// A certificate lacks its key, or a key its certificate.
    Incomplete,
    /// A login lacks its credential.
    Login,
}

impl ConnectionProblem {
    pub(super) fn new(
        setting: &str,
        kind: ConnectionProblemKind,
        message: impl Into<String>,
    ) -> Self {
        Self {
            setting: setting.to_owned(),
            kind,
            message: message.into(),
            source: None,
        }
    }
}
