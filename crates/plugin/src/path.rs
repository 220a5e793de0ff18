//! Path of a part within a value.

use std::fmt;

/// One step of an [`AttributePath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// An attribute of an object.
    Attribute(String),
    /// An element of a list or tuple.
    Index(usize),
    /// An entry of a map.
    Key(String),
}

/// Path of a part of a configuration or a state. Elements of a set have no path: use that of
/// the set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributePath(Vec<PathStep>);

impl AttributePath {
    /// Returns the path of the whole value.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Returns the path of a top-level attribute.
    #[must_use]
    pub fn attribute(name: impl Into<String>) -> Self {
        Self::root().then(name)
    }

    /// Appends an attribute of the object at this path.
    #[must_use]
    pub fn then(self, name: impl Into<String>) -> Self {
        self.step(PathStep::Attribute(name.into()))
    }

    /// Appends an element of the list at this path.
    #[must_use]
    pub fn index(self, index: usize) -> Self {
        self.step(PathStep::Index(index))
    }

    /// Appends an entry of the map at this path.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.step(PathStep::Key(key.into()))
    }

    /// Returns the steps from the top.
    #[must_use]
    pub fn steps(&self) -> &[PathStep] {
        &self.0
    }

    /// Returns true for the path of the whole value.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn step(mut self, step: PathStep) -> Self {
        self.0.push(step);
        self
    }
}

impl From<&str> for AttributePath {
    /// Returns the path of a top-level attribute.
    fn from(name: &str) -> Self {
        Self::attribute(name)
    }
}

impl fmt::Display for AttributePath {
    /// Formats the path as an expression: `encryption.keys[0].id`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                PathStep::Attribute(name) if position == 0 => f.write_str(name)?,
                PathStep::Attribute(name) => write!(f, ".{name}")?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
                PathStep::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_reads_as_an_expression() {
        let path = AttributePath::attribute("a").then("b").index(2).key("k\"");
        assert_eq!(path.to_string(), r#"a.b[2]["k\""]"#);
        assert_eq!(AttributePath::root().to_string(), "");
    }
}
