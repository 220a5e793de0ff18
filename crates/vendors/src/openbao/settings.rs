//! The settings of a backend on OpenBAO or HashiCorp Vault, parsed once.

use super::connection::{Connection, ConnectionBlock, ConnectionProblem, Login};
use super::credential::LoginSettings;
use super::kind::VaultKind;
use crate::openbao::client::{MountPath, OpenBaoAuth, OpenBaoConfig, UnreadableFile};
use planton_core::store::{StoreError, StoreSettings};

/// A backend on OpenBAO or HashiCorp Vault. It contains no credential.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    kind: VaultKind,
    name_prefix: String,
    connection: Connection,
}

impl VaultConfig {
    /// Parses the settings of the types `hashicorp_vault` and `openbao`. No I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, at the setting to edit. No message repeats a value, which may be a
    /// credential in the wrong setting.
    pub fn from_settings(settings: &StoreSettings) -> Result<Self, StoreError> {
        let Some(kind) = VaultKind::parse(&settings.kind) else {
            return Err(StoreError::unusable_setting(
                "kind",
                "This type of secret backend does not have Vault's API.",
            ));
        };
        let prefix = MountPath::parse(&settings.name_prefix).map_err(|_| {
            StoreError::unusable_setting(
                "name_prefix",
                "name_prefix must be one or more segments of letters, digits, _ . and -, joined \
                 by /.",
            )
        })?;
        let connection = Connection::read(ConnectionBlock::Backend(kind), settings)
            .map_err(|problem| unusable(kind, problem))?;
        Ok(Self {
            kind,
            name_prefix: prefix.as_str().to_owned(),
            connection,
        })
    }

    /// Returns the type of the backend.
    pub(super) fn kind(&self) -> VaultKind {
        self.kind
    }

    /// Returns the namespace; `None` for the root.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.connection.namespace()
    }

    /// Returns the mount path of KV version 2.
    pub(super) fn kv_mount_path(&self) -> &MountPath {
        self.connection.kv_mount_path()
    }

    /// Returns the first part of every object's name.
    pub(super) fn name_prefix(&self) -> &str {
        &self.name_prefix
    }

    /// Reads the files of the settings and returns the configuration of a client.
    pub(super) fn client_config(&self, auth: OpenBaoAuth) -> Result<OpenBaoConfig, StoreError> {
        self.connection
            .config(auth, Some(self.kind.into()))
            .map_err(|error| self.unreadable(&error))
    }

    /// Describes what keeps `setting` from being used.
    pub(super) fn misconfigured(&self, setting: &str, remedy: impl Into<String>) -> StoreError {
        StoreError::unusable_setting(at(self.kind, setting), remedy)
    }

    fn unreadable(&self, error: &UnreadableFile) -> StoreError {
        let what = error.to_string();
        let remedy = format!("T{}. {}", &what[1..], error.remedy());
        self.misconfigured(error.setting(), remedy)
    }
}

impl LoginSettings for VaultConfig {
    fn kind(&self) -> VaultKind {
        self.kind
    }

    fn login(&self) -> Option<&Login> {
        self.connection.login()
    }

    fn at(&self, setting: &str) -> String {
        at(self.kind, setting)
    }
}

fn unusable(kind: VaultKind, problem: ConnectionProblem) -> StoreError {
    let error = StoreError::unusable_setting(at(kind, &problem.setting), problem.message);
    match problem.source {
        Some(source) => error.with_source(source),
        None => error,
    }
}

fn at(kind: VaultKind, setting: &str) -> String {
    format!("{}.{setting}", kind.name())
}

#[cfg(test)]
mod tests;
