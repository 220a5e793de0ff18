//! The backend type `aws_secrets_manager`.

use std::sync::Arc;

use super::credential::AwsCredential;
use super::fields::{
    ACCESS_KEY_ID, ASSUME_ROLE_ARN, ENDPOINT, EXTERNAL_ID, PROFILE, SECRET_ACCESS_KEY,
    SESSION_TOKEN,
};
use super::settings::AwsConfig;
use super::store::AwsSecretsManagerStore;
use crate::registration::{BackendType, Field, never_exposed};

pub(crate) static REGISTRATION: BackendType = BackendType {
    description: "AWS Secrets Manager.",
    fields: &FIELDS,
    address: "endpoint",
    capability: AwsSecretsManagerStore::capability_of(),
    is_exposed: never_exposed,
    check: |settings| AwsConfig::from_settings(settings).map(drop),
    open: |settings, credential, http| {
        let config = AwsConfig::from_settings(settings)?;
        let credential = AwsCredential::from_parts(&config, credential)?;
        let store = AwsSecretsManagerStore::new(config, credential, http)?;
        Ok(Arc::new(store))
    },
};

const FIELDS: [Field; 10] = [
    Field::text(
        "region",
        "AWS Region of the secrets, such as `eu-central-1`. Without it, the Region of the \
         environment or of the profile.",
    )
    .example("eu-central-1")
    .replaces(),
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    ASSUME_ROLE_ARN,
    EXTERNAL_ID,
    PROFILE,
    ENDPOINT,
    Field::text(
        "at_rest_kms_key_id",
        "KMS key with which AWS encrypts the stored ciphertext: a key ID, an alias or an ARN. \
         Without it, `aws/secretsmanager`.",
    ),
    Field::number(
        "recovery_window_days",
        "Number of days for which AWS retains a deleted secret: 7 to 30, or 0 to delete it at \
         once.",
    )
    .default("30"),
];
