//! The policies that a role needs, word for word: errors print them, and the
//! documentation too.

use super::config::MountPath;
use crate::names::Slug;

/// What a role does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyRole {
    /// Writes secrets: everything.
    Apply,
    /// Plans and refreshes: opens nothing, and changes nothing but the fence.
    Plan,
}

/// Which part of a policy a request falls under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyPart {
    /// The organization's records.
    Catalog,
    /// Sealed versions in the built-in backend.
    Objects,
    /// The organization's key.
    Key,
}

/// Whose policy, and over which mounts.
#[derive(Clone, Debug)]
pub struct PolicyScope {
    /// Where KV version 2 is mounted.
    pub kv_mount_path: MountPath,
    /// Where Transit is mounted.
    pub transit_mount_path: MountPath,
    /// The organization.
    pub organization: Slug,
    /// What the names of objects in the built-in backend begin with.
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

    /// Returns the name of the organization's Transit key.
    #[must_use]
    pub fn transit_key(&self) -> String {
        format!("planton-{}", self.organization)
    }
}

/// Returns the whole policy of a role, in HCL.
#[must_use]
pub fn policy_text(scope: &PolicyScope, role: PolicyRole) -> String {
    let mut text = [PolicyPart::Catalog, PolicyPart::Objects, PolicyPart::Key]
        .map(|part| policy_part(scope, role, part))
        .concat();
    text.push_str(&lookup());
    text
}

/// Returns the part of a role's policy that a denied request falls under.
#[must_use]
pub fn policy_part(scope: &PolicyScope, role: PolicyRole, part: PolicyPart) -> String {
    let kv = &scope.kv_mount_path;
    let transit = &scope.transit_mount_path;
    let catalog = scope.catalog_path();
    let key = scope.transit_key();
    let objects = format!("{}/{}", scope.name_prefix, scope.organization);
    match (role, part) {
        (PolicyRole::Apply, PolicyPart::Catalog) => [
            rule(
                &format!("{kv}/data/{catalog}/*"),
                &["create", "read", "update"],
            ),
            rule(&format!("{kv}/metadata/{catalog}/*"), &["list", "read"]),
            rule(
                &format!("{kv}/metadata/{catalog}/entries/*"),
                &["delete", "list", "read"],
            ),
            rule(&format!("{kv}/destroy/{catalog}/*"), &["update"]),
        ]
        .concat(),
        (PolicyRole::Apply, PolicyPart::Objects) => objects_text(kv, &objects),
        // Without "create" on encrypt: a key that is missing stays missing.
        (PolicyRole::Apply, PolicyPart::Key) => [
            rule(&format!("{transit}/encrypt/{key}"), &["update"]),
            rule(&format!("{transit}/decrypt/{key}"), &["update"]),
            rule(&format!("{transit}/rewrap/{key}"), &["update"]),
            rule(
                &format!("{transit}/keys/{key}"),
                &["create", "read", "update"],
            ),
        ]
        .concat(),
        (PolicyRole::Plan, PolicyPart::Catalog) => [
            rule(&format!("{kv}/data/{catalog}/*"), &["read"]),
            rule(
                &format!("{kv}/data/{catalog}/fence/*"),
                &["create", "update"],
            ),
            rule(&format!("{kv}/metadata/{catalog}/*"), &["list", "read"]),
        ]
        .concat(),
        (PolicyRole::Plan, PolicyPart::Objects) => {
            rule(&format!("{kv}/metadata/{objects}/*"), &["read"])
        }
        (PolicyRole::Plan, PolicyPart::Key) => String::new(),
    }
}

/// Returns the policy for a backend of one's own, whose objects, and fences,
/// begin with `name_prefix`, in HCL.
#[must_use]
pub fn store_policy_text(kv_mount_path: &MountPath, name_prefix: &str) -> String {
    let mut text = objects_text(kv_mount_path, name_prefix);
    text.push_str(&lookup());
    text
}

/// A put that is tried again finds its own version there: "update" makes that a
/// conflict, which is looked into, and not a denial.
fn objects_text(kv: &MountPath, objects: &str) -> String {
    [
        rule(
            &format!("{kv}/data/{objects}/*"),
            &["create", "read", "update"],
        ),
        rule(
            &format!("{kv}/metadata/{objects}/*"),
            &["delete", "list", "read"],
        ),
        rule(&format!("{kv}/destroy/{objects}/*"), &["update"]),
    ]
    .concat()
}

/// Tells a token that has run out from a permission that is missing.
fn lookup() -> String {
    rule("auth/token/lookup-self", &["read"])
}

fn rule(path: &str, capabilities: &[&str]) -> String {
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
    fn the_plan_policy_neither_decrypts_nor_reads_objects() {
        let text = policy_text(&scope(), PolicyRole::Plan);
        assert!(!text.contains("transit/"), "{text}");
        assert!(!text.contains("planton/data/planton"), "{text}");
        insta::assert_snapshot!(text);
    }
}
