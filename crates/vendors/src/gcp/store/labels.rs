//! Labels for people who look at the project, by Google's rules.

use std::collections::BTreeMap;

/// At most so many on one secret.
const MAX_LABELS: usize = 64;
const MAX_CHARS: usize = 63;

/// Says to people, and to filters of theirs, whose secret it is.
const MANAGED_BY: (&str, &str) = ("managed-by", "terraform-provider-planton");

/// Returns `labels` as far as Google takes them, and who manages the secret.
/// What it does not take becomes `_`.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut taken = BTreeMap::new();
    for (key, value) in labels {
        let mut key = lowered(key);
        if !key.starts_with(char::is_alphabetic) {
            key.insert(0, 'x');
        }
        let cut = |text: String| text.chars().take(MAX_CHARS).collect::<String>();
        // Two keys that become one: the first in their order stays.
        taken.entry(cut(key)).or_insert_with(|| cut(lowered(value)));
        if taken.len() == MAX_LABELS - 1 {
            break;
        }
    }
    let (key, value) = MANAGED_BY;
    taken.insert(key.to_owned(), value.to_owned());
    taken
}

/// Keeps what is surely a lowercase letter or a digit to Google: ASCII, and the
/// letters of Latin-1, of two bytes each.
fn lowered(text: &str) -> String {
    let kept = text.chars().flat_map(char::to_lowercase);
    kept.map(|c| match c {
        'a'..='z' | '0'..='9' | '_' | '-' | 'ß'..='ö' | 'ø'..='ÿ' => c,
        _ => '_',
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn labels_become_what_google_takes() {
        let given = of([
            ("environment", "production"),
            ("Cost Center", "Zürich / 42"),
            ("empty", ""),
            ("1st", "A×B÷C"),
            ("", "x"),
            ("managed-by", "somebody"),
        ]);
        let expected = of([
            ("environment", "production"),
            ("cost_center", "zürich___42"),
            ("empty", ""),
            ("x1st", "a_b_c"),
            ("x", "x"),
            ("managed-by", "terraform-provider-planton"),
        ]);
        assert_eq!(labels(&given), expected);
    }

    #[test]
    fn no_more_and_no_longer_labels_than_google_takes() {
        let given = (0..200).map(|i| (format!("k{i}{}", "ü".repeat(100)), "ü".repeat(100)));
        let taken = labels(&given.collect());
        assert_eq!(taken.len(), MAX_LABELS);
        assert!(taken.contains_key("managed-by"));
        for (key, value) in taken {
            assert!(key.chars().count() <= 63 && value.chars().count() <= 63);
            assert!(key.len() <= 128 && value.len() <= 128);
        }
    }
}
