//! Where in a value something stands.

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

/// Where in a configuration or a state something stands. Elements of sets have
/// no path: use the set's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributePath(Vec<PathStep>);

impl AttributePath {
    /// The whole value.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// A top-level attribute.
    #[must_use]
    pub fn attribute(name: impl Into<String>) -> Self {
        Self::root().then(name)
    }

    /// Goes on to an attribute of the object that stands here.
    #[must_use]
    pub fn then(self, name: impl Into<String>) -> Self {
        self.step(PathStep::Attribute(name.into()))
    }

    /// Goes on to an element of the list that stands here.
    #[must_use]
    pub fn index(self, index: usize) -> Self {
        self.step(PathStep::Index(index))
    }

    /// Goes on to an entry of the map that stands here.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.step(PathStep::Key(key.into()))
    }

    /// Returns the steps from the top.
    #[must_use]
    pub fn steps(&self) -> &[PathStep] {
        &self.0
    }

    /// Returns true for the whole value.
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
    /// A top-level attribute.
    fn from(name: &str) -> Self {
        Self::attribute(name)
    }
}

impl fmt::Display for AttributePath {
    /// Writes the path as an expression would: `encryption.keys[0].id`.
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
