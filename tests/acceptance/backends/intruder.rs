//! What somebody with rights at the vendor does to a secret, as far as each
//! vendor lets them.

use serde_json::{Value, json};

use super::Place;
use super::place::{Kind, PROJECT};

const THEIRS: &str = "somebody else's";

/// What is done to a secret's current version, or to all of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The version is deleted: on KV its path, on AWS the labels that keep it.
    Deleted,
    /// Its data is deleted, and can be brought back.
    SoftDeleted,
    /// Its data is destroyed.
    Destroyed,
    /// It may not be read any more, until it is enabled again.
    Disabled,
    /// Something else is written in its place.
    Overwritten,
    /// A newer version is put beside it.
    Overtaken,
    /// The secret is going to be deleted, and its name is taken until then.
    Scheduled,
    /// The secret is deleted for good, and another has its name.
    MadeAnew,
}

/// What the provider makes of a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The version is lost: the next is written.
    VersionLost,
    /// The object is gone: the next version goes to another one.
    Gone,
    /// All is as it was.
    Nothing,
}

impl Place {
    /// Returns what can be done here, with a name for the secret that it is done
    /// to.
    pub(super) fn deeds(&self) -> &'static [(&'static str, Deed, Found)] {
        match &self.kind {
            Kind::OpenBao { .. } => &[
                ("deleted", Deed::Deleted, Found::VersionLost),
                ("soft-deleted", Deed::SoftDeleted, Found::VersionLost),
                ("destroyed", Deed::Destroyed, Found::VersionLost),
                ("overwritten", Deed::Overwritten, Found::VersionLost),
            ],
            Kind::Aws(_) => &[
                ("deleted", Deed::Deleted, Found::VersionLost),
                ("overtaken", Deed::Overtaken, Found::Nothing),
                ("scheduled", Deed::Scheduled, Found::Gone),
                ("made-anew", Deed::MadeAnew, Found::Gone),
            ],
            Kind::Gcp(_) => &[
                ("destroyed", Deed::Destroyed, Found::VersionLost),
                ("disabled", Deed::Disabled, Found::VersionLost),
                ("overtaken", Deed::Overtaken, Found::Nothing),
                ("made-anew", Deed::MadeAnew, Found::Gone),
            ],
            // Key Vault deletes no version, and changes no value of one. One that
            // is disabled may come back, and is not for us to replace.
            Kind::Azure(_) => &[
                ("disabled", Deed::Disabled, Found::Nothing),
                ("overtaken", Deed::Overtaken, Found::Nothing),
                ("made-anew", Deed::MadeAnew, Found::Gone),
            ],
        }
    }

    /// Does it to the version `native_id` of the secret that is called `object`
    /// here.
    pub(super) fn commit(&self, deed: Deed, object: &str, native_id: &str) {
        match &self.kind {
            Kind::OpenBao { .. } => self.intrude_in_kv(deed, object, native_id),
            Kind::Aws(_) => self.intrude_in_aws(deed, object, native_id),
            Kind::Gcp(_) => self.intrude_in_gcp(deed, object, native_id),
            Kind::Azure(_) => self.intrude_in_azure(deed, object, native_id),
        }
    }

    /// Enables what was disabled.
    pub(super) fn enable(&self, object: &str, native_id: &str) {
        let fake = self.azure_fake();
        fake.set_enabled(object, native_id, true).unwrap();
    }

    fn intrude_in_kv(&self, deed: Deed, object: &str, native_id: &str) {
        let (slot, _) = native_id.split_once('@').unwrap();
        let call = |method: &str, what: &str, body: Option<Value>| {
            let path = format!("secret/{what}/{object}/{slot}");
            self.api().ok(method, &path, body.as_ref()).unwrap();
        };
        match deed {
            Deed::Deleted => call("DELETE", "metadata", None),
            Deed::SoftDeleted => call("DELETE", "data", None),
            Deed::Destroyed => call("PUT", "destroy", Some(json!({"versions": [1]}))),
            Deed::Overwritten => {
                let body = json!({"data": {"envelope": THEIRS}});
                call("POST", "data", Some(body));
            }
            _ => panic!("{deed:?} is nothing of KV's"),
        }
    }

    fn intrude_in_aws(&self, deed: Deed, object: &str, native_id: &str) {
        let put = |stages: &[String]| {
            self.ask(json!({"overtake": object, "payload": THEIRS, "stages": stages}));
        };
        match deed {
            // The second put takes AWSPREVIOUS away as well.
            Deed::Deleted => {
                let label = native_id.split(':').nth(1).unwrap();
                put(&[format!("planton-{label}")]);
                put(&[]);
            }
            Deed::Overtaken => put(&[]),
            Deed::Scheduled => drop(self.ask(json!({ "schedule": object }))),
            Deed::MadeAnew => {
                self.remove(object);
                self.put(object, "theirs", THEIRS);
            }
            _ => panic!("{deed:?} is nothing of AWS's"),
        }
    }

    fn intrude_in_gcp(&self, deed: Deed, object: &str, native_id: &str) {
        let (number, _) = native_id.split_once('@').unwrap();
        let secret = format!("projects/{PROJECT}/secrets/{object}");
        let call = |method: &str, path: &str, body: Value| {
            let (status, answer) = self.gcp_fake().call(method, path, &body).unwrap();
            assert_eq!(status, 200, "{deed:?}: {answer}");
        };
        let state = |verb: &str| {
            let version = format!("{secret}/versions/{number}:{verb}");
            call("POST", &version, json!({}));
        };
        let add = || {
            let payload = json!({"payload": {"data": "dGhlaXJz"}});
            call("POST", &format!("{secret}:addVersion"), payload);
        };
        match deed {
            Deed::Destroyed => state("destroy"),
            Deed::Disabled => state("disable"),
            Deed::Overtaken => add(),
            Deed::MadeAnew => {
                call("DELETE", &secret, json!({}));
                let create = format!("projects/{PROJECT}/secrets?secretId={object}");
                call("POST", &create, json!({"replication": {"automatic": {}}}));
                // As many as ours had, so that the current number is theirs.
                add();
                add();
            }
            _ => panic!("{deed:?} is nothing of GCP's"),
        }
    }

    fn intrude_in_azure(&self, deed: Deed, object: &str, native_id: &str) {
        let fake = self.azure_fake();
        let set = || drop(fake.set_secret(object, THEIRS, &json!({})).unwrap());
        match deed {
            Deed::Disabled => fake.set_enabled(object, native_id, false).unwrap(),
            Deed::Overtaken => set(),
            Deed::MadeAnew => {
                fake.remove_secret(object).unwrap();
                set();
            }
            _ => panic!("{deed:?} is nothing of Key Vault's"),
        }
    }
}
