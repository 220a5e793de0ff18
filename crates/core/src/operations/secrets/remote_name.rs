//! Builds readable names for the objects in a backend.

use sha2::{Digest, Sha256};

use crate::names::{SecretName, Slug};
use crate::store::{NameRules, RemoteName};

/// First part of every object's name in the built-in backend. Default prefix of every other
/// backend.
pub const NAME_PREFIX: &str = "planton";

/// Returns `{prefix}/{org}/org/{slug}-{digits}`, or
/// `{prefix}/{org}/env/{env}/{slug}-{digits}`, with the backend's separator.
pub(crate) fn remote_name(
    prefix: &str,
    organization: &Slug,
    name: &SecretName,
    digits: &str,
    rules: NameRules,
) -> RemoteName {
    let leaf = format!("{}-{digits}", name.name);
    let mut parts = vec![prefix, organization.as_str()];
    match &name.environment {
        Some(environment) => parts.extend(["env", environment.as_str()]),
        None => parts.push("org"),
    }
    parts.push(&leaf);
    object_name(&parts, rules)
}

/// Returns the secret's name from the last part of an object's name that was not cut, as all
/// names in the built-in backend are; `None` for another form.
pub(crate) fn name_of_leaf(leaf: &str) -> Option<Slug> {
    let (name, digits) = leaf.rsplit_once('-')?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    let ours = digits.len() == 8 && digits.bytes().all(is_digit);
    Slug::parse(name).ok().filter(|_| ours)
}

/// Joins the parts of a name with the backend's separator.
///
/// A name that is too long for the backend is cut. It ends in 16 hexadecimal digits of the
/// SHA-256 of the whole name.
///
/// The same ending marks a name with the separator inside a part: `a--b` is a slug, and some
/// vendors' names are joined with `--`. No separator arises between two parts, since a slug
/// neither begins nor ends with a hyphen.
pub(crate) fn object_name(parts: &[&str], rules: NameRules) -> RemoteName {
    let whole = parts.join(rules.separator);
    let ambiguous = parts.iter().any(|part| part.contains(rules.separator));
    if whole.len() <= rules.max_bytes && !ambiguous {
        return RemoteName::new(whole);
    }
    // No part contains a slash, so the digest distinguishes all names.
    let digest = hex::encode(Sha256::digest(parts.join("/")));
    let end = format!("-{}", &digest[..16]);
    let kept = rules.max_bytes.saturating_sub(end.len()).min(whole.len());
    RemoteName::new(format!("{}{end}", &whole[..kept]))
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{distinguishing_digits, new_secret_uuid};

    fn named(text: &str, random: u64, max_bytes: usize) -> String {
        joined(text, random, max_bytes, "/")
    }

    fn joined(text: &str, random: u64, max_bytes: usize, separator: &'static str) -> String {
        let name: SecretName = text.parse().expect("a name");
        let organization = Slug::parse("acme").expect("a slug");
        let rules = NameRules {
            separator,
            max_bytes,
        };
        let uuid = new_secret_uuid(&name, random << 2);
        remote_name(
            NAME_PREFIX,
            &organization,
            &name,
            &distinguishing_digits(uuid),
            rules,
        )
        .as_str()
        .to_owned()
    }

    #[test]
    fn a_person_finds_the_secret_by_its_name() {
        assert_eq!(named("db", 0xabc, 512), "planton/acme/org/db-00000abc");
        assert_eq!(
            named("prod/db", 1, 512),
            "planton/acme/env/prod/db-00000001"
        );
    }

    #[test]
    fn the_last_part_of_a_name_leads_back_to_the_secret() {
        let name = |leaf| name_of_leaf(leaf).map(String::from);
        assert_eq!(name("db-00000abc").as_deref(), Some("db"));
        assert_eq!(
            name("a-b-12345678-00000abc").as_deref(),
            Some("a-b-12345678")
        );
        for other in [
            "db",
            "db-abc",
            "db-00000abC",
            "-00000abc",
            "Db-00000abc",
            "",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn parts_that_contain_the_separator_stay_apart() {
        let one = joined("a--b/c", 1, 127, "--");
        let two = joined("a/b--c", 1, 127, "--");
        assert_ne!(one, two);
        assert!(
            one.starts_with("planton--acme--env--a--b--c-00000001-"),
            "{one}"
        );
        assert_eq!(
            joined("a/b", 1, 127, "--"),
            "planton--acme--env--a--b-00000001"
        );
        assert_eq!(
            joined("a--b", 1, 512, "/"),
            "planton/acme/org/a--b-00000001"
        );
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let one = named(&format!("prod/{}", "a".repeat(63)), 1, 60);
        let two = named(&format!("prod/{}", "a".repeat(63)), 2, 60);
        assert_eq!((one.len(), two.len()), (60, 60));
        assert_ne!(one, two);
    }
}
