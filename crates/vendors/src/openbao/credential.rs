//! The credential of a backend: the given one, the file of a login, or the credential that
//! the vendor's command-line client would use.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::connection::Login;
use super::kind::VaultKind;
use crate::openbao::client::{JwtSource, OpenBaoAuth, OpenBaoError};
use planton_core::store::{StoreCredential, StoreError, StoreErrorKind};
use planton_secret::SecretString;

/// File, in the home directory, with the token of an interactive login, for both vendors:
/// <https://openbao.org/docs/commands/token-helper>,
/// <https://developer.hashicorp.com/vault/docs/commands/token-helper>.
const TOKEN_FILE: &str = ".vault-token";

/// The environment variables of the ambient chains. A backend on OpenBAO reads none of
/// Vault's variables, although `bao` does: they contain the token of another server.
/// <https://openbao.org/docs/commands/>
const VARIABLES: [&str; 4] = ["VAULT_TOKEN", "BAO_TOKEN", "BAO_TOKEN_PATH", "HOME"];

/// The settings that a credential must fit.
pub(super) trait LoginSettings: Sync {
    /// Returns the vendor whose ambient chain applies.
    fn kind(&self) -> VaultKind;

    /// Returns the configured login, without its credential.
    fn login(&self) -> Option<&Login>;

    /// Returns the path of a setting in errors.
    fn at(&self, setting: &str) -> String;

    /// Describes what keeps `setting` from being used.
    fn misconfigured(&self, setting: &str, remedy: String) -> StoreError {
        StoreError::unusable_setting(self.at(setting), remedy)
    }
}

/// The tokens in this process's environment. Addresses always come from the configuration.
#[derive(Clone, Default)]
pub struct AmbientTokens(BTreeMap<&'static str, OsString>);

/// A credential, and the remedy once it has expired.
#[derive(Debug)]
pub(super) enum Credential {
    /// Given by the configuration, or in a file that a login names.
    Configured {
        auth: OpenBaoAuth,
        renewal: &'static str,
    },
    /// To be searched in the environment.
    Ambient(AmbientTokens),
}

/// A credential that is ready for use, and the remedy once it has expired.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) auth: OpenBaoAuth,
    pub(super) renewal: String,
}

impl AmbientTokens {
    /// Reads the environment variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    /// Reads environment variables with `lookup`. An empty variable counts as absent.
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
    /// Joins the login of the settings with its credential. No I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for parts of different logins, `Unauthenticated` for a missing part.
    pub(super) fn parse(
        config: &dyn LoginSettings,
        credential: &StoreCredential,
        ambient: AmbientTokens,
    ) -> Result<Self, StoreError> {
        let given = Given { config, credential };
        let Some(login) = config.login() else {
            if credential.is_empty() {
                return Ok(Self::Ambient(ambient));
            }
            given.only("token", "token_wo")?;
            return Ok(Self::Configured {
                auth: OpenBaoAuth::Token(given.required("token", "token_wo")?),
                renewal: "Set a new token_wo, and change credentials_wo_version.",
            });
        };
        let (secret, renewal) = given.secret_of(login)?;
        let auth = login.with_secret(secret);
        Ok(Self::Configured {
            auth: auth.expect("every login that needs a credential has required it"),
            renewal,
        })
    }

    /// Finds an ambient credential in the order of the vendor's command-line client: the
    /// environment variable, then the file of an interactive login.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` if there is none.
    pub(super) fn find(&self, config: &dyn LoginSettings) -> Result<Found, StoreError> {
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
                renewal: format!(
                    "The token comes from the environment variable {variable}. Renew it there."
                ),
            });
        }
        let login = login_command(kind);
        let file = ambient.token_file(kind);
        match file.filter(|file| file.exists()) {
            Some(file) => Ok(Found {
                renewal: format!(
                    "The token comes from the file {file:?}. Check the file's mode, and log in again \
                     with `{login}`."
                ),
                auth: OpenBaoAuth::TokenFile(file),
            }),
            None => Err(unauthenticated(config, "token_wo").with_remedy(format!(
                "No credential is configured, and the environment contains none. Set token_wo, \
                 approle, jwt or kubernetes, or set the environment variable {variable}, or log \
                 in with `{login}`."
            ))),
        }
    }
}

