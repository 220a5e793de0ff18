//! The requests to Secret Manager's REST API.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::gcp::client::{Freshness, GcpCall, GcpClient, GcpErrorKind};
use crate::gcp::errors::{Operation, explain};
use planton_core::store::{RemoteName, StoreError, StoreErrorKind};
use planton_secret::SecretBytes;

const CREATE: Operation = Operation::new("CreateSecret", "secretmanager.secrets.create");
const GET: Operation = Operation::new("GetSecret", "secretmanager.secrets.get");
const DELETE: Operation = Operation::new("DeleteSecret", "secretmanager.secrets.delete");
const ADD: Operation = Operation::new("AddSecretVersion", "secretmanager.versions.add");
const ACCESS: Operation = Operation::new("AccessSecretVersion", "secretmanager.versions.access");
const LOOK: Operation = Operation::new("GetSecretVersion", "secretmanager.versions.get");
const LIST: Operation = Operation::new("ListSecretVersions", "secretmanager.versions.list");
const DESTROY: Operation = Operation::new("DestroySecretVersion", "secretmanager.versions.destroy");

/// The fields of a secret that the store reads.
#[derive(Deserialize)]
pub(super) struct Secret {
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) etag: String,
}

/// The metadata of a version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretVersion {
    pub(super) name: String,
    pub(super) create_time: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) etag: String,
}

/// The fields of a new secret.
pub(super) struct NewSecret<'a> {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<&'static str, String>,
    pub(super) replica_locations: &'a BTreeSet<String>,
}

/// Client of Secret Manager in one project.
#[derive(Debug)]
pub(super) struct Api {
    client: GcpClient,
    project: String,
}

impl SecretVersion {
    /// Returns the number, or 0, which no version has, if the name contains none.
    pub(super) fn number(&self) -> u64 {
        let number = self.name.rsplit_once("/versions/");
        number.and_then(|(_, n)| n.parse().ok()).unwrap_or(0)
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.state == "ENABLED"
    }

    pub(super) fn is_destroyed(&self) -> bool {
        self.state == "DESTROYED"
    }
}

