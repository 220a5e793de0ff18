//! Credentials of a backend that give way to others, and are revoked.

use xtask::terraform::Workspace;

use super::Place;
use super::place::{ACCESS_KEY, Kind};
use crate::scene::Scene;
use crate::steps::{Steps, has};

/// A credential that leads to a place.
pub(super) struct Credential {
    pub(super) secret: String,
    /// What names it in the block, in place of [`ACCESS_KEY`].
    access_key: String,
}

impl Credential {
    /// Returns `block`, which may name another, with this one.
    pub(super) fn named_in(&self, block: &str) -> String {
        block.replace(ACCESS_KEY, &self.access_key)
    }
}

impl Place {
    /// Takes a credential that can be revoked, as none but a root token is.
    pub(super) fn with_revocable_secret(self) -> Self {
        match &self.kind {
            Kind::OpenBao { .. } => {
                let secret = self.credential(1).secret;
                self.with_secret(secret)
            }
            _ => self,
        }
    }

    /// Makes another credential that leads to the same place.
    pub(super) fn credential(&self, number: usize) -> Credential {
        let secret = format!("another-secret-with-40-characters-or-so{number}");
        let access_key = ACCESS_KEY.replace("0001", &format!("100{number}"));
        let secret = match &self.kind {
            Kind::OpenBao { .. } => {
                let policy = "path \"secret/*\" { capabilities = [\"create\", \"read\", \
                              \"update\", \"delete\", \"list\"] }";
                self.api().write_policy("stores", policy).unwrap();
                self.api().create_token(&["stores"], "1h").unwrap()
            }
            Kind::Aws(moto) => {
                moto.allow_key(&access_key, &secret, None).unwrap();
                secret
            }
            Kind::Gcp(fake) => {
                let email = "planton@acme-prod.iam.gserviceaccount.com";
                fake.key_file(email).unwrap()
            }
            Kind::Azure(fake) => {
                fake.add_client_secret(&secret).unwrap();
                secret
            }
        };
        Credential { secret, access_key }
    }

    /// Returns the credential that it was started with.
    pub(super) fn first_credential(&self) -> Credential {
        Credential {
            secret: self.secret.clone(),
            access_key: ACCESS_KEY.to_owned(),
        }
    }

    /// Takes a credential away.
    pub(super) fn revoke(&self, credential: &Credential) {
        let Credential { secret, access_key } = credential;
        match &self.kind {
            Kind::OpenBao { .. } => {
                let token = serde_json::json!({ "token": secret });
                let revoke = self.api().ok("POST", "auth/token/revoke", Some(&token));
                revoke.unwrap();
            }
            Kind::Aws(moto) => moto.delete_key(access_key).unwrap(),
            Kind::Gcp(fake) => fake.delete_key(secret).unwrap(),
            Kind::Azure(fake) => {
                fake.remove_client_secret(secret).unwrap();
                fake.expire_tokens().unwrap();
            }
        }
    }
}

/// Takes the backend `own` and its secret `db` from the credential that it was
/// declared with to a second and a third one, each of which outlives its
/// predecessor. `write` writes a configuration with a backend's declaration and
/// further parts; `declared` has the trigger at "1".
pub(super) fn give_way_to_others(
    scene: &Scene,
    place: &Place,
    workspace: &Workspace,
    declared: &str,
    write: impl Fn(&str, &str),
) {
    let [first, second, third] = [
        place.first_credential(),
        place.credential(2),
        place.credential(3),
    ];
    let with = |credential: &Credential, trigger: &str| {
        let trigger = format!("version = {trigger:?}");
        let declared = declared.replace("version = \"1\"", &trigger);
        credential.named_in(&declared)
    };

    // With the trigger the second takes over. Then the first is not needed any
    // more, and what the variable has by now is not looked at.
    write(&with(&second, "2"), "");
    workspace.settled(&[("backend_secret", second.secret.as_str())]);
    place.revoke(&first);
    write(&with(&second, "2"), LATER);
    let rotated = [
        ("backend_secret", "no credential"),
        ("rotation", "2"),
        ("value", "second value"),
    ];
    workspace.settled(&rotated);
    assert_eq!(workspace.secret("db")["version"], 2);
    for name in ["db", "later"] {
        assert_eq!(place.read(scene, name), "second value", "{name}");
    }

    // Without the trigger the one in use stays in use, although a good one is
    // given; and what cannot be looked at is not taken for gone.
    place.revoke(&second);
    let rescued = [
        ("backend_secret", third.secret.as_str()),
        rotated[1],
        rotated[2],
    ];
    let refused = workspace.refused(&rescued);
    has(&refused, &["Secret Backend Login Failed"]);
    assert_eq!(workspace.secret("db")["version"], 2);

    // With it, and without asking the old one: as the guide says.
    write(&with(&third, "3"), LATER);
    let unasked = ["-refresh=false"];
    let outcome = workspace.apply_with(&rescued, &unasked).unwrap();
    outcome.ok().unwrap();
    workspace.unchanged(&rotated);
}

const LATER: &str = "resource \"planton_secret\" \"later\" {\n  name = \"later\"\n  backend = \
                     planton_secret_backend.own.name\n  value_wo = var.value\n  value_wo_version = \
                     \"1\"\n}\n";
