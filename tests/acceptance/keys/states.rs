//! What the administrator of a key does to it: grants, rotation, and a deletion that can be undone.

use serde_json::json;

use super::service::{ACCESS_KEY, Service, ok, permit_transit, transit};
use crate::backends::Place;

impl Service {
    /// Denies encryption under the key, or permits it again: in other services than AWS, under
    /// every key. Returns the missing grant, as an error names it.
    pub(super) fn permit_encryption(
        self,
        place: &Place,
        key: &str,
        is_permitted: bool,
    ) -> &'static str {
        match self {
            Self::Aws => {
                let deny = json!({
                    "Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*",
                });
                let statements = if is_permitted { &[][..] } else { &[deny] };
                place.moto().set_kms_key_policy(key, statements).unwrap();
                "A policy denies kms:Encrypt on"
            }
            Self::Gcp => {
                let denied = "cloudkms.cryptoKeyVersions.useToEncrypt";
                let denied = if is_permitted { &[][..] } else { &[denied] };
                place.gcp_fake().deny(denied).unwrap();
                "gcloud kms keys add-iam-policy-binding"
            }
            Self::Azure => {
                let denied = match is_permitted {
                    true => json!({}),
                    false => json!({"keys/wrapkey": "ForbiddenByRbac"}),
                };
                let fake = place.azure_fake();
                fake.control(&json!({"deny": denied})).unwrap();
                "az role assignment create"
            }
            Self::Transit => {
                let paths = ["decrypt", "rewrap", "keys", "encrypt"];
                permit_transit(place, if is_permitted { &paths } else { &paths[..3] });
                "path \"customer/encrypt/"
            }
        }
    }

    /// Takes what a rewrap alone requires from whoever uses the key, or gives it back. Returns
    /// parts of the error that a rewrap then ends with: one for each missing permission.
    pub(super) fn permit_rewrap(
        self,
        place: &Place,
        is_permitted: bool,
    ) -> &'static [&'static str] {
        match self {
            Self::Aws => {
                let mut actions = vec!["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt"];
                if is_permitted {
                    actions.extend(["kms:ReEncryptFrom", "kms:ReEncryptTo"]);
                }
                let policy = json!({
                    "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
                });
                place.moto().attach_policy(ACCESS_KEY, &policy).unwrap();
                &["lacks a permission", "\"Action\": \"kms:ReEncryptFrom\""]
            }
            Self::Gcp => {
                const BOTH: [&str; 2] = [
                    "cloudkms.cryptoKeyVersions.useToDecrypt",
                    "cloudkms.cryptoKeyVersions.useToEncrypt",
                ];
                let denied = if is_permitted { &[][..] } else { &BOTH };
                place.gcp_fake().deny(denied).unwrap();
                &["lacks 2 permissions", BOTH[0], BOTH[1]]
            }
            Self::Azure => {
                let denied = match is_permitted {
                    true => json!({}),
                    false => json!({
                        "keys/unwrapkey": "ForbiddenByRbac", "keys/wrapkey": "ForbiddenByRbac",
                    }),
                };
                let fake = place.azure_fake();
                fake.control(&json!({"deny": denied})).unwrap();
                &[
                    "lacks 2 permissions",
                    "keys/unwrap/action",
                    "keys/wrap/action",
                ]
            }
            Self::Transit => {
                let paths = ["encrypt", "keys", "decrypt", "rewrap"];
                permit_transit(place, if is_permitted { &paths } else { &paths[..3] });
                &["lacks a permission", "path \"customer/rewrap/"]
            }
        }
    }

    /// Permits the provider to read how keys rotate, where a key's usual role does not.
    pub(super) fn show_rotation(self, place: &Place) {
        if self == Self::Azure {
            let fake = place.azure_fake();
            // The test of the connection purges what it has written.
            fake.grant(&["purge", "keys/getrotationpolicy"]).unwrap();
        }
    }

    /// Lets the service rotate the key by itself. Returns false where a test cannot.
    pub(super) fn rotate_by_itself(self, place: &Place, key: &str) -> bool {
        match self {
            Self::Azure => {
                let path = format!("keys/{}/rotationpolicy", key.rsplit('/').next().unwrap());
                let after = json!({"timeAfterCreate": "P90D"});
                let action = json!({"trigger": after, "action": {"type": "Rotate"}});
                let policy = json!({"lifetimeActions": [action]});
                place.azure_fake().key("PUT", &path, &policy).unwrap();
                true
            }
            Self::Transit => {
                let period = json!({"auto_rotate_period": "2160h"});
                transit(place, &format!("keys/{key}/config"), &period);
                true
            }
            Self::Aws | Self::Gcp => false,
        }
    }

    /// Deletes the key so that it can be restored, or restores it. Returns the summary of an error
    /// that it then causes, and part of its remedy; `None` for a service without such a deletion,
    /// and for AWS, whose test of its own has it.
    pub(super) fn schedule_deletion(
        self,
        place: &Place,
        key: &str,
        is_scheduled: bool,
    ) -> Option<[&'static str; 2]> {
        match self {
            Self::Gcp => {
                for number in 1.. {
                    let version = format!("{key}/cryptoKeyVersions/{number}");
                    let fake = place.gcp_fake();
                    if fake.call("GET", &version, &json!({})).unwrap().0 == 404 {
                        break;
                    }
                    if is_scheduled {
                        ok(place, "POST", &format!("{version}:destroy"), &json!({}));
                    } else {
                        ok(place, "POST", &format!("{version}:restore"), &json!({}));
                        let path = format!("{version}?updateMask=state");
                        ok(place, "PATCH", &path, &json!({"state": "ENABLED"}));
                    }
                }
                let remedy = "gcloud kms keys versions restore";
                Some(["Encryption Key Pending Deletion", remedy])
            }
            Self::Azure => {
                let name = key.rsplit('/').next().unwrap();
                let fake = place.azure_fake();
                if is_scheduled {
                    let path = format!("keys/{name}");
                    fake.key("DELETE", &path, &json!({})).unwrap();
                } else {
                    let path = format!("deletedkeys/{name}/recover");
                    fake.key("POST", &path, &json!({})).unwrap();
                }
                Some(["Encryption Key Missing", "az keyvault key recover"])
            }
            Self::Aws | Self::Transit => None,
        }
    }
}
