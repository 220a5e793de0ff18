//! A look inside a place, and what people do there, each with the vendor's own
//! client.

use serde_json::{Value, json};
use xtask::azure::AzureFake;
use xtask::openbao::{Api, KvVersion};
use xtask::reader::{self, Object};
use xtask::tools::Tools;

use super::Place;
use super::place::{AZURE_READER_SECRET, Kind, PROJECT, READER_KEY, READER_SECRET, REGION};

/// Says whether a path of KV is a fence: a record without content, by which a
/// process makes sure that a standby does not answer with the past. It stays.
fn is_fence(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    parts.next() == Some(".fence") && parts.count() == 1
}

impl Place {
    /// Returns all that is stored, in the order of names.
    pub(crate) fn objects(&self) -> Vec<Object> {
        let mut objects: Vec<_> = match &self.kind {
            Kind::OpenBao { .. } => {
                let dump = self.api().dump_kv("secret", KvVersion::V2).unwrap();
                let objects = dump.as_object().unwrap().iter();
                objects
                    .filter(|(path, _)| !is_fence(path))
                    .map(|(path, content)| Object {
                        name: path.clone(),
                        about: vec![content["metadata"].to_string()],
                        payloads: payloads_of(content),
                    })
                    .collect()
            }
            _ => {
                let all = self.addressed(json!({}));
                let reading = reader::read(&Tools::locate().unwrap(), &all);
                return reading.unwrap().objects;
            }
        };
        objects.sort_by(|one, other| one.name.cmp(&other.name));
        objects
    }

    /// Returns the names of secrets that are stored, without markers.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let names = self.objects().into_iter().map(|object| object.name);
        names.filter(|name| !name.contains("backend")).collect()
    }

    /// Returns the names of all that is there, whatever it is, and of what is
    /// deleted and can be recovered.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.kind {
            Kind::OpenBao { .. } => self.api().list_recursive("secret", KvVersion::V2).unwrap(),
            _ => serde_json::from_value(self.ask(json!({"left": true}))).unwrap(),
        };
        names.sort_unstable();
        names
    }

    /// Checks that nothing is there, nor can be recovered. In KV the fences stay,
    /// and are empty.
    #[track_caller]
    pub(crate) fn assert_empty(&self) {
        self.assert_left(&[]);
    }

    /// As [`assert_empty`](Self::assert_empty), but for these names.
    #[track_caller]
    pub(super) fn assert_left(&self, names: &[String]) {
        let mut left = self.left_behind();
        if matches!(self.kind, Kind::OpenBao { .. }) {
            let fences = left.extract_if(.., |path| is_fence(path));
            for fence in fences {
                let path = format!("secret/data/{fence}");
                let read = self.api().ok("GET", &path, None).unwrap();
                assert_eq!(read["data"]["data"], json!({"fence": "1"}), "{fence}");
            }
        }
        assert_eq!(left, names);
    }

    /// Deletes an object as a person with a console would.
    pub(crate) fn remove(&self, name: &str) {
        match &self.kind {
            Kind::OpenBao { .. } => {
                let path = format!("secret/metadata/{name}");
                self.api().ok("DELETE", &path, None).unwrap();
            }
            _ => {
                self.ask(json!({ "remove": name }));
            }
        }
    }

    /// Stores a plaintext as a person with a console would.
    pub(crate) fn plant(&self, name: &str, value: &str) {
        match &self.kind {
            Kind::OpenBao { .. } => {
                let body = json!({ "data": { "password": value } });
                let path = format!("secret/data/{name}");
                self.api().ok("POST", &path, Some(&body)).unwrap();
            }
            _ => {
                self.ask(json!({ "plant": name, "value": value }));
            }
        }
    }

    /// Returns what a copy of a planted value is read as.
    pub(crate) fn copied(&self, value: &str) -> String {
        match &self.kind {
            Kind::OpenBao { .. } => json!({ "password": value }).to_string(),
            _ => value.to_owned(),
        }
    }

    /// Puts an object as a person with a console would, with a text beside it.
    pub(crate) fn put(&self, name: &str, about: &str, payload: &str) {
        match &self.kind {
            Kind::OpenBao { .. } => {
                let put =
                    |path: &str, body: Value| self.api().ok("POST", path, Some(&body)).unwrap();
                let about = json!({"custom_metadata": {"about": about}});
                put(&format!("secret/metadata/{name}"), about);
                let data = json!({"data": {"envelope": payload}});
                put(&format!("secret/data/{name}"), data);
            }
            _ => {
                self.ask(json!({"put": name, "about": about, "payload": payload}));
            }
        }
    }

    /// Returns whatever is stored, as one text with all that people see of it.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let mut dump = Vec::new();
        for object in self.objects() {
            let about = [&[object.name], &object.about[..]].concat().join("\n");
            dump.extend_from_slice(about.as_bytes());
            for payload in object.payloads {
                dump.push(b'\n');
                dump.extend(payload);
            }
        }
        dump
    }

    /// Returns a client of the server, in the namespace where the place is.
    pub(crate) fn api(&self) -> Api {
        match &self.kind {
            Kind::OpenBao { server, namespace } => match namespace {
                Some(namespace) => server.api().in_namespace(namespace),
                None => server.api().clone(),
            },
            _ => panic!("{} speaks another protocol", self.block_name),
        }
    }

    /// Has the vendor's official client do something.
    pub(super) fn ask(&self, request: Value) -> Value {
        let answer = reader::ask(&Tools::locate().unwrap(), &self.addressed(request));
        serde_json::from_str(&answer.unwrap()).unwrap()
    }

    /// Says in a request to the vendor's client where the place is.
    fn addressed(&self, mut request: Value) -> Value {
        let more = match &self.kind {
            Kind::OpenBao { .. } => unreachable!("OpenBAO is asked directly"),
            Kind::Aws(moto) => json!({
                "vendor": "aws", "region": REGION, "endpoint": moto.address(),
                "key": READER_KEY, "secret": READER_SECRET,
            }),
            Kind::Gcp(fake) => json!({
                "vendor": "gcp", "project": PROJECT, "endpoint": fake.address(),
                "token": fake.token().unwrap(),
            }),
            Kind::Azure(fake) => json!({
                "vendor": "azure", "vault": fake.vault_url(), "authority": fake.vault_url(),
                "tenant": AzureFake::TENANT, "client": AzureFake::CLIENT,
                "secret": AZURE_READER_SECRET, "ca_file": fake.ca_file(),
            }),
        };
        for (key, value) in more.as_object().unwrap() {
            request[key] = value.clone();
        }
        request
    }
}

/// Returns what is stored at a path, in whatever version: an envelope, or what is
/// none as JSON.
fn payloads_of(content: &Value) -> Vec<Vec<u8>> {
    let versions = content["versions"].as_object().into_iter().flatten();
    let stored = versions.filter(|(_, version)| !version["data"].is_null());
    stored
        .map(|(_, version)| match version["data"]["envelope"].as_str() {
            Some(envelope) => envelope.as_bytes().to_vec(),
            None => version["data"].to_string().into_bytes(),
        })
        .collect()
}
