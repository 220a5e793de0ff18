//! The key type `vault_transit`: a customer's own key in Transit, on OpenBAO or HashiCorp
//! Vault.

mod kek;
mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use planton_core::kek::{KekError, KekErrorKind, KekSettings, KeyEncryptionKey, ResolvedKek};
use planton_core::store::StoreCredential;
use planton_envelope::KekId;

use super::connection::TRANSIT_KEY_FIELDS;
use super::credential::{AmbientTokens, Credential};
use super::errors::credential_error;
use crate::http::HttpSettings;
use crate::registration::{KeyType, KeyUsage, MacKeyGuard, OpenKek};
use kek::CustomersKek;
use settings::TransitKeyConfig;

/// The name of the type, and of its keys in an envelope.
pub(super) const NAME: &str = "vault_transit";

pub(crate) static VAULT_TRANSIT: KeyType = KeyType {
    name: NAME,
    title: "Transit",
    description: "Key in the Transit secrets engine of your own OpenBAO or HashiCorp Vault. \
                  Without a login, the token comes from the environment variable `VAULT_TOKEN`, \
                  else from the file `~/.vault-token` of `vault login`.",
    fields: &TRANSIT_KEY_FIELDS,
    usage: KeyUsage::Any,
    mac_key: MacKeyGuard::SecondKey("key_name"),
    opener: &Opener,
};

#[derive(Debug)]
struct Opener;

#[async_trait]
impl OpenKek for Opener {
    fn check(
        &self,
        settings: &KekSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), KekError> {
        let config = TransitKeyConfig::from_settings(settings)?;
        match credential {
            Some(credential) => parse_credential(&config, credential).map(drop),
            None => Ok(()),
        }
    }

    /// Returns true for the key of this name on any cluster: the key compares the server's
    /// cluster before its first use.
    fn names(&self, settings: &KekSettings, id: &KekId) -> bool {
        let cluster = id.id.split(':').next().unwrap_or_default();
        let config = TransitKeyConfig::from_settings(settings);
        config.is_ok_and(|config| config.id_on(cluster).is_ok_and(|named| named == *id))
    }

    async fn resolve(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        http: HttpSettings,
    ) -> Result<ResolvedKek, KekError> {
        let config = TransitKeyConfig::from_settings(settings)?;
        let credential = parse_credential(&config, credential)?;
        let kek = CustomersKek::resolve(config, credential, http).await?;
        Ok(ResolvedKek {
            id: kek.id().clone(),
            description: kek.describe().await?,
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
        let config = TransitKeyConfig::from_settings(settings)?;
        let credential = parse_credential(&config, credential)?;
        // The settings say where the credential may be sent, and which key is asked.
        if !self.names(settings, id) {
            return Err(
                KekError::new(KekErrorKind::Misconfigured, "open", id.id.as_str()).with_remedy(
                    "The settings name another Transit key: compare namespace, mount_path and \
                     key_name with the identifier.",
                ),
            );
        }
        Ok(Arc::new(CustomersKek::open(config, credential, http, id)))
    }
}

fn parse_credential(
    config: &TransitKeyConfig,
    credential: &StoreCredential,
) -> Result<Credential, KekError> {
    let parsed = Credential::parse(config, credential, AmbientTokens::of_process());
    parsed.map_err(|error| credential_error(&error))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn open_refuses_a_key_that_the_settings_do_not_name() {
        let settings = KekSettings {
            kind: NAME.to_owned(),
            configuration: [
                ("address".to_owned(), "https://vault.example".into()),
                ("key_name".to_owned(), "main".into()),
            ]
            .into(),
        };
        let cluster = "0a1b2c3d-0000-4000-8000-000000000000";
        let open = |provider: &str, id: String| {
            let provider = provider.to_owned();
            let id = KekId { provider, id };
            let http = HttpSettings::default();
            Opener.open(&settings, &StoreCredential::new(), &id, http)
        };
        open(NAME, format!("{cluster}::transit:main")).unwrap();
        for (provider, rest) in [
            (NAME, "::transit:other"),
            (NAME, "::elsewhere:main"),
            (NAME, ":team:transit:main"),
            ("aws_kms", "::transit:main"),
        ] {
            let refused = open(provider, format!("{cluster}{rest}")).unwrap_err();
            assert_eq!(refused.kind(), KekErrorKind::Misconfigured, "{rest}");
        }
    }
}
