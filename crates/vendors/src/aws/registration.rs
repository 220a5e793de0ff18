//! The type `aws_secrets_manager`.

use std::sync::Arc;

use super::credential::AwsCredential;
use super::settings::AwsConfig;
use super::store::AwsSecretsManagerStore;
use crate::registration::{BackendType, Field, never_exposed};

pub(crate) static REGISTRATION: BackendType = BackendType {
    description: "AWS Secrets Manager. Exactly one of these blocks.",
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
        "The region. Without it, the one that the environment or the profile names. A change \
         replaces the backend.",
    )
    .example("eu-central-1")
    .replaces(),
    Field::text(
        "access_key_id",
        "The access key; goes with `secret_access_key_wo`.",
    ),
    Field::credential(
        "secret_access_key_wo",
        "secret_access_key",
        "The secret access key. Without it, AWS's default credential chain serves.",
    ),
    Field::credential(
        "session_token_wo",
        "session_token",
        "The session token of temporary credentials.",
    ),
    Field::text(
        "assume_role_arn",
        "A role to assume, from whichever credentials.",
    )
    .example("arn:aws:iam::123456789012:role/example"),
    Field::text("external_id", "The external id to assume it with."),
    Field::text("profile", "A profile of the shared files."),
    Field::text(
        "endpoint",
        "Another endpoint: a private one, or an emulator's.",
    )
    .example("https://example.invalid"),
    Field::text(
        "at_rest_kms_key_id",
        "The KMS key under which AWS stores what it is given, which is sealed already.",
    ),
    Field::number(
        "recovery_window_days",
        "How long AWS keeps a deleted secret: 7 to 30 days, or 0 for not at all. Default: \
             AWS's own, 30.",
    ),
];
