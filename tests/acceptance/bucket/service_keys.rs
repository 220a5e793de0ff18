//! Buckets whose main key is in GCP KMS, Azure Key Vault or Transit.

use std::collections::BTreeMap;

use serde_json::Value;
use tempfile::TempDir;
use xtask::bucket::BucketService;
use xtask::canary::Canary;
use xtask::terraform::Workspace;

use super::SECRETS;
use super::canary::secret_part;
use super::scene::OnBucket;
use crate::backends::Place;
use crate::canary::read;
use crate::keys::service::{Quota, Service};
use crate::operator::{json as json_of, told};
use crate::scene::{assert_tombstones, read_values_in};
use crate::steps::{Steps, has};

/// A bucket, and the service of its key.
struct Keyed {
    on: OnBucket,
    service: Service,
    place: Place,
    key_secret: String,
}

impl Keyed {
    fn new(service: Service) -> Self {
        let place = service.start();
        Self {
            on: OnBucket::new(BucketService::S3),
            key_secret: service.secret(&place),
            service,
            place,
        }
    }

    /// Encrypts with this key, and with a second one for the MAC key if there is any.
    fn encrypted_by(self, key: &str, mac_key: Option<&str>) -> Self {
        let Self {
            on,
            service,
            place,
            key_secret,
        } = self;
        // The provider block has no write-only arguments.
        let credential = format!(" = {key_secret:?}");
        let block = service.block(&place, key);
        let block = block.replace("_wo = var.key_secret", &credential);
        let block = block.trim_matches(['{', '}', ' ']);
        let second = mac_key.map_or_else(String::new, |name| format!(", mac_key_name = {name:?}"));
        Self {
            on: on.encrypted_by(&format!("{block}{second} }}")),
            service,
            place,
            key_secret,
        }
    }

    fn workspace(&self, configuration: &str) -> Workspace {
        let mut workspace = self.on.workspace(configuration);
        for (name, value) in self.place.environment() {
            workspace.env(name, value);
        }
        workspace
    }

    fn value(&self, name: &str) -> String {
        let selector = [(name, format!("name = {name:?}"))];
        let mut values = read_values_in(&self.workspace(""), &selector);
        values.remove(name).unwrap()
    }

    /// Neither the state nor the bucket contains the credential of the key.
    fn stores_no_credential(&self, workspace: &Workspace) {
        let credential = Canary::of("the credential of the key", secret_part(&self.key_secret));
        let objects = self.on.objects().into_iter();
        let objects = objects.flat_map(|(key, body)| [key.into_bytes(), body].concat());
        let places = [
            ("the state", read(workspace, "terraform.tfstate")),
            ("the bucket", objects.collect()),
        ];
        for (place, bytes) in &places {
            credential.absent_from(place, bytes).unwrap();
        }
        // The search finds what is there.
        let block = read(workspace, "provider.tf");
        assert_ne!(credential.find_in(&block), []);
    }

    /// An apply waits for the service's quota within the resource's time, and names it after.
    fn waits_for_a_quota(&self, workspace: &Workspace, next: &[(&str, &str)]) {
        if !matches!(self.service, Service::Gcp | Service::Azure) {
            return;
        }
        self.service.limit(&self.place, Quota::Spent);
        let told = workspace.fails(next);
        has(
            &told,
            &[
                "Encryption Key Rate Limited",
                "Raise the resource's timeouts",
            ],
        );
        assert!(!told.contains("Operation Timed Out"), "{told}");
        self.service.limit(&self.place, Quota::SpentFor(2));
        workspace.settled(next);
        self.service.limit(&self.place, Quota::Ample);
        assert_eq!(self.value("given"), "hunter2 of the second");
    }

    /// Rotates, reads and destroys, also while nobody may decrypt.
    fn lives(&self, workspace: &Workspace, key: &str) {
        workspace.settled(&[]);
        assert_eq!(self.value("given"), "hunter2 of the first");
        let main = &self.on.records()["organization"]["main_key"];
        let provider = match self.service {
            Service::Transit => "vault_transit",
            other => other.type_name(),
        };
        assert_eq!(main["provider"], provider);
        let next = [("trigger", "2"), ("value", "hunter2 of the second")];
        let remedy = self.service.permit(&self.place, key, false);
        // A refresh needs no key.
        workspace.unchanged(&[]);
        let denied = workspace.fails(&next);
        has(&denied, &[remedy]);
        // The provider block has no write-only arguments.
        for argument in ["token_wo", "json_wo", "secret_wo", "credentials_wo"] {
            assert!(!denied.contains(argument), "{denied}");
        }
        self.service.permit(&self.place, key, true);
        self.waits_for_a_quota(workspace, &next);
        workspace.settled(&next);
        assert_eq!(self.value("given"), "hunter2 of the second");
        self.stores_no_credential(workspace);
        workspace.destroyed(&next);
        assert_tombstones(&self.on.records());
        assert_eq!(self.on.versions(), [""; 0]);
    }
}

/// Returns the secrets, with little time for a change of the given one.
fn secrets() -> String {
    let trigger = "value_wo_version = var.trigger";
    SECRETS.replace(
        trigger,
        &format!("{trigger}\n  timeouts = {{ update = \"4s\" }}"),
    )
}

