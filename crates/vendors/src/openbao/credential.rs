//! Which credential opens a server of one's own: the one that was given, a file
//! that a login names, or what the vendor's own tools would use.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::settings::{Login, VaultConfig, VaultKind};
use crate::openbao::client::{JwtSource, OpenBaoAuth, OpenBaoError};
use planton_core::store::{StoreCredential, StoreError, StoreErrorKind};
use planton_secret::SecretString;

/// Where both vendors' tools keep the token of who logged in by hand.
const TOKEN_FILE: &str = ".vault-token";

/// The variables of the ambient chains. Of Vault's own ones an OpenBAO reads
/// none, though its tools do: they hold the token of another server.
const VARIABLES: [&str; 4] = ["VAULT_TOKEN", "BAO_TOKEN", "BAO_TOKEN_PATH", "HOME"];

/// What this process's environment says of tokens, and of nothing else: not of
/// addresses, which are always the configured ones.
#[derive(Clone, Default)]
pub struct AmbientTokens(BTreeMap<&'static str, OsString>);

/// A credential, and how to renew it.
#[derive(Debug)]
pub(super) enum Credential {
    /// Given, or in a file that a login names.
    Configured {
        auth: OpenBaoAuth,
        renewal: &'static str,
    },
    /// To be looked for.
    Ambient(AmbientTokens),
}

/// A credential that is ready for use, and how to renew it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) auth: OpenBaoAuth,
    pub(super) renewal: String,
}

impl AmbientTokens {
    /// Reads the variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    /// Reads variables as `lookup` has them. An empty one counts as absent.
    pub fn of(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let known = VARIABLES.into_iter().filter_map(|name| {
            let value = lookup(name).filter(|value| !value.is_empty())?;
            Some((name, value))
        });
        Self(known.collect())
    }

    fn token(&self, kind: VaultKind) -> Option<SecretString> {
        let text = self.0.get(variable(kind))?.to_str()?.trim();
        (!text.is_empty()).then(|| text.into())
    }

    fn token_file(&self, kind: VaultKind) -> Option<PathBuf> {
        match self.0.get("BAO_TOKEN_PATH") {
            Some(path) if kind == VaultKind::OpenBao => Some(path.into()),
            _ => Some(PathBuf::from(self.0.get("HOME")?).join(TOKEN_FILE)),
        }
    }
}

impl fmt::Debug for AmbientTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AmbientTokens(redacted)")
    }
}

impl Credential {
    /// Joins the login of the settings with its secret part; no I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for parts of different logins, `Unauthenticated` for one
    /// that is missing.
    pub(super) fn parse(
        config: &VaultConfig,
        credential: &StoreCredential,
        ambient: AmbientTokens,
    ) -> Result<Self, StoreError> {
        let given = Given { config, credential };
        Ok(match config.login() {
            Some(Login::AppRole {
                mount_path,
                role_id,
            }) => {
                given.only("secret_id", "approle")?;
                Self::Configured {
                    auth: OpenBaoAuth::AppRole {
                        mount_path: mount_path.clone(),
                        role_id: role_id.as_str().into(),
                        secret_id: given.required("secret_id", "approle.secret_id_wo")?,
                    },
                    renewal: "Check approle.role_id; give a new approle.secret_id_wo, and change \
                              credentials_wo_version.",
                }
            }
            Some(Login::Jwt {
                mount_path,
                role,
                token_file,
            }) => {
                given.only("jwt", "jwt")?;
                let (source, renewal) = match (token_file, credential.contains_key("jwt")) {
                    (Some(_), true) => {
                        return Err(config.misconfigured(
                            "jwt.token_file",
                            "Set at most one of jwt.jwt_wo and jwt.token_file.",
                        ));
                    }
                    (Some(file), false) => (
                        JwtSource::File(file.clone()),
                        "Check jwt.role, and what is in the file that jwt.token_file names.",
                    ),
                    (None, _) => (
                        JwtSource::Token(given.required("jwt", "jwt.jwt_wo")?),
                        "Check jwt.role; give a new jwt.jwt_wo and change credentials_wo_version, \
                         or set jwt.token_file.",
                    ),
                };
                Self::Configured {
                    auth: OpenBaoAuth::Jwt {
                        mount_path: mount_path.clone(),
                        role: role.clone(),
                        source,
                    },
                    renewal,
                }
            }
            Some(Login::Kubernetes {
                mount_path,
                role,
                token_file,
            }) => {
                given.only("", "kubernetes")?;
                Self::Configured {
                    auth: OpenBaoAuth::Kubernetes {
                        mount_path: mount_path.clone(),
                        role: role.clone(),
                        token_file: token_file.clone(),
                    },
                    renewal: "Check kubernetes.role, and what is in the file that \
                              kubernetes.token_file names.",
                }
            }
            None if credential.is_empty() => Self::Ambient(ambient),
            None => {
                given.only("token", "token_wo")?;
                Self::Configured {
                    auth: OpenBaoAuth::Token(given.required("token", "token_wo")?),
                    renewal: "Give a new token_wo, and change credentials_wo_version.",
                }
            }
        })
    }

