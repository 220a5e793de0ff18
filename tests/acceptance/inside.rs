//! Access to the platform without Terraform: values through the library, objects and
//! records in the storage itself, and changes outside the provider.

use std::collections::BTreeMap;

use planton_plugin::{ConfigureRequest, Context, OpenRequest, Provider as _, Value};
use planton_vendors::embedded::sqlite::DATABASE_FILE;
use rusqlite::{Connection, params};
use serde_json::{Value as Json, json};
use terraform_provider_planton::provider::{Environment, PlantonProvider};
use xtask::openbao::{Api, KvVersion};

use crate::bucket::scene::OnBucket;
use crate::scene::{ORGANIZATION, Scene, try_read_in};

/// The path of the platform's KV mount, and of its objects inside.
const MOUNT: &str = "planton";
const OBJECTS: &str = "planton/acme/";

/// The path of the organization's record in the platform's KV.
const ORGANIZATION_DATA: &str = "planton/data/catalog/acme/organization";

/// The organization's record after its removal from the catalog.
#[derive(Debug)]
pub(crate) enum OrganizationRecord {
    /// A document in KV.
    Kv(Json),
    /// A row of the embedded platform: revision, body, code.
    Row(i64, String, String),
}

/// A value that the library opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) version: u64,
    pub(crate) text: Option<String>,
    pub(crate) data: Option<BTreeMap<String, String>>,
}

impl Opened {
    pub(crate) fn text(version: u64, text: &str) -> Self {
        Self {
            version,
            text: Some(text.to_owned()),
            data: None,
        }
    }
}

