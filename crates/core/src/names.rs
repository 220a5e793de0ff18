//! Parses names once, at the boundary.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A slug: `[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?`, 1 to 63 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Error of a text that is not a slug.
pub const PLATFORM_BACKEND: &str = "platform";

/// The text is not a slug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit"
)]
pub struct InvalidSlug;

impl Slug {
    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidSlug`] if `text` does not have the form of a [`Slug`].
    pub fn parse(text: &str) -> Result<Self, InvalidSlug> {
        let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let inner = |b: &u8| edge(b) || *b == b'-';
        let edges = bytes.first().is_some_and(edge) && bytes.last().is_some_and(edge);
        if edges && bytes.len() <= 63 && bytes.iter().all(inner) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidSlug)
        }
    }

    /// Returns the name of the built-in backend.
    #[must_use]
    pub fn platform_backend() -> Self {
        Self(PLATFORM_BACKEND.to_owned())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

/// The full name of a secret inside an organization: its scope and its slug.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretName {
    /// The environment; absent for a secret of organization scope.
    pub environment: Option<Slug>,
    /// The secret's own name.
    pub name: Slug,
}

impl fmt::Display for SecretName {
    /// Writes `name` or `environment/name`, the form that import takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.environment {
            Some(environment) => write!(f, "{environment}/{}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

impl FromStr for SecretName {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (environment, name) = match text.split_once('/') {
            Some((environment, name)) => (Some(environment.parse()?), name),
            None => (None, text),
        };
        Ok(Self {
            environment,
            name: name.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slug_accepts_its_whole_form_and_nothing_else() {
        for good in ["a", "0", "a-b", "db-password", &"a".repeat(63)] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a_b",
            "a/b",
            "ä",
            "a b",
            &"a".repeat(64),
        ] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secret_name_round_trips_through_its_import_form() {
        for text in ["db", "prod/db"] {
            assert_eq!(
                text.parse::<SecretName>().map(|n| n.to_string()).as_deref(),
                Ok(text)
            );
        }
        assert!("a/b/c".parse::<SecretName>().is_err());
        assert!("/b".parse::<SecretName>().is_err());
    }
}
