//! An access key and a KMS key of one test.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use planton_core::kek::{
    KekError, KekSettings, KeyDescription, KeyEncryptionKey, WrapContext, WrapNames,
};
use planton_core::store::StoreCredential;
use planton_envelope::{DataKey, KekId, WrapBinding, WrappedKey};
use planton_vendors::aws::{AwsKmsConfig, AwsKmsKek};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use xtask::moto::{Moto, NewKmsKey};

use crate::support::{hasty, shared};

/// A KMS key, and an access key that may use every key.
pub(crate) struct Place {
    pub(crate) moto: Arc<Moto>,
    pub(crate) key_id: String,
    pub(crate) secret_key: String,
    /// The key's ARN.
    pub(crate) arn: String,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(&NewKmsKey::default()).await
    }

    pub(crate) async fn with(key: &NewKmsKey<'_>) -> Self {
        let moto = shared().await;
        let mut unique = Uuid::new_v4().simple().to_string();
        unique.truncate(12);
        let key_id = format!("AKIA{}", unique.to_uppercase());
        let secret_key = format!("secret-{unique}/+=key");
        moto.allow_key(&key_id, &secret_key, None).unwrap();
        let arn = moto.create_kms_key(key).unwrap();
        Self {
            moto,
            key_id,
            secret_key,
            arn,
        }
    }

    /// Returns the settings of the key by its ARN, with further ones.
    pub(crate) fn settings(&self, more: Value) -> KekSettings {
        let mut configuration: BTreeMap<String, Value> = serde_json::from_value(json!({
            "key_id": self.arn,
            "access_key_id": self.key_id,
            "endpoint": self.moto.address(),
        }))
        .unwrap();
        let more: BTreeMap<String, Value> = serde_json::from_value(more).unwrap();
        configuration.extend(more);
        configuration.retain(|_, value| !value.is_null());
        KekSettings {
            kind: "aws_kms".to_owned(),
            configuration,
        }
    }

    pub(crate) fn credential(&self) -> StoreCredential {
        let secret = self.secret_key.as_str().into();
        [("secret_access_key".to_owned(), secret)].into()
    }

    pub(crate) async fn resolve(
        &self,
        more: Value,
    ) -> Result<(AwsKmsKek, KeyDescription), KekError> {
        let config = AwsKmsConfig::from_settings(&self.settings(more))?;
        let credential = config.credential(&self.credential())?;
        AwsKmsKek::resolve(&config, credential, hasty()).await
    }

    pub(crate) async fn refusal(&self, more: Value) -> KekError {
        self.resolve(more).await.map(drop).unwrap_err()
    }

    /// Opens the key by its identifier, which sends nothing.
    pub(crate) fn kek(&self) -> AwsKmsKek {
        self.open(json!({}), &self.arn)
    }

    pub(crate) fn open(&self, more: Value, id: &str) -> AwsKmsKek {
        let id = KekId {
            provider: "aws_kms".to_owned(),
            id: id.to_owned(),
        };
        let config = AwsKmsConfig::from_settings(&self.settings(more)).unwrap();
        let credential = config.credential(&self.credential()).unwrap();
        let kek = AwsKmsKek::open(&config, credential, &id, hasty()).unwrap();
        assert_eq!((kek.id(), kek.requests()), (&id, 0));
        kek
    }

    /// Returns all requests that name the key by this ARN, without the access key.
    pub(crate) fn requests(&self, arn: &str) -> Vec<String> {
        let lines = self.moto.requests(arn).unwrap().into_iter();
        let parts = lines.map(|line| {
            let parts: Vec<_> = line.split(' ').collect();
            format!("{} {}", parts[0], parts[2])
        });
        parts.collect()
    }
}

/// A data key and what it belongs to.
pub(crate) struct Sealed {
    pub(crate) dek: DataKey,
    pub(crate) names: WrapNames,
    pub(crate) binding: WrapBinding,
}

impl Sealed {
    /// Draws the data key of a secret.
    pub(crate) fn new(kek: &impl KeyEncryptionKey, organization: &str, name: &str) -> Self {
        let organization = organization.parse().unwrap();
        Self {
            dek: DataKey::generate().unwrap(),
            names: WrapNames::secret(&organization, &name.parse().unwrap()),
            binding: WrapBinding::for_probe(Uuid::new_v4(), kek.id()),
        }
    }

    pub(crate) fn context(&self) -> WrapContext<'_> {
        self.names.bound(self.binding)
    }

    pub(crate) async fn wrap(&self, kek: &AwsKmsKek) -> Result<WrappedKey, KekError> {
        kek.wrap(&self.dek, self.context()).await
    }

    /// Expects that `wrapped` opens to the data key, with one request.
    pub(crate) async fn expect_opens(&self, kek: &AwsKmsKek, wrapped: &WrappedKey) {
        let before = kek.requests();
        let opened = kek.unwrap(wrapped, self.context()).await.unwrap();
        assert!(bool::from(opened.ct_eq(&self.dek)));
        assert_eq!(kek.requests() - before, 1);
    }
}

/// Returns every text of an error that a user or a log can see.
pub(crate) fn shown(error: &KekError) -> String {
    let mut text = format!("{error} {error:?} {}", error.remedy().unwrap_or_default());
    let mut source = error.source();
    while let Some(beneath) = source {
        text = format!("{text} {beneath} {beneath:?}");
        source = beneath.source();
    }
    text
}