impl Found {
    /// Returns the setting with the credential.
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

    /// Returns the setting with the mount path of the auth method.
    pub(super) fn login_setting(&self) -> &'static str {
        match &self.auth {
            OpenBaoAuth::AppRole { .. } => "approle.mount_path",
            OpenBaoAuth::Jwt { .. } => "jwt.mount_path",
            OpenBaoAuth::Kubernetes { .. } => "kubernetes.mount_path",
            _ => "address",
        }
    }

    /// Adds the remedy for this credential to a failed authentication.
    pub(super) fn explain(&self, error: OpenBaoError) -> OpenBaoError {
        let known = error.remedy().unwrap_or_default();
        let remedy = match &self.auth {
            // The client's remedy names a setting, and no setting names this file.
            OpenBaoAuth::TokenFile(_) => self.renewal.clone(),
            OpenBaoAuth::Token(_) => format!("{known} {}", self.renewal),
            _ if error.operation() == "login" => format!("{known} {}", self.renewal),
            _ => return error,
        };
        error.with_remedy(remedy)
    }
}

/// A credential, with the settings of the login that it must fit.
struct Given<'a> {
    config: &'a dyn LoginSettings,
    credential: &'a StoreCredential,
}

impl Given<'_> {
    /// Returns the credential of `login`, if it takes one, and how to renew it.
    fn secret_of(&self, login: &Login) -> Result<(Option<SecretString>, &'static str), StoreError> {
        Ok(match login {
            Login::AppRole { .. } => {
                self.only("secret_id", "approle")?;
                let secret = self.required("secret_id", "approle.secret_id_wo")?;
                (
                    Some(secret),
                    "Check approle.role_id. Set a new approle.secret_id_wo, and change \
                     credentials_wo_version.",
                )
            }
            Login::Jwt { token_file, .. } => {
                self.only("jwt", "jwt")?;
                match (token_file, self.credential.contains_key("jwt")) {
                    (Some(_), true) => {
                        return Err(self.config.misconfigured(
                            "jwt.token_file",
                            "Set at most one of jwt.jwt_wo and jwt.token_file.".to_owned(),
                        ));
                    }
                    (Some(_), false) => (
                        None,
                        "Check jwt.role, and the token in the file that jwt.token_file names.",
                    ),
                    (None, _) => (
                        Some(self.required("jwt", "jwt.jwt_wo")?),
                        "Check jwt.role. Set a new jwt.jwt_wo and change credentials_wo_version, \
                         or set jwt.token_file.",
                    ),
                }
            }
            Login::Kubernetes { .. } => {
                self.only("", "kubernetes")?;
                (
                    None,
                    "Check kubernetes.role, and the token in the file that kubernetes.token_file \
                     names.",
                )
            }
            Login::TokenFile(_) => {
                self.only("", "token_file")?;
                (None, "Check the token in the file that token_file names.")
            }
        })
    }

    /// Rejects the credential of another login.
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
                "approle.secret_id_wo requires approle.role_id.".to_owned(),
            )),
            Some("jwt") => Err(self
                .config
                .misconfigured("jwt.jwt_wo", "jwt.jwt_wo requires jwt.role.".to_owned())),
            // The name is not repeated: it may be anything.
            Some(_) => Err(self.config.misconfigured(
                "credentials_wo_version",
                "The credential has a part that this type does not support.".to_owned(),
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
                    "Set {setting} to a non-empty value, and change credentials_wo_version."
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

fn unauthenticated(config: &dyn LoginSettings, setting: &'static str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unauthenticated,
        "log in",
        config.at(setting),
    )
    .with_setting(setting)
}

#[cfg(test)]
mod tests;