impl Api {
    pub(super) fn new(client: GcpClient, project: &str) -> Self {
        Self {
            client,
            project: format!("projects/{project}"),
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.client.requests()
    }

    pub(super) async fn create(
        &self,
        name: &RemoteName,
        new: &NewSecret<'_>,
    ) -> Result<(), StoreError> {
        let replicas: Vec<_> = new.replica_locations.iter().collect();
        let replicas = replicas
            .iter()
            .map(|location| json!({"location": location}));
        let replication = if new.replica_locations.is_empty() {
            json!({"automatic": {}})
        } else {
            json!({"userManaged": {"replicas": replicas.collect::<Vec<_>>()}})
        };
        let body = json!({
            "labels": new.labels,
            "annotations": new.annotations,
            "replication": replication,
        });
        let call = GcpCall {
            suffix: "/secrets",
            query: &[("secretId", name.as_str())],
            body: Some(json_bytes(&body)),
            ..request(&CREATE, Method::POST, &self.project)
        };
        let created = self.client.tell(call).await;
        let resource = self.secret(name);
        created.map_err(|error| explain(error, &CREATE, &resource))
    }

    pub(super) async fn look_at_secret(
        &self,
        name: &RemoteName,
        freshness: Freshness,
    ) -> Result<Secret, StoreError> {
        let resource = self.secret(name);
        let call = GcpCall {
            freshness,
            ..request(&GET, Method::GET, &resource)
        };
        self.send(&GET, call).await
    }

    /// Deletes a secret with all its versions. With an etag, deletes it only if the
    /// etag matches.
    pub(super) async fn delete(
        &self,
        name: &RemoteName,
        etag: Option<&str>,
    ) -> Result<(), StoreError> {
        let resource = self.secret(name);
        let query: Vec<_> = etag.map(|etag| ("etag", etag)).into_iter().collect();
        let call = GcpCall {
            query: &query,
            ..request(&DELETE, Method::DELETE, &resource)
        };
        self.tell(&DELETE, call).await
    }

    //= docs/format.md#20-places
    //# On GCP Secret Manager, a writer MUST write an envelope at the place and in the form of
    //# this table.
    pub(super) async fn add(
        &self,
        name: &RemoteName,
        payload: &[u8],
        freshness: Freshness,
    ) -> Result<SecretVersion, StoreError> {
        let resource = self.secret(name);
        let body = json!({"payload": {
            "data": STANDARD.encode(payload),
            // JSON represents an int64 as text:
            // https://github.com/protocolbuffers/protobuf/issues/2679
            "dataCrc32c": crc32c::crc32c(payload).to_string(),
        }});
        let call = GcpCall {
            suffix: ":addVersion",
            body: Some(json_bytes(&body)),
            freshness,
            ..request(&ADD, Method::POST, &resource)
        };
        let added = self.send::<SecretVersion>(&ADD, call).await?;
        if added.number() == 0 || added.create_time.is_empty() {
            return Err(malformed(&ADD, &resource));
        }
        Ok(added)
    }

    /// Returns a payload. Reads it again once if its checksum does not match.
    pub(super) async fn access(
        &self,
        name: &RemoteName,
        number: u64,
    ) -> Result<Vec<u8>, StoreError> {
        self.access_at(self.version(name, number)).await
    }

    /// Returns the payload of the newest enabled version, as [`access`](Self::access).
    pub(super) async fn access_latest(&self, name: &RemoteName) -> Result<Vec<u8>, StoreError> {
        self.access_at(format!("{}/versions/latest", self.secret(name)))
            .await
    }

    async fn access_at(&self, resource: String) -> Result<Vec<u8>, StoreError> {
        for _ in 0..2 {
            let call = GcpCall {
                suffix: ":access",
                ..request(&ACCESS, Method::GET, &resource)
            };
            let answer = self.send::<Accessed>(&ACCESS, call).await?;
            if let Some(payload) = answer.payload.verified() {
                return Ok(payload);
            }
        }
        let error = StoreError::new(StoreErrorKind::Unavailable, ACCESS.name, resource);
        Err(error.with_remedy(
            "Twice the payload did not have the checksum that was sent with it: something between \
             here and Google damages answers.",
        ))
    }

    /// Reads a version by accessing its payload. This is the only strongly consistent
    /// read of Secret Manager, and it has 150 times the quota of other reads:
    /// <https://cloud.google.com/secret-manager/docs/reference/consistency>,
    /// <https://cloud.google.com/secret-manager/quotas>
    pub(super) async fn look_by_access(
        &self,
        name: &RemoteName,
        number: u64,
    ) -> Result<Looked, StoreError> {
        let resource = self.version(name, number);
        let call = GcpCall {
            suffix: ":access",
            ..request(&ACCESS, Method::GET, &resource)
        };
        match self.client.call::<Accessed>(call).await {
            // A payload with a wrong checksum also proves that the version exists.
            Ok(answer) => Ok(Looked::Enabled(answer.payload.verified())),
            Err(error) if error.kind() == GcpErrorKind::NotFound => Ok(Looked::Nothing),
            Err(error) if error.kind() == GcpErrorKind::FailedPrecondition => {
                Ok(Looked::NotEnabled)
            }
            Err(error) => Err(explain(error, &ACCESS, &resource)),
        }
    }

    pub(super) async fn look_at_version(
        &self,
        name: &RemoteName,
        number: u64,
        freshness: Freshness,
    ) -> Result<SecretVersion, StoreError> {
        let resource = self.version(name, number);
        let call = GcpCall {
            freshness,
            ..request(&LOOK, Method::GET, &resource)
        };
        self.send(&LOOK, call).await
    }

    /// Returns the newest versions, newest first.
    pub(super) async fn newest_versions(
        &self,
        name: &RemoteName,
    ) -> Result<Vec<SecretVersion>, StoreError> {
        let resource = self.secret(name);
        let call = GcpCall {
            suffix: "/versions",
            query: &[("pageSize", "50")],
            ..request(&LIST, Method::GET, &resource)
        };
        let mut versions = self.send::<Listed>(&LIST, call).await?.versions;
        versions.sort_by_key(|version| std::cmp::Reverse(version.number()));
        Ok(versions)
    }

    /// Destroys a version if its etag matches.
    pub(super) async fn destroy(
        &self,
        name: &RemoteName,
        number: u64,
        etag: &str,
    ) -> Result<(), StoreError> {
        let resource = self.version(name, number);
        let call = GcpCall {
            suffix: ":destroy",
            body: Some(json_bytes(&json!({"etag": etag}))),
            ..request(&DESTROY, Method::POST, &resource)
        };
        self.tell(&DESTROY, call).await
    }

    async fn send<T: serde::de::DeserializeOwned>(
        &self,
        operation: &Operation,
        call: GcpCall<'_>,
    ) -> Result<T, StoreError> {
        let resource = call.resource;
        let sent = self.client.call(call).await;
        sent.map_err(|error| explain(error, operation, resource))
    }

    async fn tell(&self, operation: &Operation, call: GcpCall<'_>) -> Result<(), StoreError> {
        let resource = call.resource;
        let told = self.client.tell(call).await;
        told.map_err(|error| explain(error, operation, resource))
    }

    /// Returns the path of a secret.
    pub(super) fn secret(&self, name: &RemoteName) -> String {
        format!("{}/secrets/{name}", self.project)
    }

    pub(super) fn version(&self, name: &RemoteName, number: u64) -> String {
        format!("{}/versions/{number}", self.secret(name))
    }
}

/// The result of an access.
pub(super) enum Looked {
    /// The version and its payload, or `None` if its checksum does not match.
    Enabled(Option<Vec<u8>>),
    /// The version exists, and is disabled or destroyed.
    NotEnabled,
    /// The version or the secret does not exist.
    Nothing,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    versions: Vec<SecretVersion>,
}

#[derive(Deserialize)]
struct Accessed {
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(default)]
    data: String,
    data_crc32c: Option<String>,
}

impl Payload {
    /// Returns the bytes if they match their checksum.
    fn verified(&self) -> Option<Vec<u8>> {
        let data = STANDARD.decode(&self.data).ok()?;
        let expected = crc32c::crc32c(&data).to_string();
        let matches = self.data_crc32c.as_ref().is_none_or(|sum| *sum == expected);
        matches.then_some(data)
    }
}

fn request<'a>(operation: &Operation, method: Method, resource: &'a str) -> GcpCall<'a> {
    GcpCall {
        operation: operation.name,
        method,
        resource,
        suffix: "",
        query: &[],
        body: None,
        freshness: Freshness::Settled,
    }
}

fn json_bytes(value: &Value) -> SecretBytes {
    SecretBytes::new(value.to_string().into_bytes())
}

fn malformed(operation: &Operation, resource: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Unexpected, operation.name, resource)
}