/// With a second key for the MAC key, the first apply needs no fingerprint.
fn lives_with_a_second_key(service: Service) {
    let keyed = Keyed::new(service);
    let keys = ["main", "mac"].map(|name| service.create(&keyed.place, name));
    let alone = keyed.encrypted_by(&keys[0], None);
    let workspace = alone.workspace(&secrets());
    let refused = workspace.fails(&[]);
    has(&refused, &["Organization Fingerprint Required"]);
    assert!(alone.on.objects().is_empty());
    let both = alone.encrypted_by(&keys[0], Some(&keys[1]));
    workspace
        .write("provider.tf", &both.on.provider(""))
        .unwrap();
    both.lives(&workspace, &keys[0]);
}

#[test]
fn acc_bucket_lives_with_two_keys_in_gcp_kms() {
    lives_with_a_second_key(Service::Gcp);
}

#[test]
fn acc_bucket_lives_with_two_keys_in_transit() {
    lives_with_a_second_key(Service::Transit);
}

const LATER: &str = r#"
resource "planton_secret" "later" {
  name     = "later"
  generate = { length = 40 }
}
"#;

/// Returns the keys that wrap the newest version of a secret.
fn keks(records: &BTreeMap<String, Value>, name: &str) -> Vec<Value> {
    let mut records = records.values();
    let record = records.find(|record| record["current"]["name"]["name"] == name);
    let versions = &record.unwrap()["current"]["versions"];
    let newest = versions.as_array().and_then(|all| all.last()).unwrap();
    newest["keks"].as_array().unwrap().clone()
}

/// A new version of the key wraps without a change of the configuration, and `rewrap` moves
/// everything to it, the MAC key among it.
fn follows_a_rotation(keyed: &Keyed, workspace: &Workspace, key: &str, pins: &[(&str, &str)]) {
    workspace.settled(&[]);
    let first = keyed.on.records()["organization"]["main_key"].clone();
    keyed.service.rotate(&keyed.place, key);
    workspace.write("later.tf", LATER).unwrap();
    workspace.settled(&[]);
    let records = keyed.on.records();
    assert_eq!(keks(&records, "given")[0], first);
    let second = keks(&records, "later");
    assert_ne!(second[0], first);
    assert_eq!(keyed.value("given"), "hunter2 of the first");
    let generated = keyed.value("generated");
    let later = keyed.value("later");

    let open = ["open", "--from-backend", "--platform-key", "--secret"];
    for name in ["given", "later"] {
        let opened = keyed.on.run(&[&open[..], &[name]].concat(), pins);
        has(&told(&opened, 0), &["The envelope opens"]);
    }
    let status = || told(&keyed.on.run(&["platform", "status"], pins), 0);
    has(&status(), &["rewrap due"]);
    told(&keyed.on.run(&["rewrap"], pins), 0);
    assert!(!status().contains("rewrap due"));
    let records = keyed.on.records();
    assert_eq!(records["organization"]["main_key"], second[0]);
    let mac_key = &records["organization"]["state"]["mac_key"];
    assert_eq!(mac_key[0]["kek"], second[0], "{}", records["organization"]);
    let id = first["id"].as_str().unwrap();
    let (_, path) = id.split_once("/keys/").unwrap();
    let disabled = serde_json::json!({"attributes": {"enabled": false}});
    let fake = keyed.place.azure_fake();
    fake.key("PATCH", &format!("keys/{path}"), &disabled)
        .unwrap();
    workspace.settled(&[]);
    assert_eq!(keyed.value("given"), "hunter2 of the first");
    assert_eq!(keyed.value("generated"), generated);
    assert_eq!(keyed.value("later"), later);
}

/// `platform init` creates the organization, and its fingerprint is pinned.
#[test]
fn acc_bucket_lives_with_a_key_in_azure_key_vault() {
    let service = Service::Azure;
    let keyed = Keyed::new(service);
    let key = service.create(&keyed.place, "main");
    let argument = service.argument(&keyed.place, &key);
    let folder = TempDir::new().unwrap();
    let mut variables = service.ambient(&keyed.key_secret, folder.path());
    variables.extend(keyed.place.environment());
    variables.push(("PLANTON_BUCKET_KEY", argument));
    let variables: Vec<_> = variables.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let made = json_of(&keyed.on.run(&["platform", "init", "--json"], &variables));
    let keyed = keyed.encrypted_by(&key, None);
    let pins = format!("organization_fingerprint = {}", made["fingerprint"]);
    let keyed = Keyed {
        on: keyed.on.pinned(pins),
        ..keyed
    };
    let workspace = keyed.workspace(&secrets());
    let fingerprint = made["fingerprint"].as_str().unwrap();
    let allowed = format!("{}:{key}", service.type_name());
    let pins = [
        ("PLANTON_ORGANIZATION_FINGERPRINT", fingerprint),
        ("PLANTON_ALLOWED_KEY_IDS", &allowed),
    ];
    let pinned = [&variables[..], &pins].concat();
    follows_a_rotation(&keyed, &workspace, &key, &pinned);
    keyed.lives(&workspace, &key);
    has(&told(&keyed.on.run(&["verify"], &pinned), 0), &["verified"]);
}
