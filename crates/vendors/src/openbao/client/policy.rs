//! The policies that roles require. Errors and the documentation print the same text.

use super::config::MountPath;
use planton_core::catalog::ORGANIZATION_RECORD;
use planton_core::names::Slug;

/// The tasks of a role.
///
/// # Security
///
/// Whoever may encrypt with the MAC key's key can put a MAC key of their own in the
/// catalog and forge every record. Only `Init` may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyRole {
    /// As `Apply`; also creates the organization's keys and its MAC key, at first use.
    Init,
    /// Writes secrets; covers every operation after first use.
    Apply,
    /// Seals values for the organization, and opens none.
    Seal,
    /// Opens secrets, and changes nothing.
    Read,
    /// Plans and refreshes: unwraps no key, and writes only fences.
    Plan,
}

impl PolicyRole {
    /// All roles, in the order in which the documentation shows them.
    pub const ALL: [Self; 5] = [Self::Init, Self::Apply, Self::Seal, Self::Read, Self::Plan];

    /// Returns the name of the role in the documentation and in errors.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Apply => "apply",
            Self::Seal => "seal",
            Self::Read => "read",
            Self::Plan => "plan",
        }
    }
}

/// The part of a policy that covers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyPart {
    /// The organization's records.
    Catalog,
    /// Sealed versions in the built-in backend.
    Objects,
    /// The organization's key, and that of its MAC key.
    Key,
}

/// A kind of request to a store of sealed versions. The remedy for a denied one grants
/// only the permissions that it requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreRequest {
    /// Checks whether a version exists.
    Look,
    /// Reads a version.
    Read,
    /// Writes or deletes versions.
    Write,
}

/// The paths of a store of sealed versions, inside the mount.
#[derive(Clone, Debug)]
pub struct StorePaths {
    /// Mount path of KV version 2.
    pub kv_mount_path: MountPath,
    /// Prefix of the objects' names.
    pub objects: String,
    /// Path of the store's fences.
    pub fences: String,
}

/// The organization and the mounts that a policy covers.
#[derive(Clone, Debug)]
pub struct PolicyScope {
    /// Mount path of KV version 2.
    pub kv_mount_path: MountPath,
    /// Mount path of Transit.
    pub transit_mount_path: MountPath,
    /// The organization.
    pub organization: Slug,
    /// Prefix of the objects' names in the built-in backend.
    pub name_prefix: String,
}

impl PolicyScope {
    /// Returns the path, inside the KV mount, of the organization's records.
    #[must_use]
    pub fn catalog_path(&self) -> String {
        format!("catalog/{}", self.organization)
    }

    /// Returns the path, inside the KV mount, of a process's fence.
    #[must_use]
    pub fn fence_path(&self, process: &str) -> String {
        format!("catalog/{}/fence/{process}", self.organization)
    }

    /// Returns the paths of the built-in backend.
    #[must_use]
    pub fn store_paths(&self) -> StorePaths {
        StorePaths {
            kv_mount_path: self.kv_mount_path.clone(),
            objects: format!("{}/{}", self.name_prefix, self.organization),
            fences: self.fence_path("*"),
        }
    }

    /// Returns the name of the organization's Transit key.
    #[must_use]
    pub fn transit_key(&self) -> String {
        format!("planton-{}", self.organization)
    }

    /// Returns the name of the Transit key of the organization's MAC key. No organization
    /// has this name, since slugs contain no dot.
    #[must_use]
    pub fn transit_mac_key(&self) -> String {
        format!("planton-{}.mac", self.organization)
    }
}

/// Returns the complete policy of a role, in HCL.
#[must_use]
pub fn policy_text(scope: &PolicyScope, role: PolicyRole) -> String {
    let part = |part| policy_part(scope, role, part);
    [
        part(PolicyPart::Catalog),
        part(PolicyPart::Objects),
        listing_text(scope, role),
        part(PolicyPart::Key),
        lookup(),
    ]
    .concat()
}

/// Returns the part of a role's policy that covers a denied request.
#[must_use]
pub fn policy_part(scope: &PolicyScope, role: PolicyRole, part: PolicyPart) -> String {
    match part {
        PolicyPart::Catalog => catalog_text(scope, role),
        PolicyPart::Objects => platform_objects_text(scope, role),
        PolicyPart::Key => match role {
            PolicyRole::Init => [apply_keys_text(scope), first_use_text(scope)].concat(),
            PolicyRole::Apply => [apply_keys_text(scope), read_keys_text(scope)].concat(),
            PolicyRole::Seal => {
                let transit = &scope.transit_mount_path;
                let key = scope.transit_key();
                [
                    policy_rule(&format!("{transit}/encrypt/{key}"), &["update"]),
                    policy_rule(&format!("{transit}/keys/{key}"), &["read"]),
                ]
                .concat()
            }
            PolicyRole::Read => [decrypt_text(scope), read_keys_text(scope)].concat(),
            PolicyRole::Plan => String::new(),
        },
    }
}

