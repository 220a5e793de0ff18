//! Where the values of a connection's arguments come from.

use std::fmt;

use planton_core::store::StoreSettings;

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
        let text = match path {
            [block, name] => self.nested(block, name),
            [name] => self.text(name),
            _ => None,
        };
        match (text, path) {
            (Some(""), _) => Given::Absent,
            (Some(text), _) => Given::Text(text),
            (None, [name]) if self.configuration.get(*name).is_some_and(|v| v.is_object()) => {
                Given::Block
            }
            (None, _) => Given::Absent,
        }
    }

    fn variable(&self, _: &[&str]) -> Option<String> {
        None
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
