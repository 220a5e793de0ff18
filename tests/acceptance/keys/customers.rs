//! A customer's own key of each type, from the declaration of a backend to its end.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::terraform::Workspace;

use super::service::Service;
use super::{IDENTITY, KEY_SECRET, OTHER, RECIPIENT, backend, escrow};
use crate::backends::Place;
use crate::backends::configuration::{VARIABLES, secret};
use crate::operator::{self, Pins, told};
use crate::scene::{On, PROVIDER, Scene, terraform_1_11};
use crate::steps::{Steps, flat, has};

#[test]
fn acc_customers_key_in_aws_kms_from_its_declaration_to_its_revocation() {
    from_declaration_to_revocation(Service::Aws);
}

#[test]
fn acc_customers_key_in_gcp_kms_from_its_declaration_to_its_revocation() {
    from_declaration_to_revocation(Service::Gcp);
}

#[test]
fn acc_customers_key_in_azure_key_vault_from_its_declaration_to_its_revocation() {
    from_declaration_to_revocation(Service::Azure);
}

#[test]
fn acc_customers_key_in_transit_from_its_declaration_to_its_revocation() {
    from_declaration_to_revocation(Service::Transit);
}

/// Steps of the removal of former keys from the record of a backend.
pub(crate) const REMOVE_FORMER: [&str; 2] = ["remove former keys", "commit former keys"];

/// A backend with a customer's key. Its escrow keys are two identities of age and another key
/// in the same service, which has the credential of the customer's key. For the organization,
/// whose escrow key it is as well, the provider finds the credential in its environment.
struct Customer {
    service: Service,
    scene: Scene,
    place: Place,
    workspace: Workspace,
    /// The key of the service among the escrow keys.
    spare: String,
    key_secret: String,
    _folder: TempDir,
}

impl Customer {
    fn new(service: Service) -> Self {
        let scene = Scene::new(&terraform_1_11(), On::Embedded);
        let place = service.start();
        let (folder, key_secret) = (TempDir::new().unwrap(), service.secret(&place));
        let place = place.with_variables(service.ambient(&key_secret, folder.path()));
        let customer = Self {
            service,
            spare: service.create(&place, "spare"),
            workspace: place.workspace(&scene),
            scene,
            place,
            key_secret,
            _folder: folder,
        };
        // The organization has two of the escrow keys.
        let [age, spare] = [format!("age:{RECIPIENT}"), customer.spare_argument()];
        let init = ["platform", "init", "--escrow", &age, "--escrow", &spare];
        let variables = customer.place.environment();
        let variables: Vec<_> = variables.iter().map(|(k, v)| (*k, v.as_str())).collect();
        told(&operator::run(&customer.scene, &init, &variables), 0);
        customer
    }

    fn spare_argument(&self) -> String {
        self.service.argument(&self.place, &self.spare)
    }

    /// Declares the backend, whose data keys the keys of both blocks and two recipients wrap,
    /// with a secret on it, and one in the built-in backend.
    fn declare(&self, block: &str, spare: &str) {
        let escrow = escrow(&[RECIPIENT, OTHER]).replace(']', &format!(", {spare}]"));
        let keys = format!("encryption = {block}\n  {escrow}");
        let parts = [
            VARIABLES,
            KEY_SECRET,
            &backend(&self.place, &keys),
            &secret("db", "backend = planton_secret_backend.own.name"),
            &secret("near", ""),
        ];
        self.workspace.write("main.tf", &parts.concat()).unwrap();
    }

    /// Declares the key `key`, with sealed credentials.
    fn declare_sealed(&self, key: &str) {
        let block = |key| self.service.block(&self.place, key);
        self.declare(&block(key), &block(&self.spare));
    }