    /// Finds what is ambient, in the order of the vendor's own tools: a variable,
    /// then the file that a login by hand leaves.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` where there is nothing.
    pub(super) fn find(&self, config: &VaultConfig) -> Result<Found, StoreError> {
        let ambient = match self {
            Self::Configured { auth, renewal } => {
                return Ok(Found {
                    auth: auth.clone(),
                    renewal: (*renewal).to_owned(),
                });
            }
            Self::Ambient(ambient) => ambient,
        };
        let kind = config.kind();
        let variable = variable(kind);
        if let Some(token) = ambient.token(kind) {
            return Ok(Found {
                auth: OpenBaoAuth::Token(token),
                renewal: format!("The token comes from the variable {variable}: renew it there."),
            });
        }
        let login = login_command(kind);
        let file = ambient.token_file(kind);
        match file.filter(|file| file.exists()) {
            Some(file) => Ok(Found {
                renewal: format!(
                    "The token comes from the file {file:?}: check its mode, and log in again with \
                     `{login}`."
                ),
                auth: OpenBaoAuth::TokenFile(file),
            }),
            None => Err(unauthenticated(config, "token_wo").with_remedy(format!(
                "No credential is configured, and the environment has none. Set token_wo, approle, \
                 jwt or kubernetes; or set the variable {variable}, or log in with `{login}`."
            ))),
        }
    }
}

impl Found {
    /// Returns the setting that holds the credential.
    pub(super) fn setting(&self) -> &'static str {
        match &self.auth {
            OpenBaoAuth::AppRole { .. } => "approle.secret_id_wo",
            OpenBaoAuth::Jwt {
                source: JwtSource::File(_),
                ..
            } => "jwt.token_file",
            OpenBaoAuth::Jwt { .. } => "jwt.jwt_wo",
            OpenBaoAuth::Kubernetes { .. } => "kubernetes.token_file",
            _ => "token_wo",
        }
    }

    /// Returns the setting that says where the login is mounted.
    pub(super) fn login_setting(&self) -> &'static str {
        match &self.auth {
            OpenBaoAuth::AppRole { .. } => "approle.mount_path",
            OpenBaoAuth::Jwt { .. } => "jwt.mount_path",
            OpenBaoAuth::Kubernetes { .. } => "kubernetes.mount_path",
            _ => "address",
        }
    }

    /// Adds to a failure to authenticate how to renew this credential.
    pub(super) fn explain(&self, error: OpenBaoError) -> OpenBaoError {
        let known = error.remedy().unwrap_or_default();
        let remedy = match &self.auth {
            // The client speaks of a setting, and this file is none.
            OpenBaoAuth::TokenFile(_) => self.renewal.clone(),
            OpenBaoAuth::Token(_) => format!("{known} {}", self.renewal),
            _ if error.operation() == "login" => format!("{known} {}", self.renewal),
            _ => return error,
        };
        error.with_remedy(remedy)
    }
}

/// A credential against the login that it has to fit.
struct Given<'a> {
    config: &'a VaultConfig,
    credential: &'a StoreCredential,
}

impl Given<'_> {
    /// Refuses whatever is not of this login.
    fn only(&self, name: &str, login: &str) -> Result<(), StoreError> {
        let foreign = |given: &&String| given.as_str() != name;
        match self.credential.keys().find(foreign).map(String::as_str) {
            None => Ok(()),
            Some("token") => Err(self.config.misconfigured(
                "token_wo",
                format!("Set at most one of token_wo and {login}."),
            )),
            Some("secret_id") => Err(self.config.misconfigured(
                "approle.secret_id_wo",
                "A secret_id_wo needs the role that it belongs to: set approle.role_id.",
            )),
            Some("jwt") => Err(self.config.misconfigured(
                "jwt.jwt_wo",
                "A jwt_wo needs the role to take: set jwt.role.",
            )),
            // Not repeated: nobody knows what it is.
            Some(_) => Err(self.config.misconfigured(
                "credentials_wo_version",
                "The credential has a part that this type of backend does not take.",
            )),
        }
    }

    fn required(&self, name: &str, setting: &'static str) -> Result<SecretString, StoreError> {
        let given = self.credential.get(name);
        given
            .filter(|secret| !secret.is_empty())
            .cloned()
            .ok_or_else(|| {
                unauthenticated(self.config, setting).with_remedy(format!(
                    "Set {setting} to a value that is not empty, and change credentials_wo_version."
                ))
            })
    }
}

fn variable(kind: VaultKind) -> &'static str {
    match kind {
        VaultKind::HashiCorpVault => "VAULT_TOKEN",
        VaultKind::OpenBao => "BAO_TOKEN",
    }
}

fn login_command(kind: VaultKind) -> &'static str {
    match kind {
        VaultKind::HashiCorpVault => "vault login",
        VaultKind::OpenBao => "bao login",
    }
}

fn unauthenticated(config: &VaultConfig, setting: &'static str) -> StoreError {
    let path = format!("{}.{setting}", config.kind().name());
    StoreError::new(StoreErrorKind::Unauthenticated, "log in", path).with_setting(setting)
}

#[cfg(test)]
mod tests;
