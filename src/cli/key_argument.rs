//! A key on the command line: `<type>:<setting>`, or `<type>:<name>=<value>,…`.
//!
//! No error quotes the argument: a secret key may have been given by mistake.

use std::collections::BTreeMap;

use super::operator::Failure;
use planton_core::operations::{DeclaredKek, KekSettings, StoreCredential};
use planton_plugin::Diagnostic;
use planton_vendors::{Change, Field, Holds, KEY_TYPES, KeyType};
use serde_json::Value as Json;

/// Text for the help of an argument that takes a key.
pub(super) const FORM: &str = "age:<recipient>, or <type>:<setting>=<value>,… with the settings \
                               of that type's block. The credential comes from the vendor's \
                               ambient chain.";

/// Parses a key, with the vendor's ambient credential chain.
pub(super) fn parse(text: &str) -> Result<DeclaredKek, Failure> {
    let settings = settings(text).map_err(invalid)?;
    Ok(DeclaredKek {
        settings,
        credential: Some(StoreCredential::new()),
    })
}

fn settings(text: &str) -> Result<KekSettings, String> {
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
        return Err(format!(
            "A setting has the form <name>=<value>. A key of type {} has: {}.",
            kind.name,
            names.join(", ")
        ));
    };
    if !is_setting(field) {
        return Err(format!(
            "{} cannot be given on the command line.",
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

/// Returns whether the command line takes the field. A credential is never among arguments,
/// which other users of the machine can read.
fn is_setting(field: &Field) -> bool {
    let is_block = matches!(field.holds, Holds::Block(_));
    !is_block && !matches!(field.change, Change::Credential(_))
}

fn invalid(reason: String) -> Failure {
    Failure::not_confirmed(Diagnostic::error(
        "Invalid Key Argument",
        format!("{reason}\n\nA key is {FORM}"),
    ))
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
            let key = parse(&text).expect("a key");
            assert_eq!(key.settings.kind, "age");
            assert_eq!(key.settings.text("recipient"), Some(RECIPIENT));
            assert!(key.credential.expect("ambient").is_empty());
        }
    }

    #[test]
    fn a_mistake_is_named_and_the_argument_is_not_quoted() {
        for (text, said) in [
            ("AGE-SECRET-KEY-1GQ9778VQXMMJVE8", "begins with its type"),
            ("s3cret:hunter2", "begins with its type"),
            ("", "begins with its type"),
        ] {
            let failure = parse(text).expect_err("no key");
            assert_eq!(failure.status, 2);
            let told = format!("{:?}", failure.diagnostic);
            assert!(told.contains(said), "{told}");
            assert!(text.is_empty() || !told.contains(text), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
