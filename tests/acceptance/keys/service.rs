//! The services that keep a customer's keys: one that the administrator of the key sees.

use std::path::Path;

use serde_json::{Value, json};
use xtask::azure::AzureFake;
use xtask::gcp::GcpFault;
use xtask::moto::{KmsKeyState, NewKmsKey};

use crate::backends::Place;

/// An access key beside the backend's own, with the same secret part.
pub(super) const ACCESS_KEY: &str = "AKIAKEYS00000000001";
const RING: &str = "projects/acme-prod/locations/europe-west3/keyRings/planton";

/// How many requests for keys a service rejects for its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quota {
    /// None.
    Ample,
    /// The next ones.
    SpentFor(u32),
    /// All.
    Spent,
}

/// A service of keys beside a place, as their administrator uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Aws,
    Gcp,
    Azure,
    Transit,
}

impl Service {
    /// Returns the name of the key type.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Aws => "aws_kms",
            Self::Gcp => "gcp_kms",
            Self::Azure => "azure_key_vault_key",
            Self::Transit => "vault_transit",
        }
    }

    /// Starts the service, with a place whose credential it accepts as well.
    pub(crate) fn start(self) -> Place {
        let place = match self {
            Self::Aws => Place::aws(),
            Self::Gcp => Place::gcp(),
            Self::Azure => Place::azure(),
            Self::Transit => Place::openbao(),
        };
        self.prepare(&place);
        place
    }

    /// Sets the service up at a place.
    pub(super) fn prepare(self, place: &Place) {
        match self {
            Self::Aws => {
                let moto = place.moto();
                moto.allow_key(ACCESS_KEY, &place.secret, None).unwrap();
            }
            Self::Gcp => {
                let rings = RING.rsplit_once('/').unwrap().0;
                ok(
                    place,
                    "POST",
                    &format!("{rings}?keyRingId=planton"),
                    &json!({}),
                );
            }
            Self::Azure => {}
            Self::Transit => place.server().api().enable_transit("customer").unwrap(),
        }
    }

    /// Returns the credential of the key, for the variable `key_secret`.
    pub(crate) fn secret(self, place: &Place) -> String {
        match self {
            Self::Aws | Self::Gcp | Self::Azure => place.secret.clone(),
            Self::Transit => {
                permit_transit(place, &["encrypt", "decrypt", "rewrap", "keys"]);
                let api = place.server().api();
                api.create_token(&["customer"], "1h").unwrap()
            }
        }
    }

    /// Creates the key `name`, and returns how a block names it.
    pub(crate) fn create(self, place: &Place, name: &str) -> String {
        match self {
            Self::Aws => place.moto().create_kms_key(&NewKmsKey::default()).unwrap(),
            Self::Gcp => {
                let path = format!("{RING}/cryptoKeys?cryptoKeyId={name}");
                ok(place, "POST", &path, &json!({"purpose": "ENCRYPT_DECRYPT"}));
                format!("{RING}/cryptoKeys/{name}")
            }
            Self::Azure => {
                let fake = place.azure_fake();
                let path = format!("keys/{name}/create");
                fake.key("POST", &path, &json!({"kty": "RSA"})).unwrap();
                format!("{}/keys/{name}", fake.vault_url())
            }
            Self::Transit => {
                transit(place, &format!("keys/{name}"), &json!({"derived": true}));
                name.to_owned()
            }
        }
    }

    /// Returns the settings of the key `key`, without a credential.
    fn settings(self, place: &Place, key: &str) -> Vec<(&'static str, String)> {
        let (key, address) = (key.to_owned(), place.address());
        match self {
            Self::Aws => vec![
                ("key_id", key),
                ("region", "eu-central-1".to_owned()),
                ("endpoint", address),
            ],
            Self::Gcp => vec![("key_name", key), ("endpoint", address)],
            Self::Azure => vec![("key_url", key), ("authority_host", address)],
            Self::Transit => vec![
                ("address", place.server().address().to_owned()),
                ("mount_path", "customer".to_owned()),
                ("key_name", key),
            ],
        }
    }

    /// Returns the block of the key `key`, with the credential of the place.
    pub(crate) fn block(self, place: &Place, key: &str) -> String {
        let credential = match self {
            Self::Aws => {
                format!(", access_key_id = {ACCESS_KEY:?}, secret_access_key_wo = var.key_secret")
            }
            Self::Gcp => ", service_account_key_json_wo = var.key_secret".to_owned(),
            Self::Azure => format!(
                ", tenant_id = {:?}, client_id = {:?}, client_secret_wo = var.key_secret",
                AzureFake::TENANT,
                AzureFake::CLIENT
            ),
            Self::Transit => ", token_wo = var.key_secret".to_owned(),
        };
        self.block_with(place, key, &credential)
    }

    /// Returns the block of the key `key`, whose credential comes from the ambient chain.
    pub(super) fn ambient_block(self, place: &Place, key: &str) -> String {
        self.block_with(place, key, "")
    }

    fn block_with(self, place: &Place, key: &str, credential: &str) -> String {
        let settings = self.settings(place, key).into_iter();
        let settings: Vec<_> = settings
            .map(|(name, value)| format!("{name} = {value:?}"))
            .collect();
        let settings = settings.join(", ");
        format!("{{ {} = {{ {settings}{credential} }} }}", self.type_name())
    }

    /// Returns the key `key` as an argument of a command.
    pub(crate) fn argument(self, place: &Place, key: &str) -> String {
        let settings = self.settings(place, key).into_iter();
        let settings: Vec<_> = settings
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{}:{}", self.type_name(), settings.join(","))
    }

    /// Returns the variables in which the vendor's own tools find the credential of the key.
    pub(crate) fn ambient(self, secret: &str, folder: &Path) -> Vec<(&'static str, String)> {
        let secret = secret.to_owned();
        match self {
            Self::Aws => vec![
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", secret),
            ],
            Self::Gcp => {
                let file = folder.join("key.json");
                std::fs::write(&file, secret).unwrap();
                let file = file.display().to_string();
                vec![("GOOGLE_APPLICATION_CREDENTIALS", file)]
            }
            Self::Azure => vec![
                ("AZURE_TENANT_ID", AzureFake::TENANT.to_owned()),
                ("AZURE_CLIENT_ID", AzureFake::CLIENT.to_owned()),
                ("AZURE_CLIENT_SECRET", secret),
            ],
            Self::Transit => vec![("VAULT_TOKEN", secret)],
        }
    }

    /// Takes the permission to decrypt from whoever opens with the key, or gives it back.
    /// Returns part of the remedy that an error then has.
    pub(crate) fn permit(self, place: &Place, key: &str, is_permitted: bool) -> &'static str {
        match self {
            Self::Aws => {
                let deny = json!({
                    "Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
                });
                let statements = if is_permitted { &[][..] } else { &[deny] };
                place.moto().set_kms_key_policy(key, statements).unwrap();
                "kms:Decrypt"
            }
            Self::Gcp => {
                let denied = "cloudkms.cryptoKeyVersions.useToDecrypt";
                let denied = if is_permitted { &[][..] } else { &[denied] };
                place.gcp_fake().deny(denied).unwrap();
                "roles/cloudkms.cryptoKeyEncrypterDecrypter"
            }
            Self::Azure => {
                let denied = match is_permitted {
                    true => json!({}),
                    false => json!({"keys/unwrapkey": "ForbiddenByRbac"}),
                };
                place
                    .azure_fake()
                    .control(&json!({"deny": denied}))
                    .unwrap();
                "Key Vault Crypto User"
            }
            Self::Transit => {
                let paths = ["encrypt", "rewrap", "keys", "decrypt"];
                permit_transit(place, if is_permitted { &paths } else { &paths[..3] });
                "customer/decrypt"
            }
        }
    }

    /// Deletes the key for good. Returns the summary of the error of whoever needs it.
    pub(super) fn delete(self, place: &Place, key: &str) -> &'static str {
        match self {
            Self::Aws => {
                let moto = place.moto();
                moto.set_kms_key_state(key, KmsKeyState::Deleted).unwrap();
            }
            Self::Gcp => {
                for number in 1.. {
                    let path = format!("{key}/cryptoKeyVersions/{number}:destroy");
                    let (status, _) = place.gcp_fake().call("POST", &path, &json!({})).unwrap();
                    if status == 404 && number > 1 {
                        break;
                    }
                    assert_eq!(status, 200, "{path}");
                }
                place.gcp_fake().end_destruction().unwrap();
                // Cloud KMS never deletes the key itself.
                return "Encryption Key Destroyed";
            }
            Self::Azure => {
                let name = key.rsplit('/').next().unwrap();
                for path in [format!("keys/{name}"), format!("deletedkeys/{name}")] {
                    let fake = place.azure_fake();
                    fake.key("DELETE", &path, &json!({})).unwrap();
                }
            }
            Self::Transit => {
                let path = format!("keys/{key}/config");
                transit(place, &path, &json!({"deletion_allowed": true}));
                let path = format!("customer/keys/{key}");
                place.server().api().ok("DELETE", &path, None).unwrap();
            }
        }
        "Encryption Key Missing"
    }

    /// Gives the key a new version.
    pub(crate) fn rotate(self, place: &Place, key: &str) {
        match self {
            Self::Aws => place.moto().rotate_kms_key(key).unwrap(),
            Self::Gcp => {
                let versions = format!("{key}/cryptoKeyVersions");
                let made = ok(place, "POST", &versions, &json!({}));
                let number = made["name"].as_str().unwrap().rsplit('/').next().unwrap();
                let body = json!({"cryptoKeyVersionId": number});
                ok(place, "POST", &format!("{key}:updatePrimaryVersion"), &body);
            }
            Self::Azure => {
                let name = key.rsplit('/').next().unwrap();
                let path = format!("keys/{name}/rotate");
                place.azure_fake().key("POST", &path, &json!({})).unwrap();
            }
            Self::Transit => transit(place, &format!("keys/{key}/rotate"), &json!({})),
        }
    }

    /// Sets the quota of requests for keys. A service without a quota of its own stays as it is.
    pub(crate) fn limit(self, place: &Place, quota: Quota) {
        let rejected = match quota {
            Quota::Ample => 0,
            Quota::SpentFor(requests) => requests,
            Quota::Spent => 10_000,
        };
        match self {
            Self::Gcp => {
                let fake = place.gcp_fake();
                fake.clear_faults().unwrap();
                let spent = GcpFault::Refuse("RESOURCE_EXHAUSTED", Some("RATE_LIMIT_EXCEEDED"));
                fake.fault("Encrypt", rejected, spent).unwrap();
            }
            Self::Azure => {
                let answers = vec![429; rejected as usize];
                let fake = place.azure_fake();
                fake.control(&json!({"answers": answers})).unwrap();
            }
            Self::Aws | Self::Transit => {}
        }
    }

    /// Takes the key out of use, or gives it back. Returns the summary of an error that it then
    /// causes, and part of its remedy.
    pub(super) fn set_usable(self, place: &Place, key: &str, usable: bool) -> [&'static str; 2] {
        let remedy = match self {
            Self::Aws => {
                let state = match usable {
                    true => KmsKeyState::Enabled,
                    false => KmsKeyState::Disabled,
                };
                place.moto().set_kms_key_state(key, state).unwrap();
                "enable-key"
            }
            Self::Gcp => {
                let state = if usable { "ENABLED" } else { "DISABLED" };
                for number in 1.. {
                    let path = format!("{key}/cryptoKeyVersions/{number}?updateMask=state");
                    let change = json!({"state": state});
                    let (status, _) = place.gcp_fake().call("PATCH", &path, &change).unwrap();
                    if status == 404 && number > 1 {
                        break;
                    }
                    assert_eq!(status, 200, "{path}");
                }
                "gcloud kms keys versions enable"
            }
            Self::Azure => {
                let fake = place.azure_fake();
                let name = key.rsplit('/').next().unwrap();
                let found = fake
                    .key("GET", &format!("keys/{name}"), &json!({}))
                    .unwrap();
                let kid = found["key"]["kid"].as_str().unwrap();
                let (_, path) = kid.split_once("/keys/").unwrap();
                let change = json!({"attributes": {"enabled": usable}});
                fake.key("PATCH", &format!("keys/{path}"), &change).unwrap();
                "--enabled true"
            }
            // A derived key is not disabled, but every version may be retired.
            Self::Transit => {
                if !usable {
                    self.rotate(place, key);
                }
                let path = format!("customer/keys/{key}");
                let newest = place.server().api().ok("GET", &path, None).unwrap();
                let least = match usable {
                    true => 1,
                    false => newest["data"]["latest_version"].as_u64().unwrap(),
                };
                let change = json!({"min_decryption_version": least});
                transit(place, &format!("keys/{key}/config"), &change);
                "min_decryption_version"
            }
        };
        ["Encryption Key Disabled", remedy]
    }
}

/// Acts as the administrator of the project.
pub(super) fn ok(place: &Place, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = place.gcp_fake().call(method, path, body).unwrap();
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer
}

/// Permits these paths of the customer's Transit engine to its token.
pub(super) fn permit_transit(place: &Place, paths: &[&str]) {
    let rules = paths.iter().map(|path| {
        format!("path \"customer/{path}/*\" {{\n  capabilities = [\"read\", \"update\"]\n}}\n")
    });
    let rules: String = rules.collect();
    place
        .server()
        .api()
        .write_policy("customer", &rules)
        .unwrap();
}

/// Acts as the administrator of the customer's Transit engine.
pub(super) fn transit(place: &Place, path: &str, body: &Value) {
    let path = format!("customer/{path}");
    place.server().api().ok("POST", &path, Some(body)).unwrap();
}
