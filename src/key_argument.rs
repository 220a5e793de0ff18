//! A key as text, in an argument of a command or in an environment variable:
//! `<type>:<setting>`, or `<type>:<name>=<value>,…`.
//!
//! No error quotes the text: a secret key may have been given by mistake.

use std::collections::BTreeMap;

use planton_core::operations::KekSettings;
use planton_vendors::{Change, Field, Holds, KEY_TYPES, KeyType};
use serde_json::Value as Json;

/// Form of a key, for help texts and errors.
pub(crate) const FORM: &str = "age:<recipient>, or <type>:<setting>=<value>,… with the settings \
                               of that type's block. The credential comes from the vendor's \
                               ambient chain.";

/// Parses a key. It has no credential: the vendor's ambient chain applies.
///
/// # Errors
///
/// What is wrong with the text.
pub(crate) fn settings(text: &str) -> Result<KekSettings, String> {
    let kind = text.split_once(':').and_then(|(name, rest)| {
        let known = KEY_TYPES.iter().find(|known| known.name == name)?;
        Some((*known, rest))
    });
    let Some((kind, rest)) = kind else {
        let known: Vec<_> = KEY_TYPES.iter().map(|known| known.name).collect();
        return Err(format!(
            "A key begins with its type and a colon. The types are: {}.",
            known.join(", ")
        ));
    };
    let mut configuration = BTreeMap::new();
    if let Some(only) = only_setting(kind)
        && !rest.starts_with(&format!("{}=", only.name))
    {
        configuration.insert(only.name.to_owned(), Json::from(rest));
    } else {
        for part in rest.split(',').filter(|part| !part.is_empty()) {
            let (field, value) = setting(kind, part)?;
            if configuration.insert(field.name.to_owned(), value).is_some() {
                return Err(format!("The setting {} is given twice.", field.name));
            }
        }
    }
    let missing = kind
        .fields
        .iter()
        .find(|field| field.required && !configuration.contains_key(field.name));
    if let Some(missing) = missing {
        return Err(format!(
            "A key of type {} requires the setting {}.",
            kind.name, missing.name
        ));
    }
    Ok(KekSettings {
        kind: kind.name.to_owned(),
        configuration,
    })
}

/// Returns the setting of a type that has one alone, which needs no name.
fn only_setting(kind: &KeyType) -> Option<&Field> {
    match kind.fields {
        [only] => Some(only),
        _ => None,
    }
}

fn setting<'a>(kind: &'a KeyType, part: &str) -> Result<(&'a Field, Json), String> {
    let known = part.split_once('=').and_then(|(name, value)| {
        let field = kind.fields.iter().find(|field| field.name == name)?;
        Some((field, value))
    });
    let Some((field, value)) = known else {
        let names = kind.fields.iter().filter(|field| is_setting(field));
        let names: Vec<_> = names.map(|field| field.name).collect();
        let unknown = match unknown_name(part) {
            Some(name) => format!("There is no setting {name}."),
            None => "A setting has the form <name>=<value>.".to_owned(),
        };
        return Err(format!(
            "{unknown} A key of type {} has: {}.",
            kind.name,
            names.join(", ")
        ));
    };
    if !is_setting(field) {
        return Err(format!(
            "{} cannot be given here, where other processes can read it.",
            field.name
        ));
    }
    let parsed = match field.holds {
        Holds::Flag => value.parse::<bool>().ok().map(Json::from),
        Holds::Number => value.parse::<i64>().ok().map(Json::from),
        Holds::Texts => Some(value.split('+').collect()),
        Holds::Text | Holds::Block(_) => Some(Json::from(value)),
    };
    let parsed = parsed.ok_or_else(|| match field.holds {
        Holds::Flag => format!("The setting {} is true or false.", field.name),
        _ => format!("The setting {} is a whole number.", field.name),
    })?;
    Ok((field, parsed))
}

/// Returns the name of a setting that does not exist, if it has the form of one: a secret key that
/// was given by mistake is not quoted.
fn unknown_name(part: &str) -> Option<&str> {
    const MAX_NAME: usize = 30;
    let (name, _) = part.split_once('=')?;
    let is_name = |char: char| char.is_ascii_lowercase() || char == '_';
    let has_the_form = !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(is_name);
    has_the_form.then_some(name)
}

/// Returns whether the text may contain the field. A credential is never among arguments or in
/// a variable of this form, which other processes can read.
fn is_setting(field: &Field) -> bool {
    let is_block = matches!(field.holds, Holds::Block(_));
    !is_block && !matches!(field.change, Change::Credential(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    #[test]
    fn a_recipient_needs_no_name_and_has_one() {
        for text in [
            format!("age:{RECIPIENT}"),
            format!("age:recipient={RECIPIENT}"),
        ] {
            let key = settings(&text).expect("a key");
            assert_eq!(key.kind, "age");
            assert_eq!(key.text("recipient"), Some(RECIPIENT));
        }
    }

    #[test]
    fn a_setting_that_does_not_exist_is_named_and_what_is_no_name_is_not() {
        let told = settings("aws_kms:key=alias/x").expect_err("no setting");
        assert!(
            told.starts_with("There is no setting key. A key of type"),
            "{told}"
        );
        for text in ["aws_kms:wJalrXUtnFEMI/K7MDENG=x", "aws_kms:hunter2"] {
            let told = settings(text).expect_err("no setting");
            assert!(told.starts_with("A setting has the form"), "{told}");
            assert!(
                !told.contains("wJalr") && !told.contains("hunter2"),
                "{told}"
            );
        }
    }

    #[test]
    fn a_mistake_is_named_and_the_argument_is_not_quoted() {
        for (text, said) in [
            ("AGE-SECRET-KEY-1GQ9778VQXMMJVE8", "begins with its type"),
            ("s3cret:hunter2", "begins with its type"),
            ("", "begins with its type"),
        ] {
            let told = settings(text).expect_err("no key");
            assert!(told.contains(said), "{told}");
            assert!(text.is_empty() || !told.contains(text), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