    fn variables(&self) -> [(&'static str, &str); 2] {
        [
            ("backend_secret", &self.place.secret),
            ("key_secret", &self.key_secret),
        ]
    }

    /// Returns the variables of the second version.
    fn next(&self) -> [(&'static str, &str); 4] {
        let [backend, key] = self.variables();
        [backend, key, ("rotation", "2"), ("value", "second value")]
    }

    fn key_ids(&self) -> Vec<String> {
        let own = self.workspace.attributes("planton_secret_backend.own");
        let own = own.unwrap();
        let ids = own["key_ids"].as_array().unwrap().iter();
        ids.map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    fn read(&self) -> String {
        self.place.read(&self.scene, "db")
    }

    fn first_version(&self) -> String {
        let selector = "name = \"db\"\n  version = 1".to_owned();
        let mut values = self.place.read_each(&self.scene, &[("db", selector)]);
        values.remove("db").unwrap()
    }

    /// Fails to read, and returns the diagnostics.
    fn refused_read(&self) -> String {
        let reader = self.place.workspace(&self.scene);
        let read = "ephemeral \"planton_secret\" \"db\" {\n  name = \"db\"\n}\n";
        reader.write("main.tf", read).unwrap();
        reader.fails(&[])
    }

    /// Runs `rewrap` on the backend, with these keys allowed, and with a further variable.
    fn rewrap(&self, allowed: &[String], more: &[&str], variable: Option<(&str, &str)>) -> Output {
        let mut pins = Pins::of(&self.scene);
        for id in allowed {
            pins = pins.and(id);
        }
        let rewrap = ["rewrap", "--backend", "own", "--json"];
        let mut variables = pins.variables().to_vec();
        let environment = self.place.environment();
        variables.extend(
            environment
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        variables.extend(variable);
        operator::run(&self.scene, &[&rewrap, more].concat(), &variables)
    }

    /// Runs `rewrap`, which exits with `status`. Returns what it says of the backend.
    fn rewrapped(&self, allowed: &[String], more: &[&str], status: i32) -> Value {
        let output = self.rewrap(allowed, more, None);
        told(&output, status);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        told["backends"][0].clone()
    }

    /// Returns what `open` prints of every envelope that the backend stores, with the arguments
    /// `key`.
    fn opened(&self, key: &[&str]) -> Vec<String> {
        let stored = self.place.objects();
        let stored = stored.iter().flat_map(|object| &object.payloads);
        let opened = stored.map(|payload| self.open(key, payload));
        opened.collect()
    }

    /// Opens an envelope on stdin, without any variable of the platform.
    fn open(&self, key: &[&str], envelope: &[u8]) -> String {
        let mut command = Command::new(PROVIDER);
        command.args(["open", "--reveal"]).args(key);
        command.envs(self.place.environment());
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(envelope).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

fn from_declaration_to_revocation(service: Service) {
    let customer = Customer::new(service);
    let Customer {
        place, workspace, ..
    } = &customer;
    let [one, two] = ["one", "two"].map(|name| service.create(place, name));
    let first = customer.variables();

    customer.declare_sealed(&one);
    refused_while_encryption_is_denied(&customer, &one);
    service.show_rotation(place);
    let saved = workspace.settled(&first);
    has(
        &flat(saved.stdout()),
        &["Encryption Key Not Rotated", "has no automatic rotation"],
    );
    // Credentials are sealed for the backend, its main key and its escrow key.
    let record = customer.scene.records()["backends/own"].to_string();
    assert_eq!(record.matches("pse1.").count(), 3, "{record}");
    let ids = customer.key_ids();
    assert!(
        ids[0].starts_with(&format!("{}:", service.type_name())),
        "{ids:?}"
    );
    assert_eq!(customer.read(), "first value");

    // A rotated key needs nothing to be read, and a rewrap moves to its newest version.
    service.rotate(place, &one);
    // Each version of a key in Key Vault is a key of its own, which an apply saves.
    if service == Service::Azure {
        let planned = workspace.changes(&first);
        has(
            &planned,
            &["key_ids", "0 to add, 1 to change, 0 to destroy"],
        );
        workspace.settled(&first);
    }
    workspace.unchanged(&first);
    assert_eq!(customer.read(), "first value");
    let payloads = || -> Vec<_> {
        let objects = place.objects().into_iter();
        objects.map(|object| object.payloads).collect()
    };
    let stored = payloads();
    let missing = service.permit_rewrap(place, false);
    let refused = operator::told(&customer.rewrap(&ids, &[], None), 1);
    has(&refused, &["Rewrap Not Permitted", "Nothing was changed"]);
    has(&refused, missing);
    assert_eq!(payloads(), stored);
    service.permit_rewrap(place, true);
    let done = customer.rewrapped(&ids, &[], 0);
    assert_eq!(done["rewrapped"], 1, "{done}");
    assert_eq!(customer.read(), "first value");

    moved_to_another_key(&customer, &one, &two);
    revoked_and_restored(&customer, &two);
    lost(&customer, &two);
}

/// A key that may not wrap is refused before anything of the backend is saved.
fn refused_while_encryption_is_denied(customer: &Customer, key: &str) {
    let Customer { service, place, .. } = customer;
    let grant = service.permit_encryption(place, key, false);
    let text = customer.workspace.fails(&customer.variables());
    let told = [
        "Encryption Key Access Denied",
        "with planton_secret_backend.own",
    ];
    has(&text, &[&told[..], &[grant]].concat());
    // In the other services, the organization's escrow key is denied before, for the credential.
    if *service == Service::Aws {
        has(&text, &["The backend was not saved"]);
    }
    let records = customer.scene.records();
    let is_saved = records.keys().any(|key| key.starts_with("backends/"));
    assert!(!is_saved && place.objects().is_empty(), "{records:?}");
    service.permit_encryption(place, key, true);
}

/// Another key counts for new versions, and the former one opens the others until a rewrap
/// has moved them and somebody gives it up.
fn moved_to_another_key(customer: &Customer, one: &str, two: &str) {
    let Customer { service, place, .. } = customer;
    let mut allowed = customer.key_ids();
    let former = allowed[0].clone();
    customer.declare_sealed(two);
    let rotates = service.rotate_by_itself(place, two);
    let saved = customer.workspace.settled(&customer.next());
    let is_warned = flat(saved.stdout()).contains("Encryption Key Not Rotated");
    assert!(!is_warned || !rotates, "{saved:?}");
    let second = customer.key_ids().remove(0);
    assert_ne!(second, former);
    assert_eq!(customer.first_version(), "first value");
    // A version that cannot be moved is named, and the former key stays.
    allowed.push(second);
    service.set_usable(place, one, false);
    let done = customer.rewrapped(&allowed, &["--remove-former-keys"], 1);
    assert_eq!(done["failed"][0]["name"], "db", "{done}");
    assert_eq!(done["failed"][0]["version"], 1, "{done}");
    assert_eq!(done["failed"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(
        done["former_keys_needed_by"],
        json!(["db, version 1"]),
        "{done}"
    );
    service.set_usable(place, one, true);
    let done = customer.rewrapped(&allowed, &[], 0);
    // A wrap in AWS KMS does not show its version, so the second one moves as well.
    let moved = if *service == Service::Aws { 2 } else { 1 };
    assert_eq!(done["rewrapped"], moved, "{done}");
    // What a store keeps of a version stays under its former key, and is said.
    let kept = done["kept"].as_array().unwrap();
    assert_eq!(kept.is_empty(), place.deletes_versions(), "{done}");
    for step in REMOVE_FORMER {
        let killing = Some((operator::KILL, step));
        let killed = customer.rewrap(&allowed, &["--remove-former-keys"], killing);
        operator::killed(&killed, step);
        customer.workspace.unchanged(&customer.next());
    }
    let done = customer.rewrapped(&allowed, &["--remove-former-keys"], 0);
    // Both versions of a key in Key Vault have one identifier to be pinned.
    let former = vec![former; if *service == Service::Azure { 2 } else { 1 }];
    assert_eq!(done["former_keys_removed"], json!(former), "{done}");
    service.set_usable(place, one, false);
    assert_eq!(customer.first_version(), "first value");
    assert_eq!(customer.read(), "second value");
}

/// While the key is revoked, or its use is denied, a refresh works, and a read names the remedy.
fn revoked_and_restored(customer: &Customer, key: &str) {
    let Customer { service, place, .. } = customer;
    let told = service.set_usable(place, key, false);
    customer.workspace.unchanged(&customer.next());
    has(&customer.refused_read(), &told);
    service.set_usable(place, key, true);
    if let Some(told) = service.schedule_deletion(place, key, true) {
        customer.workspace.unchanged(&customer.next());
        has(&customer.refused_read(), &told);
        service.schedule_deletion(place, key, false);
        assert_eq!(customer.read(), "second value");
    }
    let remedy = service.permit(place, key, false);
    customer.workspace.unchanged(&customer.next());
    let text = customer.refused_read();
    has(&text, &["Encryption Key Access Denied", remedy]);
    service.permit(place, key, true);
    assert_eq!(customer.read(), "second value");
}

/// The key is deleted for good. Each escrow key opens what it wrapped, and the identity moves
/// the backend to a new key.
fn lost(customer: &Customer, key: &str) {
    let Customer {
        service,
        scene,
        place,
        workspace,
        ..
    } = customer;
    let lost = customer.key_ids().remove(0);
    let summary = service.delete(place, key);
    let next = customer.next();
    workspace.unchanged(&next);
    has(&customer.refused_read(), &[summary]);

    let folder = TempDir::new().unwrap();
    let identity = folder.path().join("id");
    std::fs::write(&identity, IDENTITY).unwrap();
    let identity = identity.to_str().unwrap();
    let spare = customer.spare_argument();
    let by_identity = ["--identity", identity];
    let named = |name: &'static str| {
        let organization = ["--organization", "acme", "--secret", name];
        [&["--key", &spare], &organization[..]].concat()
    };
    for opened in [customer.opened(&by_identity), customer.opened(&named("db"))] {
        for value in ["first value", "second value"] {
            assert!(opened.iter().any(|text| text == value), "{opened:?}");
        }
    }
    // So it is with the organization's escrow key.
    let near = operator::stored(scene, "near");
    assert_eq!(customer.open(&named("near"), &near), "second value");

    // The new key takes the credential of the environment, once somebody asks for it.
    let new = service.create(place, "new");
    let [block, spare] = [&new, &customer.spare].map(|key| service.ambient_block(place, key));
    customer.declare(&block, &spare);
    let text = workspace.fails(&next);
    has(
        &text,
        &["Encryption Key Login Failed", "credentials_wo_version"],
    );
    let next = [&next[..], &[("credentials", "2")]].concat();
    workspace.settled(&next);
    let allowed = customer.key_ids();
    // Without the identity, nothing opens what the lost key has wrapped.
    let both = [std::slice::from_ref(&lost), &allowed[..]].concat();
    customer.rewrapped(&both, &[], 1);
    // The lost key needs no pin any more.
    let with = ["--with", identity, "--remove-former-keys"];
    let done = customer.rewrapped(&allowed, &with, 0);
    assert_eq!(done["rewrapped"], 2, "{done}");
    assert_eq!(done["former_keys_removed"], json!([lost]));
    assert_eq!(customer.first_version(), "first value");
    assert_eq!(customer.read(), "second value");
    workspace.unchanged(&next);
    workspace.destroyed(&next);
}
