//! The part of a login that is not secret.

use std::path::PathBuf;

use crate::openbao::client::{JwtSource, MountPath, OpenBaoAuth};
use planton_secret::SecretString;

/// A login without its credential.
#[derive(Clone, Debug)]
pub enum Login {
    /// A file with a token.
    TokenFile(PathBuf),
    /// The AppRole auth method.
    AppRole {
        /// Mount path of the auth method.
        mount_path: MountPath,
        /// Role ID.
        role_id: SecretString,
    },
    /// The JWT auth method.
    Jwt {
        /// Mount path of the auth method.
        mount_path: MountPath,
        /// Name of the role.
        role: String,
        /// File with the JSON Web Token, if it is not given by itself.
        token_file: Option<PathBuf>,
    },
    /// The Kubernetes auth method.
    Kubernetes {
        /// Mount path of the auth method.
        mount_path: MountPath,
        /// Name of the role.
        role: String,
        /// File with the token of the service account.
        token_file: PathBuf,
    },
}

impl Login {
    /// Adds the credential; `None` if the login needs one and `secret` is absent.
    #[must_use]
    pub fn with_secret(&self, secret: Option<SecretString>) -> Option<OpenBaoAuth> {
        Some(match self.clone() {
            Self::TokenFile(file) => OpenBaoAuth::TokenFile(file),
            Self::AppRole {
                mount_path,
                role_id,
            } => OpenBaoAuth::AppRole {
                mount_path,
                role_id,
                secret_id: secret?,
            },
            Self::Jwt {
                mount_path,
                role,
                token_file,
            } => OpenBaoAuth::Jwt {
                mount_path,
                role,
                source: match token_file {
                    Some(file) => JwtSource::File(file),
                    None => JwtSource::Token(secret?),
                },
            },
            Self::Kubernetes {
                mount_path,
                role,
                token_file,
            } => OpenBaoAuth::Kubernetes {
                mount_path,
                role,
                token_file,
            },
        })
    }
}
