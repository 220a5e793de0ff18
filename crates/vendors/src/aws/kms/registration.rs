//! The key type `aws_kms`.

use std::sync::Arc;

use async_trait::async_trait;
use planton_core::kek::{KekError, KekSettings, KeyEncryptionKey, ResolvedKek};
use planton_core::store::StoreCredential;
use planton_envelope::KekId;

use super::key::PROVIDER;
use super::{AwsKmsConfig, AwsKmsKek};
use crate::aws::fields::{
    ACCESS_KEY_ID, ASSUME_ROLE_ARN, ENDPOINT, EXTERNAL_ID, PROFILE, SECRET_ACCESS_KEY,
    SESSION_TOKEN,
};
use crate::http::HttpSettings;
use crate::registration::{Field, KeyType, KeyUsage, MacKeyGuard, OpenKek};

pub(crate) static KEY_TYPE: KeyType = KeyType {
    name: PROVIDER,
    title: "AWS KMS",
    description: "A symmetric encryption key in AWS KMS.",
    fields: &FIELDS,
    usage: KeyUsage::Any,
    // A key policy may deny the purpose `mac-key` in the encryption context. Without that
    // statement, Encrypt, GenerateDataKey and ReEncryptTo all make a wrap of a MAC key, and a
    // usual "key user" has all three:
    // https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    mac_key: MacKeyGuard::Nothing,
    opener: &Opener,
};

const FIELDS: [Field; 10] = [
    Field::text(
        "key_id",
        "Customer managed key: a key ID, an alias as `alias/name`, or the ARN of either. An alias \
         is resolved when the key is saved.",
    )
    .required()
    .example("alias/example"),
    Field::text(
        "region",
        "AWS Region of the key, such as `eu-central-1`. Without it, the Region of the key's ARN, \
         of the environment or of the profile.",
    )
    .example("eu-central-1"),
    Field::texts(
        "regions",
        "Further AWS Regions with a replica of a multi-Region key. They are used in alphabetical \
         order while the preceding Region is unreachable.",
    ),
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    ASSUME_ROLE_ARN,
    EXTERNAL_ID,
    PROFILE,
    ENDPOINT,
];

#[derive(Debug)]
struct Opener;

#[async_trait]
impl OpenKek for Opener {
    fn check(
        &self,
        settings: &KekSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), KekError> {
        let config = AwsKmsConfig::from_settings(settings)?;
        let checked = credential.map(|parts| config.credential(parts));
        checked.transpose().map(drop)
    }

    /// Returns true for an ARN, which is the identifier itself.
    fn names(&self, settings: &KekSettings, id: &KekId) -> bool {
        settings.text("key_id") == Some(id.id.as_str())
    }

    async fn resolve(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        http: HttpSettings,
    ) -> Result<ResolvedKek, KekError> {
        let config = AwsKmsConfig::from_settings(settings)?;
        let credential = config.credential(credential)?;
        let (kek, description) = AwsKmsKek::resolve(&config, credential, http).await?;
        Ok(ResolvedKek {
            id: kek.id().clone(),
            description,
            kek: Arc::new(kek),
        })
    }

    fn may_move(&self, settings: &KekSettings) -> bool {
        AwsKmsConfig::from_settings(settings).is_ok_and(|config| config.may_move())
    }

    async fn is_still(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
        http: HttpSettings,
    ) -> Result<bool, KekError> {
        let config = AwsKmsConfig::from_settings(settings)?;
        let credential = config.credential(credential)?;
        AwsKmsKek::is_still(&config, credential, id, http).await
    }

    fn open(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
        http: HttpSettings,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError> {
        let config = AwsKmsConfig::from_settings(settings)?;
        let credential = config.credential(credential)?;
        let kek = AwsKmsKek::open(&config, credential, id, http)?;
        Ok(Arc::new(kek))
    }
}
