//! The settings of a customer's Transit key, parsed once.

use planton_core::kek::{KekError, KekErrorKind, KekSettings};
use planton_envelope::KekId;

use super::NAME;
use crate::openbao::client::{OpenBaoAddress, OpenBaoAuth, OpenBaoConfig, UnreadableFile};
use crate::openbao::connection::{Connection, ConnectionBlock, Login};
use crate::openbao::credential::LoginSettings;
use crate::openbao::kind::VaultKind;

/// The longest identifier of a key in an envelope.
const MAX_ID_BYTES: usize = 512;

/// A customer's key. It contains no credential.
#[derive(Clone, Debug)]
pub(super) struct TransitKeyConfig {
    connection: Connection,
    pub(super) key_name: String,
}

impl TransitKeyConfig {
    /// Parses the settings. No I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, at the setting to edit. No message repeats a value, which may be a
    /// credential in the wrong setting.
    pub(super) fn from_settings(settings: &KekSettings) -> Result<Self, KekError> {
        let connection = Connection::read(ConnectionBlock::Key, settings).map_err(|problem| {
            let error = unusable(&problem.setting, problem.message);
            match problem.source {
                Some(source) => error.with_source(source),
                None => error,
            }
        })?;
        let address = settings.text("address").unwrap_or_default();
        if OpenBaoAddress::parse(address).is_ok_and(|address| address.is_exposed()) {
            return Err(unusable(
                "address",
                "The connection has no TLS. It would carry the data keys in plaintext, and whoever \
                 reads the traffic could open the secrets. Use an https address.",
            ));
        }
        // The connection's validation requires it.
        let key_name = settings.text("key_name").unwrap_or_default().to_owned();
        Ok(Self {
            connection,
            key_name,
        })
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.connection.namespace()
    }

    /// Reads the files of the settings and returns the configuration of a client.
    pub(super) fn client_config(&self, auth: OpenBaoAuth) -> Result<OpenBaoConfig, KekError> {
        // The type does not tell the vendor.
        let config = self.connection.config(auth, None);
        config.map_err(|error| unreadable(&error))
    }

    /// Returns the permanent identifier of the key on a cluster. No part contains a colon.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if it is too long for an envelope.
    //= docs/format.md#29-customers-transit-kek
    //# A writer MUST write `vault_transit` as `provider`, and as `kek_id` the cluster's UUID in
    //# lower case, the namespace, the engine's mount and the key's name, joined by `:`.
    pub(super) fn id_on(&self, cluster: &str) -> Result<KekId, KekError> {
        let namespace = self.namespace().unwrap_or_default();
        let mount = self.connection.transit_mount_path();
        let id = format!("{cluster}:{namespace}:{mount}:{}", self.key_name);
        if id.len() > MAX_ID_BYTES {
            return Err(unusable(
                "key_name",
                "namespace, mount_path and key_name together are too long for an envelope, which \
                 holds 470 bytes of them.",
            ));
        }
        Ok(KekId {
            provider: NAME.to_owned(),
            id,
        })
    }
}

impl LoginSettings for TransitKeyConfig {
    /// Returns the chain that the command-line clients of both vendors share.
    fn kind(&self) -> VaultKind {
        VaultKind::HashiCorpVault
    }

    fn login(&self) -> Option<&Login> {
        self.connection.login()
    }

    fn at(&self, setting: &str) -> String {
        setting.to_owned()
    }
}

pub(super) fn unusable(setting: &str, remedy: impl Into<String>) -> KekError {
    KekError::new(KekErrorKind::Misconfigured, "configure", setting).with_remedy(remedy)
}

fn unreadable(error: &UnreadableFile) -> KekError {
    let what = error.to_string();
    unusable(
        error.setting(),
        format!("T{}. {}", &what[1..], error.remedy()),
    )
}