/// Returns the rules that the init policy has beyond the apply policy: the requests of an
/// organization's first use.
#[must_use]
pub fn first_use_text(scope: &PolicyScope) -> String {
    let transit = &scope.transit_mount_path;
    let mac = scope.transit_mac_key();
    let creation = ["create", "read", "update"];
    [
        policy_rule(
            &format!("{transit}/keys/{}", scope.transit_key()),
            &creation,
        ),
        policy_rule(&format!("{transit}/keys/{mac}"), &creation),
        // No "create" here either, so that Transit does not create a missing key.
        policy_rule(&format!("{transit}/encrypt/{mac}"), &["update"]),
    ]
    .concat()
}

fn catalog_text(scope: &PolicyScope, role: PolicyRole) -> String {
    let kv = &scope.kv_mount_path;
    let catalog = scope.catalog_path();
    let fence = policy_rule(
        &format!("{kv}/data/{catalog}/fence/*"),
        &["create", "update"],
    );
    match role {
        PolicyRole::Init | PolicyRole::Apply => [
            policy_rule(
                &format!("{kv}/data/{catalog}/*"),
                &["create", "read", "update"],
            ),
            policy_rule(&format!("{kv}/metadata/{catalog}/*"), &["list", "read"]),
            policy_rule(
                &format!("{kv}/metadata/{catalog}/entries/*"),
                &["delete", "list", "read"],
            ),
            policy_rule(&format!("{kv}/destroy/{catalog}/*"), &["update"]),
        ]
        .concat(),
        // The organization's UUID is part of what is sealed.
        PolicyRole::Seal => [
            policy_rule(
                &format!("{kv}/data/{catalog}/{ORGANIZATION_RECORD}"),
                &["read"],
            ),
            fence,
        ]
        .concat(),
        PolicyRole::Read | PolicyRole::Plan => [
            policy_rule(&format!("{kv}/data/{catalog}/*"), &["read"]),
            fence,
            policy_rule(&format!("{kv}/metadata/{catalog}/*"), &["list", "read"]),
        ]
        .concat(),
    }
}

/// Returns the rules for the objects of the built-in backend.
fn platform_objects_text(scope: &PolicyScope, role: PolicyRole) -> String {
    let kv = &scope.kv_mount_path;
    let objects = format!("{}/{}", scope.name_prefix, scope.organization);
    let look = || policy_rule(&format!("{kv}/metadata/{objects}/*"), &["read"]);
    match role {
        PolicyRole::Init | PolicyRole::Apply => objects_text(kv, &objects),
        PolicyRole::Seal => String::new(),
        PolicyRole::Read => [
            policy_rule(&format!("{kv}/data/{objects}/*"), &["read"]),
            look(),
        ]
        .concat(),
        PolicyRole::Plan => look(),
    }
}

/// Returns the rules with which a refresh lists many secrets at once. Without them, it asks for
/// each secret, so no error asks for them. HashiCorp Vault rejects a policy with `scan`.
fn listing_text(scope: &PolicyScope, role: PolicyRole) -> String {
    let kv = &scope.kv_mount_path;
    let secrets = format!("{kv}/detailed-metadata/{}/secrets/*", scope.catalog_path());
    let objects = scope.store_paths().objects;
    let objects = format!("{kv}/detailed-metadata/{objects}/*");
    match role {
        PolicyRole::Init | PolicyRole::Apply | PolicyRole::Plan => [
            policy_rule(&secrets, &["list"]),
            policy_rule(&objects, &["list", "scan"]),
        ]
        .concat(),
        PolicyRole::Seal | PolicyRole::Read => String::new(),
    }
}

/// Returns the rules with which the apply role uses the keys. A rewrap cannot forge a MAC
/// key: it encrypts only what the same key has encrypted before.
fn apply_keys_text(scope: &PolicyScope) -> String {
    let transit = &scope.transit_mount_path;
    let key = scope.transit_key();
    let mac = scope.transit_mac_key();
    [
        // No "create", so that Transit does not create a missing key.
        policy_rule(&format!("{transit}/encrypt/{key}"), &["update"]),
        decrypt_text(scope),
        policy_rule(&format!("{transit}/rewrap/{key}"), &["update"]),
        policy_rule(&format!("{transit}/rewrap/{mac}"), &["update"]),
    ]
    .concat()
}

fn decrypt_text(scope: &PolicyScope) -> String {
    let transit = &scope.transit_mount_path;
    let keys = [scope.transit_key(), scope.transit_mac_key()];
    keys.map(|key| policy_rule(&format!("{transit}/decrypt/{key}"), &["update"]))
        .concat()
}

fn read_keys_text(scope: &PolicyScope) -> String {
    let transit = &scope.transit_mount_path;
    let keys = [scope.transit_key(), scope.transit_mac_key()];
    keys.map(|key| policy_rule(&format!("{transit}/keys/{key}"), &["read"]))
        .concat()
}

/// Returns the policy for a registered backend, in HCL. The paths of its objects and
/// fences begin with `name_prefix`.
#[must_use]
pub fn store_policy_text(kv_mount_path: &MountPath, name_prefix: &str) -> String {
    let mut text = objects_text(kv_mount_path, name_prefix);
    text.push_str(&lookup());
    text
}

