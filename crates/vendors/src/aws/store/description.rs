//! The description of a secret, which also identifies the secrets of this provider.

use std::collections::BTreeMap;

use planton_core::store::RemoteName;

/// AWS's limit, in characters.
const MAX_CHARS: usize = 2048;

/// Returns the description of a secret of this provider.
///
/// It takes the place of tags: they need `TagResource`, which the provider does not
/// require.
pub(super) fn describe(name: &RemoteName, labels: &BTreeMap<String, String>) -> String {
    let mut text = mark(name);
    for (at, (label, value)) in labels.iter().enumerate() {
        text.push_str(if at == 0 { "; " } else { ", " });
        text.push_str(&format!("{label}={value}"));
    }
    text.chars().take(MAX_CHARS).collect()
}

/// Returns true for a description that this provider wrote for this name.
pub(super) fn is_ours(name: &RemoteName, description: Option<&str>) -> bool {
    let rest = description.and_then(|text| text.strip_prefix(&mark(name)));
    // A name contains no semicolon, so any other character continues a longer name.
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(';'))
}

fn mark(name: &RemoteName) -> String {
    format!("Sealed by terraform-provider-planton as {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_is_recognized_with_any_labels_and_no_other_is() {
        let name = RemoteName::new("a/b".to_owned());
        let plain = describe(&name, &BTreeMap::new());
        assert_eq!(plain, "Sealed by terraform-provider-planton as a/b");
        let labels = [("team", "data"), ("tier", "")];
        let labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let text = describe(&name, &labels);
        assert_eq!(text, format!("{plain}; team=data, tier="));
        assert!(is_ours(&name, Some(&plain)) && is_ours(&name, Some(&text)));
        let longer = RemoteName::new("a/b-2".to_owned());
        for other in [
            None,
            Some(""),
            Some("a/b"),
            Some(describe(&longer, &labels).as_str()),
        ] {
            assert!(!is_ours(&name, other), "{other:?}");
        }
    }

    #[test]
    fn the_longest_description_is_cut_between_characters() {
        let name = RemoteName::new("n".repeat(512));
        let labels = [("ü".repeat(3000), String::new())].into();
        let text = describe(&name, &labels);
        assert_eq!(text.chars().count(), MAX_CHARS);
        assert!(is_ours(&name, Some(&text)));
    }
}
