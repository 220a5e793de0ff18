//! The type `gcp_secret_manager`.

use std::sync::Arc;

use super::credential::read_credential;
use super::settings::GcpConfig;
use super::store::GcpSecretManagerStore;
use crate::registration::{BackendType, Field, never_exposed};

pub(crate) static REGISTRATION: BackendType = BackendType {
    description: "GCP Secret Manager.",
    fields: &FIELDS,
    address: "endpoint",
    capability: GcpSecretManagerStore::capability_of(),
    is_exposed: never_exposed,
    check: |settings| GcpConfig::from_settings(settings).map(drop),
    open: |settings, credential, http| {
        let config = GcpConfig::from_settings(settings)?;
        let credential = read_credential(credential)?;
        let store = GcpSecretManagerStore::new(config, credential, http)?;
        Ok(Arc::new(store))
    },
};

const FIELDS: [Field; 5] = [
    Field::text("project_id", "The project. A change replaces the backend.")
        .required()
        .replaces(),
    Field::credential(
        "service_account_key_json_wo",
        "service_account_key_json",
        "A service account's key, as JSON. Without it, Application Default Credentials serve.",
    ),
    Field::text(
        "impersonate_service_account",
        "A service account to impersonate, by its e-mail address.",
    )
    .example("example@example.iam.gserviceaccount.com"),
    Field::text(
        "endpoint",
        "Another endpoint: a private one, or an emulator's.",
    )
    .example("https://example.invalid"),
    Field::texts(
        "replica_locations",
        "Where GCP replicates. Default: automatic. A change replaces the backend.",
    )
    .replaces(),
];
