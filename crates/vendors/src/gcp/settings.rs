//! The settings of a GCP backend, parsed once.

use std::collections::BTreeSet;

use super::connection::GcpConnection;
use planton_core::store::{StoreError, StoreSettings};

/// The parsed settings of a GCP backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcpConfig {
    /// The project's ID or number.
    pub(super) project_id: String,
    /// The connection to Secret Manager.
    pub(super) connection: GcpConnection,
    /// The locations of new secrets; empty for automatic replication. A secret keeps
    /// the locations that it was created with.
    pub(super) replica_locations: BTreeSet<String>,
}

impl GcpConfig {
    /// Parses `project_id`, `impersonate_service_account`, `endpoint` and
    /// `replica_locations`.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a missing or invalid setting.
    pub fn from_settings(settings: &StoreSettings) -> Result<Self, StoreError> {
        let project_id = settings.text("project_id").unwrap_or_default();
        if !is_project(project_id) {
            return Err(wrong(
                "project_id",
                "project_id must be a project's identifier or number: 1 to 63 of a-z, 0-9 and \
                 hyphen, perhaps behind \"example.com:\".",
            ));
        }
        Ok(Self {
            project_id: project_id.to_owned(),
            connection: GcpConnection::read(&settings.configuration)?,
            replica_locations: replica_locations(settings)?,
        })
    }
}

fn replica_locations(settings: &StoreSettings) -> Result<BTreeSet<String>, StoreError> {
    if !settings.has("replica_locations") {
        return Ok(BTreeSet::new());
    }
    let list = settings.configuration["replica_locations"].as_array();
    let locations = list.into_iter().flatten().map(|location| {
        let location = location.as_str().filter(|text| is_location(text));
        location.map(str::to_owned)
    });
    let locations: Option<BTreeSet<_>> = locations.collect();
    locations.filter(|all| !all.is_empty()).ok_or_else(|| {
        wrong(
            "replica_locations",
            "replica_locations must name at least one location, such as \"europe-west3\"; omit it \
             for automatic replication.",
        )
    })
}

/// Returns true for a text that a URL's path contains unescaped. Accepts slightly more
/// than Google does.
pub(super) fn is_project(text: &str) -> bool {
    let (domain, project) = text.split_once(':').unwrap_or(("", text));
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&project.len())
        && project.bytes().all(known)
        && domain.bytes().all(|b| known(b) || b == b'.')
}

fn is_location(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(known)
}

fn wrong(setting: &str, remedy: impl Into<String>) -> StoreError {
    StoreError::unusable_setting(setting, remedy)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::{Value, json};

    use super::*;
    use planton_core::store::StoreErrorKind;

    fn read(configuration: Value) -> Result<GcpConfig, StoreError> {
        GcpConfig::from_settings(&StoreSettings {
            kind: "gcp_secret_manager".to_owned(),
            name_prefix: "planton".to_owned(),
            configuration: serde_json::from_value(configuration).unwrap(),
        })
    }

    #[test]
    fn a_project_is_enough() {
        let config = read(json!({"project_id": "acme-prod"})).unwrap();
        assert_eq!(config.project_id, "acme-prod");
        assert_eq!(config.connection.impersonate, None);
        assert_eq!(config.connection.endpoint, None);
        assert!(config.replica_locations.is_empty());
        for project in ["123456789012", "example.com:acme"] {
            assert!(read(json!({"project_id": project})).is_ok(), "{project}");
        }
    }

    #[test]
    fn every_setting_is_read() {
        let config = read(json!({
            "project_id": "acme",
            "impersonate_service_account": "store@acme.iam.gserviceaccount.com",
            "endpoint": "https://secretmanager-acme.p.googleapis.com",
            "replica_locations": ["europe-west4", "europe-west3", "europe-west4"],
        }))
        .unwrap();
        let account = config.connection.impersonate.unwrap().to_string();
        assert_eq!(account, "store@acme.iam.gserviceaccount.com");
        let endpoint = config.connection.endpoint.unwrap().to_string();
        assert_eq!(endpoint, "https://secretmanager-acme.p.googleapis.com");
        let locations: Vec<_> = config.replica_locations.into_iter().collect();
        assert_eq!(locations, ["europe-west3", "europe-west4"]);
    }

    #[test]
    fn what_cannot_be_is_misconfigured_and_named() {
        for (setting, value) in [
            ("project_id", Value::Null),
            ("project_id", json!("")),
            ("project_id", json!("a/b")),
            ("project_id", json!("../x")),
            ("project_id", json!("Acme")),
            ("impersonate_service_account", json!("ci")),
            ("endpoint", json!("http://secretmanager.googleapis.com")),
            ("endpoint", json!("secretmanager.googleapis.com")),
            ("replica_locations", json!([])),
            ("replica_locations", json!(["Europe"])),
            ("replica_locations", json!(["europe-west3", 1])),
            ("replica_locations", json!("europe-west3")),
        ] {
            let mut configuration = json!({"project_id": "acme"});
            configuration[setting] = value.clone();
            let error = read(configuration).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
            assert_eq!(error.path(), setting);
            assert!(error.remedy().unwrap().starts_with(setting), "{value}");
        }
    }
}
