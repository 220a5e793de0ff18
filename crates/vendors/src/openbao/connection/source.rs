//! Where the values of a connection's arguments come from.

use std::collections::BTreeMap;
use std::fmt;

use planton_core::kek::KekSettings;
use planton_core::store::StoreSettings;
use serde_json::Value;

/// The value of an argument, as far as it is known.
///
/// # Security
///
/// The text may be a credential: `Debug` is redacted, and values are not compared.
#[derive(Clone, Copy)]
pub enum Given<'a> {
    /// Not set.
    Absent,
    /// Set, and not known yet.
    Unknown,
    /// A text.
    Text(&'a str),
    /// A block with arguments of its own.
    Block,
}

impl Given<'_> {
    /// Returns whether the argument is not set.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Unknown => "Unknown",
            Self::Text(_) => "Text(redacted)",
            Self::Block => "Block",
        })
    }
}

/// The values of a connection's arguments.
pub trait ConnectionSource {
    /// Returns the value of the argument at `path`, such as `["jwt", "role"]`.
    fn given(&self, path: &[&str]) -> Given<'_>;

    /// Returns the first of these environment variables that is set.
    fn variable(&self, variables: &[&str]) -> Option<String>;
}

/// The settings of a backend. An empty text counts as absent, and the environment sets
/// nothing: the secrets would move with a variable.
impl ConnectionSource for StoreSettings {
    fn given(&self, path: &[&str]) -> Given<'_> {
        given_in(&self.configuration, path)
    }

    fn variable(&self, _: &[&str]) -> Option<String> {
        None
    }
}

/// The settings of a key, as those of a backend.
impl ConnectionSource for KekSettings {
    fn given(&self, path: &[&str]) -> Given<'_> {
        given_in(&self.configuration, path)
    }

    fn variable(&self, _: &[&str]) -> Option<String> {
        None
    }
}

fn given_in<'a>(configuration: &'a BTreeMap<String, Value>, path: &[&str]) -> Given<'a> {
    let [first, rest @ ..] = path else {
        return Given::Absent;
    };
    let value = configuration.get(*first);
    let value = rest.iter().fold(value, |value, name| value?.get(name));
    match value {
        Some(Value::String(text)) if !text.is_empty() => Given::Text(text),
        Some(Value::Object(_)) if rest.is_empty() => Given::Block,
        _ => Given::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_text() {
        let shown = format!("{:?} {:?}", Given::Text("hunter2"), Given::Block);
        assert_eq!(shown, "Text(redacted) Block");
    }
}