impl Scene {
    /// Opens the secret with this id without Terraform. Returns the diagnostics if that
    /// fails.
    pub(crate) fn try_open(&self, id: &str, version: Option<u64>) -> Result<Opened, String> {
        if let Some(on) = self.bucket().filter(|on| on.bucket.ca_file().is_some()) {
            return read_by_terraform(on, id, version);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(self.open_async(id, version))
    }

    /// Opens the secret with this id without Terraform.
    #[track_caller]
    pub(crate) fn open(&self, id: &str) -> Opened {
        self.try_open(id, None).unwrap()
    }

    async fn open_async(&self, id: &str, version: Option<u64>) -> Result<Opened, String> {
        let cx = Context::new();
        let mut config = Value::object([("organization", Value::string(ORGANIZATION))]);
        let environment = match self.bucket() {
            // The credential chains read the variables of the process, not these.
            Some(on) => {
                config.set("bucket", on.block());
                Vec::new()
            }
            None => self.environment(),
        };
        let provider = PlantonProvider::new(Environment::of(environment));
        let request = ConfigureRequest {
            config,
            terraform_version: "1.11.4".to_owned(),
        };
        let diagnostics = provider.configure(&cx, request).await;
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        let ephemeral = provider.ephemeral_resources().remove(0);
        let config = Value::object([("id", Value::string(id)), ("version", version.into())]);
        let response = ephemeral
            .open(
                &cx,
                OpenRequest {
                    config,
                    may_be_unknown: true,
                },
            )
            .await;
        let result = match response {
            Ok(response) => response.result,
            Err(diagnostics) => return Err(format!("{diagnostics:?}")),
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let data = result.attribute("data").entries().map(|entries| {
            let entries = entries.iter();
            entries
                .map(|(key, value)| (key.clone(), text(value).unwrap()))
                .collect()
        });
        Ok(Opened {
            version: result.attribute("version").as_u64().unwrap(),
            text: text(result.attribute("value")),
            data,
        })
    }

    /// Returns the content of all records of the catalog, including former revisions, by
    /// path.
    pub(crate) fn record_texts(&self) -> BTreeMap<String, String> {
        if let Some(server) = self.openbao() {
            let dump = server.api().dump_kv(MOUNT, KvVersion::V2).unwrap();
            let entries = dump.as_object().unwrap().iter();
            return entries
                .filter(|(path, _)| path.starts_with("catalog/") && !path.contains("/fence/"))
                .map(|(path, content)| (path.clone(), content["versions"].to_string()))
                .collect();
        }
        if let Some(on) = self.bucket() {
            let records = on.records().into_iter();
            return records.map(|(key, body)| (key, body.to_string())).collect();
        }
        let rows = self.column("SELECT key || '\n' || body FROM records");
        rows.iter()
            .filter_map(|row| row.split_once('\n'))
            .map(|(key, body)| (key.to_owned(), body.to_owned()))
            .collect()
    }

    /// Returns the backend's identifier of a secret's current version, from its record.
    pub(crate) fn native_id(&self, secret: &Json) -> String {
        let records = self.records();
        let secrets = records.values().map(|document| &document["current"]);
        let mut found = secrets.filter(|record| record["uuid"] == secret["id"]);
        let versions = found.next().unwrap()["versions"].as_array().unwrap();
        let native_id = &versions.last().unwrap()["native_id"];
        native_id.as_str().unwrap().to_owned()
    }

    /// Deletes the current version of a secret directly in the storage, and leaves its
    /// older ones.
    pub(crate) fn lose_version(&self, secret: &Json) {
        if let Some(server) = self.openbao() {
            let path = version_path(server.api(), secret, &self.native_id(secret));
            let data = format!("{MOUNT}/data/{path}");
            server.api().ok("DELETE", &data, None).unwrap();
        } else if let Some(on) = self.bucket() {
            let version = on.version_of(&self.native_id(secret));
            on.bucket.remove(&on.key(&version)).unwrap();
        } else {
            let sql = "DELETE FROM versions WHERE native_id = ?1";
            self.execute(sql, &self.native_id(secret));
        }
    }

    /// Replaces the content of a secret's current version.
    pub(crate) fn replace_version(&self, secret: &Json) {
        if let Some(server) = self.openbao() {
            let path = version_path(server.api(), secret, &self.native_id(secret));
            let body = json!({"data": {"envelope": "something else"}});
            let data = format!("{MOUNT}/data/{path}");
            server.api().ok("POST", &data, Some(&body)).unwrap();
        } else if let Some(on) = self.bucket() {
            let version = on.key(&on.version_of(&self.native_id(secret)));
            on.bucket.replace(&version, b"something else").unwrap();
        } else {
            // A trigger of the database forbids updates, so the row is deleted and
            // inserted again.
            let native_id = self.native_id(secret);
            let database = self.database();
            let sql = "CREATE TEMP TABLE was AS SELECT * FROM versions WHERE native_id = ?1";
            database.execute(sql, params![native_id]).unwrap();
            let sql = "DELETE FROM versions WHERE native_id = ?1";
            assert_eq!(database.execute(sql, params![native_id]).unwrap(), 1);
            let sql = "INSERT INTO versions
                           (object, attempt, native_id, payload, digest, labels, written_at)
                       SELECT object, attempt, native_id || 'x', x'00', digest, labels, written_at
                       FROM was";
            assert_eq!(database.execute(sql, []).unwrap(), 1);
        }
    }

    /// Deletes a secret's object from its backend.
    pub(crate) fn lose_object(&self, secret: &Json) {
        if let Some(server) = self.openbao() {
            for path in object_paths(server.api(), secret) {
                let metadata = format!("{MOUNT}/metadata/{path}");
                server.api().ok("DELETE", &metadata, None).unwrap();
            }
        } else if let Some(on) = self.bucket() {
            let version = on.version_of(&self.native_id(secret));
            let (object, _) = version.rsplit_once('/').unwrap();
            let all = on.versions();
            let of_object = |version: &&String| version.starts_with(&format!("{object}/"));
            for version in all.iter().filter(of_object) {
                on.bucket.remove(&on.key(version)).unwrap();
            }
        } else {
            let sql = "DELETE FROM objects WHERE id =
                       (SELECT object FROM versions WHERE native_id = ?1)";
            self.execute(sql, &self.native_id(secret));
        }
    }

    /// Deletes a secret's record in the catalog.
    pub(crate) fn lose_record(&self, secret: &Json) {
        let id = secret["id"].as_str().unwrap();
        let records = self.record_texts();
        let mut found = records.iter().filter(|(_, content)| content.contains(id));
        let (key, _) = found.next().unwrap();
        if let Some(server) = self.openbao() {
            let metadata = format!("{MOUNT}/metadata/{key}");
            server.api().ok("DELETE", &metadata, None).unwrap();
        } else if let Some(on) = self.bucket() {
            let record = on.key(&format!("records/{key}.json"));
            on.bucket.remove(&record).unwrap();
        } else {
            // An attacker can drop the trigger that forbids it.
            let database = self.database();
            database
                .execute("DROP TRIGGER IF EXISTS records_stay", [])
                .unwrap();
            let sql = "DELETE FROM records WHERE key = ?1";
            assert_eq!(database.execute(sql, params![key]).unwrap(), 1);
        }
    }

    /// Removes all records of the catalog, and keeps the objects.
    pub(crate) fn lose_records(&self) {
        if let Some(server) = self.openbao() {
            let paths = server.api().list_recursive(MOUNT, KvVersion::V2).unwrap();
            for path in paths.iter().filter(|path| path.starts_with("catalog/")) {
                let metadata = format!("{MOUNT}/metadata/{path}");
                server.api().ok("DELETE", &metadata, None).unwrap();
            }
        } else if let Some(on) = self.bucket() {
            for key in on.records().keys() {
                let record = on.key(&format!("records/{key}.json"));
                on.bucket.remove(&record).unwrap();
            }
        } else {
            let sql = "DROP TRIGGER IF EXISTS records_stay; DELETE FROM records";
            self.database().execute_batch(sql).unwrap();
        }
    }

    /// Removes the organization's record from the catalog, and returns it.
    pub(crate) fn take_organization(&self) -> OrganizationRecord {
        if let Some(server) = self.openbao() {
            let data = server.api().ok("GET", ORGANIZATION_DATA, None).unwrap();
            let metadata = ORGANIZATION_DATA.replace("/data/", "/metadata/");
            server.api().ok("DELETE", &metadata, None).unwrap();
            return OrganizationRecord::Kv(data["data"]["data"].clone());
        }
        let database = self.database();
        let sql = "SELECT revision, body, mac FROM records WHERE key = 'organization'";
        let row = database.query_row(sql, [], |row| {
            Ok(OrganizationRecord::Row(
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
            ))
        });
        database
            .execute_batch(
                "DROP TRIGGER IF EXISTS records_stay; DELETE FROM records WHERE key = 'organization'",
            )
            .unwrap();
        row.unwrap()
    }

    /// Restores the organization's record.
    pub(crate) fn put_organization(&self, record: &OrganizationRecord) {
        match record {
            OrganizationRecord::Kv(data) => {
                let api = self.openbao().unwrap().api();
                let body = json!({ "data": data });
                api.ok("POST", ORGANIZATION_DATA, Some(&body)).unwrap();
            }
            OrganizationRecord::Row(revision, body, mac) => {
                let sql = "INSERT INTO records (organization, key, revision, body, mac)
                           VALUES ('acme', 'organization', ?1, ?2, ?3)";
                let database = self.database();
                let put = database.execute(sql, params![revision, body, mac]);
                assert_eq!(put.unwrap(), 1);
            }
        }
    }

    /// Returns the key, the body and the MAC of the only record of a backend, on the embedded
    /// platform.
    pub(crate) fn backend_record(&self) -> [String; 3] {
        let sql = "SELECT key, body, mac FROM records WHERE key LIKE 'backends/%'";
        let row = self
            .database()
            .query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]));
        row.unwrap()
    }

    /// Puts a record of a backend in the place of the present one.
    pub(crate) fn put_backend_record(&self, record: &[String; 3]) {
        let sql = "UPDATE records SET revision = revision + 1, body = ?2, mac = ?3 WHERE key = ?1";
        assert_eq!(self.database().execute(sql, record.clone()).unwrap(), 1);
    }

    fn database(&self) -> Connection {
        let folder = self.embedded().unwrap();
        let database = Connection::open(folder.join(DATABASE_FILE)).unwrap();
        database.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        database
    }

    fn column(&self, sql: &str) -> Vec<String> {
        let database = self.database();
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[track_caller]
    fn execute(&self, sql: &str, parameter: &str) {
        let changed = self.database().execute(sql, params![parameter]).unwrap();
        assert_eq!(changed, 1, "{sql}");
    }
}

