//! A configured value: absent, unknown, or set.

use std::collections::BTreeMap;

use planton_plugin::Value;

/// A configured value. Unknown is never taken for absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting<T> {
    /// Null, or not written.
    Absent,
    /// Known only after an apply.
    Unknown,
    /// Known.
    Set(T),
}

impl<T> Setting<T> {
    /// Returns the value, where it is set.
    #[must_use]
    pub fn set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Absent | Self::Unknown => None,
        }
    }

    /// Returns true for an unknown value.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Returns true for an absent value.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Reads `value` with `known`; what `known` cannot read counts as absent,
    /// since the schema has checked its type.
    pub fn read(value: &Value, known: impl FnOnce(&Value) -> Option<T>) -> Self {
        if value.is_unknown() {
            return Self::Unknown;
        }
        known(value).map_or(Self::Absent, Self::Set)
    }
}

impl Setting<String> {
    /// Reads a string. Not for secrets.
    #[must_use]
    pub fn string(value: &Value) -> Self {
        Self::read(value, |value| value.as_str().map(str::to_owned))
    }
}

impl Setting<bool> {
    /// Reads a bool.
    #[must_use]
    pub fn bool(value: &Value) -> Self {
        Self::read(value, Value::as_bool)
    }
}

impl Setting<i64> {
    /// Reads a whole number.
    #[must_use]
    pub fn integer(value: &Value) -> Self {
        Self::read(value, Value::as_i64)
    }
}

impl Setting<BTreeMap<String, String>> {
    /// Reads a map of strings; unknown as soon as one of them is. Not for
    /// secrets.
    #[must_use]
    pub fn strings(value: &Value) -> Self {
        if !value.is_wholly_known() {
            return Self::Unknown;
        }
        Self::read(value, |value| {
            let entries = value.entries()?.iter();
            Some(
                entries
                    .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                    .collect(),
            )
        })
    }
}
