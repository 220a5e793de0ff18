//! The tags of a version: the provider's mark, and human-readable labels.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

/// Content type of a version's value.
pub(super) const CONTENT_TYPE: &str = "application/vnd.planton.sealed";

const MANAGED_BY: &str = "managed-by";
const PRODUCT: &str = "terraform-provider-planton";
const ATTEMPT: &str = "planton-attempt";
const VERSION: &str = "planton-version";

/// Maximum number of tags:
/// <https://learn.microsoft.com/azure/key-vault/secrets/about-secrets#secret-tags>
const MAX_TAGS: usize = 15;
/// Maximum length of a tag's name and of its value. The same page has named 256 and 512
/// characters at different times, and the smaller limit is valid under both:
/// <https://learn.microsoft.com/azure/key-vault/secrets/about-secrets#secret-tags>
const MAX_CHARS: usize = 256;

/// Returns the tags of a version: the provider's, and as many labels as fit.
pub(super) fn tags(
    version: u64,
    attempt: Uuid,
    labels: &BTreeMap<String, String>,
) -> HashMap<String, String> {
    let ours = [
        (MANAGED_BY, PRODUCT.to_owned()),
        (ATTEMPT, attempt.simple().to_string()),
        (VERSION, version.to_string()),
    ];
    let reserved = |key: &str| ours.iter().any(|(name, _)| name.eq_ignore_ascii_case(key));
    let mut tags: HashMap<String, String> = HashMap::new();
    for (key, value) in labels {
        let (key, value) = (cut(key), cut(value));
        if tags.len() + ours.len() < MAX_TAGS && !key.is_empty() && !reserved(&key) {
            tags.entry(key).or_insert(value);
        }
    }
    for (name, value) in ours {
        tags.insert(name.to_owned(), value);
    }
    tags
}

/// Returns true for the tags of a version of this provider.
pub(super) fn is_ours(tags: Option<&HashMap<String, String>>) -> bool {
    let mark = tags.and_then(|tags| tags.get(MANAGED_BY));
    mark.is_some_and(|mark| mark == PRODUCT)
}

/// Returns true for the tags of a version of this attempt.
pub(super) fn is_of_attempt(tags: Option<&HashMap<String, String>>, attempt: Uuid) -> bool {
    let written = tags.and_then(|tags| tags.get(ATTEMPT));
    is_ours(tags) && written.is_some_and(|written| *written == attempt.simple().to_string())
}

/// Removes control characters, and truncates to the limit in UTF-16 code units, which
/// Key Vault counts.
fn cut(text: &str) -> String {
    let mut left = MAX_CHARS;
    text.trim()
        .chars()
        .filter(|c| !c.is_control())
        .take_while(|c| {
            let fits = c.len_utf16() <= left;
            left = left.saturating_sub(c.len_utf16());
            fits
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        owned.collect()
    }

    #[test]
    fn tags_mark_whose_a_version_is_and_which_attempt_wrote_it() {
        let attempt = Uuid::from_u128(7);
        let tags = tags(
            3,
            attempt,
            &labels(&[("team", "Zürich / 42"), ("empty", "")]),
        );
        assert_eq!(tags.len(), 5);
        assert_eq!(tags["planton-version"], "3");
        assert_eq!(tags["team"], "Zürich / 42");
        assert!(is_ours(Some(&tags)));
        assert!(is_of_attempt(Some(&tags), attempt));
        assert!(!is_of_attempt(Some(&tags), Uuid::from_u128(8)));
        assert!(!is_ours(None));
    }

    #[test]
    fn labels_never_displace_the_marks_nor_exceed_the_limits() {
        let mut many: BTreeMap<String, String> = (0..20)
            .map(|n| (format!("l{n:02}"), "x".repeat(300)))
            .collect();
        many.insert("Managed-By".to_owned(), "somebody".to_owned());
        many.insert(" \n".to_owned(), "blank".to_owned());
        let tags = tags(1, Uuid::from_u128(7), &many);
        assert_eq!(tags.len(), 15);
        assert!(is_ours(Some(&tags)));
        assert!(!tags.contains_key("Managed-By"));
        assert!(tags.values().all(|value| value.len() <= 256));
        // A surrogate pair counts as two.
        assert_eq!(cut(&"😀".repeat(200)).chars().count(), 128);
    }
}
