//! The backend type `aws_secrets_manager`.

use std::sync::Arc;

use super::credential::AwsCredential;
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
    Field::text(
        "access_key_id",
        "Access key ID of a static credential. Requires `secret_access_key_wo`.",
    ),
    Field::credential(
        "secret_access_key_wo",
        "secret_access_key",
        "Secret access key of a static credential. Without it, the provider uses AWS's default \
         credential chain.",
    ),
    Field::credential(
        "session_token_wo",
        "session_token",
        "Session token of temporary credentials.",
    ),
    Field::text(
        "assume_role_arn",
        "ARN of an IAM role to assume with the static or ambient credentials.",
    )
    .example("arn:aws:iam::123456789012:role/example"),
    Field::text(
        "external_id",
        "External ID to assume the role with. Requires `assume_role_arn`.",
    ),
    Field::text(
        "profile",
        "Name of a profile in AWS's shared config and credentials files.",
    ),
    Field::text(
        "endpoint",
        "URL of a private endpoint or of an emulator, to use instead of the Region's public \
         endpoint.",
    )
    .example("https://example.invalid"),
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