/// Returns the rules that this kind of request requires, in HCL.
#[must_use]
pub fn store_policy_part(paths: &StorePaths, request: StoreRequest) -> String {
    let StorePaths {
        kv_mount_path: kv,
        objects,
        fences,
    } = paths;
    let look = policy_rule(&format!("{kv}/metadata/{objects}/*"), &["read"]);
    // A fence precedes every report of an absence.
    let fence = policy_rule(&format!("{kv}/data/{fences}"), &["create", "update"]);
    match request {
        StoreRequest::Look => [look, fence].concat(),
        StoreRequest::Read => {
            let read = policy_rule(&format!("{kv}/data/{objects}/*"), &["read"]);
            // The marker is read before a missing version is reported.
            [read, look, fence].concat()
        }
        StoreRequest::Write => objects_text(kv, objects),
    }
}

/// Returns the rules for the objects of a store. Without "update", a retried put would
/// get a denial instead of the conflict that reveals its own version.
fn objects_text(kv: &MountPath, objects: &str) -> String {
    [
        policy_rule(
            &format!("{kv}/data/{objects}/*"),
            &["create", "read", "update"],
        ),
        policy_rule(
            &format!("{kv}/metadata/{objects}/*"),
            &["delete", "list", "read"],
        ),
        policy_rule(&format!("{kv}/destroy/{objects}/*"), &["update"]),
    ]
    .concat()
}

/// Returns the rule with which an expired token is distinguished from a missing
/// permission.
fn lookup() -> String {
    policy_rule("auth/token/lookup-self", &["read"])
}

pub(crate) fn policy_rule(path: &str, capabilities: &[&str]) -> String {
    let capabilities = capabilities
        .iter()
        .map(|capability| format!("{capability:?}"))
        .collect::<Vec<_>>()
        .join(", ");
    format!("path {path:?} {{\n  capabilities = [{capabilities}]\n}}\n")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn scope() -> PolicyScope {
        PolicyScope {
            kv_mount_path: MountPath::parse("planton").unwrap(),
            transit_mount_path: MountPath::parse("transit").unwrap(),
            organization: Slug::parse("acme").unwrap(),
            name_prefix: "planton".to_owned(),
        }
    }

    #[test]
    fn the_apply_policy_reads_as_documented() {
        insta::assert_snapshot!(policy_text(&scope(), PolicyRole::Apply));
    }

    #[test]
    fn the_init_policy_reads_as_documented() {
        insta::assert_snapshot!(policy_text(&scope(), PolicyRole::Init));
    }

    #[test]
    fn the_read_policy_reads_as_documented() {
        insta::assert_snapshot!(policy_text(&scope(), PolicyRole::Read));
    }

    #[test]
    fn the_seal_policy_reads_as_documented() {
        insta::assert_snapshot!(policy_text(&scope(), PolicyRole::Seal));
    }

    #[test]
    fn only_the_init_policy_encrypts_with_the_key_of_the_mac_key() {
        for role in PolicyRole::ALL {
            let text = policy_text(&scope(), role);
            let encrypts = text.contains("\"transit/encrypt/planton-acme.mac\"");
            assert_eq!(encrypts, role == PolicyRole::Init, "{text}");
            let creates = text.contains(
                "keys/planton-acme.mac\" {\n  capabilities = [\"create\", \"read\", \"update\"]",
            );
            assert_eq!(creates, role == PolicyRole::Init, "{text}");
        }
    }

    #[test]
    fn no_policy_creates_a_key_by_encrypting() {
        for role in PolicyRole::ALL {
            let text = policy_text(&scope(), role);
            let rules = text
                .split("path ")
                .filter(|rule| rule.contains("/encrypt/"));
            for rule in rules {
                assert!(rule.contains("[\"update\"]"), "{rule}");
            }
        }
    }

    #[test]
    fn a_request_asks_for_no_more_than_it_takes() {
        let paths = scope().store_paths();
        let of = |request| store_policy_part(&paths, request);
        let look = of(StoreRequest::Look);
        let read = of(StoreRequest::Read);
        for text in [&look, &read] {
            for more in ["delete", "destroy", "list"] {
                assert!(!text.contains(more), "{text}");
            }
            let fence = "path \"planton/data/catalog/acme/fence/*\" {\n  capabilities = \
                         [\"create\", \"update\"]";
            assert!(text.contains(fence), "{text}");
        }
        assert!(!look.contains("planton/data/planton"), "{look}");
        let objects = "path \"planton/data/planton/acme/*\" {\n  capabilities = [\"read\"]";
        assert!(read.contains(objects), "{read}");
        assert!(of(StoreRequest::Write).contains("destroy"));
    }

    #[test]
    fn the_plan_policy_neither_decrypts_nor_reads_objects() {
        let text = policy_text(&scope(), PolicyRole::Plan);
        assert!(!text.contains("transit/"), "{text}");
        assert!(!text.contains("planton/data/planton"), "{text}");
        insta::assert_snapshot!(text);
    }
}
