//! What a text that is to be a name may be shown as: a secret may have been given in
//! its place.

use planton_core::names::Slug;
use planton_plugin::{AttributePath, Diagnostic};

/// Says that a name is not a slug. The text itself is not shown, since a secret may
/// have been given in the name's place; a proposal is, for what looks like an
/// identifier.
#[must_use]
pub fn invalid_slug(what: &str, text: &str, path: impl Into<AttributePath>) -> Diagnostic {
    let remedy = match proposed_slug(text) {
        Some(slug) => format!("\n\nFor example: {:?}.", slug.as_str()),
        None => {
            wrong_with_slug(text).map_or_else(String::new, |wrong| format!(" This one {wrong}."))
        }
    };
    Diagnostic::error(
        "Invalid Name",
        format!(
            "{what} must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with \
             a letter or a digit.{remedy}"
        ),
    )
    .at(path)
}

/// Proposes a name for an identifier such as `DB_PASSWORD`. A single word may be a
/// secret.
fn proposed_slug(text: &str) -> Option<Slug> {
    let words = plain_words(text).filter(|words| words.len() > 1)?;
    words.join("-").to_ascii_lowercase().parse().ok()
}

/// Splits an identifier into its words: letters only, joined by underscores, hyphens
/// or dots. `None` for all else, which may be a secret and is not to be shown.
pub(crate) fn plain_words(text: &str) -> Option<Vec<&str>> {
    let is_word = |word: &&str| {
        let letters = word.bytes().all(|b| b.is_ascii_alphabetic());
        let rest = word.get(1..).unwrap_or_default();
        let one_case = rest.bytes().all(|b| b.is_ascii_lowercase())
            || word.bytes().all(|b| b.is_ascii_uppercase());
        !word.is_empty() && letters && one_case
    };
    let words: Vec<&str> = text.split(['_', '-', '.']).collect();
    words.iter().all(is_word).then_some(words)
}

/// Says what is wrong with a name, without showing any of it.
fn wrong_with_slug(text: &str) -> Option<String> {
    let has = |part: fn(char) -> bool| text.chars().any(part);
    if text.is_empty() {
        return Some("is empty".to_owned());
    }
    let mut found = Vec::new();
    for (is_there, what) in [
        (has(|c| c.is_ascii_uppercase()), "upper-case letters"),
        (text.contains('_'), "underscores"),
        (has(char::is_whitespace), "white space"),
        (text.contains('/'), "slashes"),
        (
            has(|c| !c.is_ascii_alphanumeric() && !c.is_whitespace() && !"-_/".contains(c)),
            "other characters",
        ),
    ] {
        if is_there {
            found.push(what);
        }
    }
    if let Some((last, others)) = found.split_last() {
        let joined = match others {
            [] => (*last).to_owned(),
            _ => format!("{} and {last}", others.join(", ")),
        };
        return Some(format!("has {joined}"));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Some("begins or ends with a hyphen".to_owned());
    }
    (text.len() > 63).then(|| "is longer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        invalid_slug("The name", text, "name").detail
    }

    #[test]
    fn an_identifier_gets_a_proposal() {
        for (text, proposal) in [
            ("DB_PASSWORD", "db-password"),
            ("Db_Password", "db-password"),
            ("db_password", "db-password"),
            ("app.session_key", "app-session-key"),
        ] {
            let told = told(text);
            assert!(
                told.contains(&format!("For example: {proposal:?}.")),
                "{told}"
            );
            assert!(!told.contains(text), "{told}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_described_and_not_shown() {
        let long = "hunter".repeat(11);
        for (secret, wrong) in [
            ("", "This one is empty."),
            ("hunter2!", "This one has other characters."),
            (
                "Hunter2_x",
                "This one has upper-case letters and underscores.",
            ),
            ("HUNTER", "This one has upper-case letters."),
            ("hunter horse staple", "This one has white space."),
            ("-hunter", "This one begins or ends with a hyphen."),
            ("prod/hunter", "This one has slashes."),
            ("h\u{fc}hunter2", "This one has other characters."),
            (&long, "This one is longer."),
        ] {
            let told = told(secret);
            assert!(told.ends_with(wrong), "{told}");
            assert!(!told.to_lowercase().contains("hunter"), "{told}");
        }
    }
}
