//! The policies that roles require. Errors and the documentation print the same text.

use super::config::MountPath;
use planton_core::names::Slug;

/// The tasks of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyRole {
    /// Writes secrets; covers every operation.
    Apply,
    /// Plans and refreshes: unwraps no key, and writes only fences.
    Plan,
}

/// The part of a policy that covers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyPart {
    /// The organization's records.
    Catalog,
    /// Sealed versions in the built-in backend.
    Objects,
    /// The organization's key.
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
}

/// Returns the complete policy of a role, in HCL.
#[must_use]
pub fn policy_text(scope: &PolicyScope, role: PolicyRole) -> String {
    let mut text = [PolicyPart::Catalog, PolicyPart::Objects, PolicyPart::Key]
        .map(|part| policy_part(scope, role, part))
        .concat();
    text.push_str(&lookup());
    text
}

/// Returns the part of a role's policy that covers a denied request.
#[must_use]
pub fn policy_part(scope: &PolicyScope, role: PolicyRole, part: PolicyPart) -> String {
    let kv = &scope.kv_mount_path;
    let transit = &scope.transit_mount_path;
    let catalog = scope.catalog_path();
    let key = scope.transit_key();
    let objects = format!("{}/{}", scope.name_prefix, scope.organization);
    match (role, part) {
        (PolicyRole::Apply, PolicyPart::Catalog) => [
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
        (PolicyRole::Apply, PolicyPart::Objects) => objects_text(kv, &objects),
        // No "create" on encrypt, so that Transit does not create a missing key.
        (PolicyRole::Apply, PolicyPart::Key) => [
            policy_rule(&format!("{transit}/encrypt/{key}"), &["update"]),
            policy_rule(&format!("{transit}/decrypt/{key}"), &["update"]),
            policy_rule(&format!("{transit}/rewrap/{key}"), &["update"]),
            policy_rule(
                &format!("{transit}/keys/{key}"),
                &["create", "read", "update"],
            ),
        ]
        .concat(),
        (PolicyRole::Plan, PolicyPart::Catalog) => [
            policy_rule(&format!("{kv}/data/{catalog}/*"), &["read"]),
            policy_rule(
                &format!("{kv}/data/{catalog}/fence/*"),
                &["create", "update"],
            ),
            policy_rule(&format!("{kv}/metadata/{catalog}/*"), &["list", "read"]),
        ]
        .concat(),
        (PolicyRole::Plan, PolicyPart::Objects) => {
            policy_rule(&format!("{kv}/metadata/{objects}/*"), &["read"])
        }
        (PolicyRole::Plan, PolicyPart::Key) => String::new(),
    }
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
