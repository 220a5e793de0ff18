//! Configured value: absent, unknown, or set.

use std::collections::BTreeMap;

use planton_plugin::Value;
use uuid::Uuid;

/// Parses a uuid in the one form that states contain: lower-case letters and hyphens. Another
/// form would differ from the configuration wherever it is returned.
pub(crate) fn uuid_as_stored(text: &str) -> Option<Uuid> {
    let uuid = Uuid::parse_str(text).ok()?;
    (uuid.to_string() == text).then_some(uuid)
}

/// Configured value. An unknown value never counts as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting<T> {
    /// Null or omitted.
    Absent,
    /// Known after an apply only.
    Unknown,
    /// Known and not null.
    Set(T),
}

impl<T> Setting<T> {
    /// Returns the value if it is set.
    pub(crate) fn set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Absent | Self::Unknown => None,
        }
    }

    /// Returns true for an unknown value.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Returns true for an absent value.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Reads `value` with `known`. A value that `known` cannot read counts as absent, since
    /// the schema has already checked its type.
    pub(crate) fn read(value: &Value, known: impl FnOnce(&Value) -> Option<T>) -> Self {
        if value.is_unknown() {
            return Self::Unknown;
        }
        known(value).map_or(Self::Absent, Self::Set)
    }
}

impl Setting<String> {
    /// Reads a string. Not for secrets, since the copy is not zeroized.
    pub(crate) fn string(value: &Value) -> Self {
        Self::read(value, |value| value.as_str().map(str::to_owned))
    }
}

impl Setting<bool> {
    /// Reads a boolean.
    pub(crate) fn bool(value: &Value) -> Self {
        Self::read(value, Value::as_bool)
    }
}

impl Setting<i64> {
    /// Reads a whole number.
    pub(crate) fn integer(value: &Value) -> Self {
        Self::read(value, Value::as_i64)
    }
}

impl Setting<BTreeMap<String, String>> {
    /// Reads a map of strings, which is unknown if one of them is. Not for secrets, since the
    /// copies are not zeroized.
    pub(crate) fn strings(value: &Value) -> Self {
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
