//! Human-readable labels, adapted to Google's rules.

use std::collections::BTreeMap;

/// Maximum number of labels on one secret:
/// <https://docs.cloud.google.com/secret-manager/docs/add-labels-to-secrets>
const MAX_LABELS: usize = 64;
const MAX_CHARS: usize = 63;

/// Label that marks a secret of this provider, for filters in the console.
const MANAGED_BY: (&str, &str) = ("managed-by", "terraform-provider-planton");

/// Returns `labels` and the label of this provider. Truncates them to Google's limits,
/// and replaces characters that Google rejects with `_`.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut taken = BTreeMap::new();
    for (key, value) in labels {
        let mut key = lowered(key);
        if !key.starts_with(char::is_alphabetic) {
            key.insert(0, 'x');
        }
        let cut = |text: String| text.chars().take(MAX_CHARS).collect::<String>();
        // If two keys become equal, the first one in their order is kept.
        taken.entry(cut(key)).or_insert_with(|| cut(lowered(value)));
        if taken.len() == MAX_LABELS - 1 {
            break;
        }
    }
    let (key, value) = MANAGED_BY;
    taken.insert(key.to_owned(), value.to_owned());
    taken
}

/// Replaces all characters except lowercase letters and digits that Google certainly
/// accepts: ASCII, and letters of Latin-1, which take two bytes each.
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
