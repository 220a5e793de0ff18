//! The backend type `gcp_secret_manager`.

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
    Field::text("project_id", "ID of the project with the secrets.")
        .required()
        .replaces(),
    SERVICE_ACCOUNT_KEY,
    IMPERSONATE_SERVICE_ACCOUNT,
    ENDPOINT,
    Field::texts(
        "replica_locations",
        "Locations of the replicas, such as `europe-west3`. Without it, GCP chooses them \
         (automatic replication).",
    )
    .replaces(),
];

// The fields of a connection, which keys have as well.

pub(crate) const SERVICE_ACCOUNT_KEY: Field = Field::credential(
    "service_account_key_json_wo",
    "service_account_key_json",
    "Key of a service account, in JSON. Without it, the provider uses Application Default \
     Credentials.",
);

pub(crate) const IMPERSONATE_SERVICE_ACCOUNT: Field = Field::text(
    "impersonate_service_account",
    "E-mail address of a service account to impersonate with the static or ambient credentials.",
)
.example("example@example.iam.gserviceaccount.com");

pub(crate) const ENDPOINT: Field = Field::text(
    "endpoint",
    "URL of a private or regional endpoint or of an emulator, to use instead of the public \
     endpoint.",
)
.example("https://example.invalid");
