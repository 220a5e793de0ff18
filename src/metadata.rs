//! Checks of descriptions and labels, which the catalog stores for people.

use crate::diagnostics::plain_words;
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, Value};

/// Maximum number of labels. A record has the secret's own labels beside the merged ones, so
/// it stays far below the 512 KiB that the smallest storage of a catalog takes:
/// <https://developer.hashicorp.com/vault/docs/internals/limits>.
pub(crate) const MAX_LABELS: usize = 40;

/// Maximum length of a label's key or value, in bytes.
pub(crate) const MAX_LABEL_BYTES: usize = 256;

/// Maximum length of a description, in bytes: that of AWS Secrets Manager, in characters:
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>.
pub(crate) const MAX_DESCRIPTION_BYTES: usize = 2048;

/// Checks the known part of a description.
pub(crate) fn check_description(config: &Value, diagnostics: &mut Diagnostics) {
    let Some(text) = config.attribute("description").as_str() else {
        return;
    };
    if text.len() > MAX_DESCRIPTION_BYTES {
        diagnostics.push(
            Diagnostic::error(
                "Description Too Long",
                format!(
                    "description has {} bytes, but at most {MAX_DESCRIPTION_BYTES} are \
                     allowed.\n\nShorten it.",
                    text.len()
                ),
            )
            .at("description"),
        );
    }
}

/// Checks the known part of the labels in the argument `name`.
pub(crate) fn check_labels(config: &Value, name: &str, diagnostics: &mut Diagnostics) {
    let Some(labels) = config.attribute(name).entries() else {
        return;
    };
    if labels.len() > MAX_LABELS {
        diagnostics.push(
            Diagnostic::error(
                "Too Many Labels",
                format!(
                    "{name} has {} entries, but at most {MAX_LABELS} are allowed.\n\nRemove some.",
                    labels.len()
                ),
            )
            .at(name),
        );
    }
    for (key, value) in labels {
        if let Some(told) = label_mistake(name, key, value) {
            let at = AttributePath::attribute(name).key(key.clone());
            diagnostics.push(Diagnostic::error("Invalid Label", told).at(at));
        }
    }
}

fn label_mistake(name: &str, key: &str, value: &Value) -> Option<String> {
    if value.is_null() && !key.is_empty() {
        return Some(format!(
            "{} of {name} is null.\n\nSet the label to a value, or remove it.",
            entry(key)
        ));
    }
    let text = value.as_str();
    let is_long = text.is_some_and(|text| text.len() > MAX_LABEL_BYTES);
    (key.is_empty() || key.len() > MAX_LABEL_BYTES || is_long).then(|| {
        format!(
            "A label must have a key of 1 to {MAX_LABEL_BYTES} bytes, and a value of at most \
             {MAX_LABEL_BYTES} bytes.\n\nCorrect it."
        )
    })
}

/// Names an entry of a map by its key, if that looks like a name and not like a secret.
pub(crate) fn entry(key: &str) -> String {
    match plain_words(key) {
        Some(_) if key.len() <= 40 => format!("Entry {key:?}"),
        _ => "An entry".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(check: impl Fn(&mut Diagnostics)) -> Vec<String> {
        let mut diagnostics = Diagnostics::new();
        check(&mut diagnostics);
        let all = diagnostics.iter();
        all.map(|one| format!("{} at {}", one.summary, one.path))
            .collect()
    }

    #[test]
    fn labels_have_their_limits_under_each_name() {
        let text = |length: usize| "x".repeat(length);
        let labels =
            |all: Vec<(String, Value)>| Value::object([("default_labels", Value::map(all))]);
        let check = |config: Value| {
            told(|diagnostics| check_labels(&config, "default_labels", diagnostics))
        };
        let many = |count: usize| (0..count).map(|number| (number.to_string(), "x".into()));
        assert!(check(labels(many(MAX_LABELS).collect())).is_empty());
        let too_many = check(labels(many(MAX_LABELS + 1).collect()));
        assert_eq!(too_many, ["Too Many Labels at default_labels"]);

        let fits = vec![(text(MAX_LABEL_BYTES), text(MAX_LABEL_BYTES).into())];
        assert!(check(labels(fits)).is_empty());
        for (key, value) in [
            (String::new(), "x".into()),
            (text(MAX_LABEL_BYTES + 1), "x".into()),
            ("team".to_owned(), text(MAX_LABEL_BYTES + 1).into()),
            ("team".to_owned(), Value::Null),
        ] {
            let at = format!("Invalid Label at default_labels[{key:?}]");
            assert_eq!(check(labels(vec![(key, value)])), [at]);
        }
        let unknown = vec![("team".to_owned(), Value::Unknown)];
        assert!(check(labels(unknown)).is_empty());
    }

    #[test]
    fn a_description_has_a_limit() {
        let check = |length: usize| {
            let config = Value::object([("description", Value::from("x".repeat(length)))]);
            told(|diagnostics| check_description(&config, diagnostics))
        };
        assert!(check(MAX_DESCRIPTION_BYTES).is_empty());
        let long = check(MAX_DESCRIPTION_BYTES + 1);
        assert_eq!(long, ["Description Too Long at description"]);
    }
}
