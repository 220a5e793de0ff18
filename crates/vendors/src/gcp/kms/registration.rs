//! The key type `gcp_kms`.

use std::sync::Arc;

use async_trait::async_trait;

use super::key_name::{is_key_name, may_be_same};
use super::{GCP_KMS, GcpKmsKek};
use crate::gcp::client::GcpCredential;
use crate::gcp::connection::GcpConnection;
use crate::gcp::credential::read_credential;
use crate::gcp::registration::{ENDPOINT, IMPERSONATE_SERVICE_ACCOUNT, SERVICE_ACCOUNT_KEY};
use crate::http::HttpSettings;
use crate::registration::{Field, KeyType, KeyUsage, MacKeyGuard, OpenKek, of_setting};
use planton_core::kek::{KekError, KekErrorKind, KekSettings, KeyEncryptionKey, ResolvedKek};
use planton_core::store::{StoreCredential, StoreError};
use planton_envelope::KekId;

const TITLE: &str = "GCP KMS";

pub(crate) static KEY: KeyType = KeyType {
    name: GCP_KMS,
    title: TITLE,
    description: "Symmetric key in Google Cloud KMS.",
    fields: &FIELDS,
    usage: KeyUsage::Any,
    mac_key: MacKeyGuard::SecondKey("key_name"),
    opener: &Opener,
};

const FIELDS: [Field; 4] = [
    Field::text(
        "key_name",
        "Resource name of the key, without a version: \
         `projects/<project>/locations/<location>/keyRings/<key ring>/cryptoKeys/<key>`.",
    )
    .example("projects/example/locations/global/keyRings/example/cryptoKeys/example")
    .required(),
    SERVICE_ACCOUNT_KEY,
    IMPERSONATE_SERVICE_ACCOUNT,
    ENDPOINT,
];

#[derive(Debug)]
struct Opener;

/// The parsed settings of a key.
struct GcpKmsConfig {
    key_name: String,
    connection: GcpConnection,
}

impl GcpKmsConfig {
    fn read(settings: &KekSettings) -> Result<Self, StoreError> {
        let key_name = settings.text("key_name").unwrap_or_default();
        if !is_key_name(key_name) {
            let remedy = "key_name must be the resource name of a key, without a version: \
                          projects/<project>/locations/<location>/keyRings/<key \
                          ring>/cryptoKeys/<key>.";
            return Err(StoreError::unusable_setting("key_name", remedy));
        }
        Ok(Self {
            key_name: key_name.to_owned(),
            connection: GcpConnection::read(&settings.configuration)?,
        })
    }

    fn kek(
        &self,
        name: &str,
        credential: GcpCredential,
        http: HttpSettings,
    ) -> Result<GcpKmsKek, StoreError> {
        let client = self.connection.client("cloudkms", TITLE, credential, http);
        Ok(GcpKmsKek::new(client?, name))
    }
}

fn open(
    settings: &KekSettings,
    credential: &StoreCredential,
    id: Option<&KekId>,
    http: HttpSettings,
) -> Result<GcpKmsKek, KekError> {
    let config = GcpKmsConfig::read(settings).map_err(misconfigured_key)?;
    let credential = read_credential(credential);
    let credential =
        credential.map_err(|error| of_setting(KekErrorKind::Unauthenticated, error))?;
    let name = id.map_or(&config.key_name, |id| &id.id);
    // The settings say where the credential may be sent, and a pinned identifier must not
    // vouch for another key's settings.
    let is_named = |id: &KekId| {
        id.provider == GCP_KMS && is_key_name(&id.id) && may_be_same(&config.key_name, &id.id)
    };
    if id.is_some_and(|id| !is_named(id)) {
        return Err(KekError::new(KekErrorKind::Misconfigured, "open", name));
    }
    let kek = config.kek(name, credential, http);
    let kek = kek.map_err(misconfigured_key)?;
    Ok(kek.named_in_settings(&config.key_name))
}

fn misconfigured_key(error: StoreError) -> KekError {
    of_setting(KekErrorKind::Misconfigured, error)
}

#[async_trait]
impl OpenKek for Opener {
    fn check(
        &self,
        settings: &KekSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), KekError> {
        match credential {
            // Opening does no I/O either.
            Some(credential) => open(settings, credential, None, HttpSettings::default()).map(drop),
            None => GcpKmsConfig::read(settings)
                .map(drop)
                .map_err(misconfigured_key),
        }
    }

    fn names(&self, settings: &KekSettings, id: &KekId) -> bool {
        settings.text("key_name") == Some(id.id.as_str())
    }

    async fn resolve(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        http: HttpSettings,
    ) -> Result<ResolvedKek, KekError> {
        let mut kek = open(settings, credential, None, http)?;
        let description = kek.resolve().await?;
        Ok(ResolvedKek {
            id: kek.id().clone(),
            description,
            kek: Arc::new(kek),
        })
    }

    fn open(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
        http: HttpSettings,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError> {
        Ok(Arc::new(open(settings, credential, Some(id), http)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "projects/acme/locations/global/keyRings/planton/cryptoKeys/secrets";

    #[test]
    fn settings_open_no_other_key_than_their_own() {
        let settings = KekSettings {
            kind: GCP_KMS.to_owned(),
            configuration: [("key_name".to_owned(), KEY.into())].into(),
        };
        let opened = |provider: &str, name: &str| {
            let id = KekId {
                provider: provider.to_owned(),
                id: name.to_owned(),
            };
            let none = StoreCredential::new();
            let opened = Opener.open(&settings, &none, &id, HttpSettings::default());
            opened.map(drop).map_err(|error| error.kind())
        };
        assert_eq!(opened(GCP_KMS, KEY), Ok(()));
        assert_eq!(opened(GCP_KMS, &KEY.replace("acme", "1234")), Ok(()));
        for (provider, name) in [
            (GCP_KMS, KEY.replace("acme", "other")),
            (GCP_KMS, KEY.replace("secrets", "other")),
            ("aws_kms", KEY.to_owned()),
        ] {
            let refused = opened(provider, &name);
            assert_eq!(refused, Err(KekErrorKind::Misconfigured), "{name}");
        }
    }
}
