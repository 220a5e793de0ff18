//! The names of a key and of its versions.

use crate::gcp::settings::is_project;

/// The most bytes that an identifier in an envelope takes.
const MAX_BYTES: usize = 512;

/// Returns true for `projects/…/locations/…/keyRings/…/cryptoKeys/…`, a text that a URL's
/// path contains unescaped:
/// <https://cloud.google.com/kms/docs/resource-hierarchy#retrieve_resource_id>.
pub(super) fn is_key_name(text: &str) -> bool {
    let segments: Vec<_> = text.split('/').collect();
    let &[
        "projects",
        project,
        "locations",
        location,
        "keyRings",
        ring,
        "cryptoKeys",
        key,
    ] = segments.as_slice()
    else {
        return false;
    };
    text.len() <= MAX_BYTES && is_project(project) && [location, ring, key].into_iter().all(is_id)
}

/// Returns whether two names may be of one key: a project has an ID and a number, and the
/// service may answer with either.
pub(super) fn may_be_same(one: &str, other: &str) -> bool {
    let split = |name: &str| {
        let (project, rest) = name.strip_prefix("projects/")?.split_once('/')?;
        Some((project.to_owned(), rest.to_owned()))
    };
    let is_number = |project: &str| project.bytes().all(|b| b.is_ascii_digit());
    match (split(one), split(other)) {
        (Some((project, rest)), Some((other, other_rest))) => {
            rest == other_rest && (project == other || is_number(&project) != is_number(&other))
        }
        _ => false,
    }
}

fn is_id(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=63).contains(&text.len()) && text.bytes().all(known)
}

/// Returns the number of a version of the key `key` from the version's name.
pub(super) fn version_of(name: &str, key: &str) -> Option<u64> {
    let number = name.strip_prefix(key)?;
    let number = number.strip_prefix("/cryptoKeyVersions/")?;
    number.parse().ok().filter(|number| *number > 0)
}

/// Returns the options that name a key, or one of its versions, to `gcloud`.
pub(super) fn gcloud_options(key: &str) -> Option<String> {
    let segments: Vec<_> = key.split('/').collect();
    let &[_, project, _, location, _, ring, _, name] = segments.as_slice() else {
        return None;
    };
    Some(format!(
        "--key={name} --keyring={ring} --location={location} --project={project}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "projects/acme/locations/europe-west3/keyRings/planton/cryptoKeys/secrets";

    #[test]
    fn only_a_whole_name_of_a_key_is_one() {
        assert!(is_key_name(KEY));
        assert!(is_key_name(
            "projects/example.com:acme/locations/global/keyRings/r_1/cryptoKeys/K-2"
        ));
        let long = "k".repeat(64);
        for bad in [
            "",
            "secrets",
            "projects/acme/locations/europe-west3/keyRings/planton/cryptoKeys/",
            "projects/acme/locations/europe-west3/keyRings/planton",
            "/projects/acme/locations/europe-west3/keyRings/planton/cryptoKeys/secrets",
            "projects/acme/locations/europe-west3/keyRings/planton/cryptoKeys/secrets/",
            "projects/acme/locations/europe-west3/keyRings/planton/cryptoKeys/a:b",
            "projects/acme/locations/europe-west3/keyRings/../cryptoKeys/a",
            "projects/acme/locations/a/keyRings/b/cryptoKeys/c/cryptoKeyVersions/1",
            &KEY.replace("secrets", &long),
        ] {
            assert!(!is_key_name(bad), "{bad}");
        }
    }

    #[test]
    fn names_of_one_key_differ_in_the_form_of_the_project_at_most() {
        let number = KEY.replace("acme", "1234");
        assert!(may_be_same(KEY, KEY));
        assert!(may_be_same(KEY, &number));
        assert!(may_be_same(&number, KEY));
        for other in [
            KEY.replace("acme", "other"),
            KEY.replace("secrets", "others"),
            KEY.replace("europe-west3", "global"),
            number.replace("planton", "other"),
            String::new(),
        ] {
            assert!(!may_be_same(KEY, &other), "{other}");
        }
        assert!(!may_be_same(&number, &KEY.replace("acme", "12345")));
    }

    #[test]
    fn version_is_read_from_a_name_of_the_same_key_only() {
        let of = |name: &str| version_of(name, KEY);
        assert_eq!(of(&format!("{KEY}/cryptoKeyVersions/12")), Some(12));
        for bad in ["", KEY, "x/cryptoKeyVersions/1"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        for bad in ["0", "", "-1", "one", "1/x"] {
            let name = format!("{KEY}/cryptoKeyVersions/{bad}");
            assert_eq!(of(&name), None, "{name}");
        }
        assert_eq!(of(&format!("{KEY}2/cryptoKeyVersions/1")), None);
    }
}