/// Opens a secret with Terraform, whose process can be made to trust the authority of an
/// emulator.
fn read_by_terraform(on: &OnBucket, id: &str, version: Option<u64>) -> Result<Opened, String> {
    let version = version.map_or_else(|| "null".to_owned(), |version| version.to_string());
    let selector = [("it", format!("id = {id:?}\n  version = {version}"))];
    let expression =
        |opened: &str| format!("jsonencode([{opened}.version, {opened}.value, {opened}.data])");
    let read = try_read_in(&on.workspace(""), &selector, expression)?;
    let (version, text, data) = serde_json::from_str(&read["it"]).unwrap();
    Ok(Opened {
        version,
        text,
        data,
    })
}

/// Returns the paths of all versions of a secret.
fn object_paths(api: &Api, secret: &Json) -> Vec<String> {
    let (scope, name) = (&secret["environment"], secret["name"].as_str().unwrap());
    let scope = match scope.as_str() {
        Some(environment) => format!("env/{environment}"),
        None => "org".to_owned(),
    };
    let id = secret["id"].as_str().unwrap();
    let object = format!("{OBJECTS}{scope}/{name}-{}/", &id[id.len() - 8..]);
    let mut paths = api.list_recursive(MOUNT, KvVersion::V2).unwrap();
    paths.retain(|path| path.starts_with(&object));
    assert!(!paths.is_empty(), "nothing below {object}");
    paths
}

/// Returns the path of a secret's current version.
fn version_path(api: &Api, secret: &Json, native_id: &str) -> String {
    let (slot, _) = native_id.split_once('@').unwrap();
    let paths = object_paths(api, secret);
    paths.into_iter().find(|path| path.ends_with(slot)).unwrap()
}
