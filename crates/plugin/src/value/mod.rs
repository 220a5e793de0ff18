//! Values of configurations, states and results.

mod conversions;

use std::collections::BTreeMap;
use std::fmt;

use planton_secret::SecretString;
use subtle::ConstantTimeEq;

use crate::{AttributePath, AttributeType, Number, PathStep};

/// Configuration, state or result, or a part of one.
///
/// A value does not contain its type. The schema has the type of a [`Value::Null`].
///
/// # Security
///
/// Any string may be a secret. Strings are zeroized on drop and compared in constant time, and
/// `Debug` prints shapes only. Keys of maps and objects are plain text.
#[derive(Clone, Default)]
pub enum Value {
    /// Not set.
    #[default]
    Null,
    /// Unknown until the apply. The decoder drops refinements that Terraform may send, and
    /// Terraform does not expect them in the response.
    Unknown,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(SecretString),
    /// A list.
    List(Vec<Self>),
    /// A set, whose order does not matter.
    Set(Vec<Self>),
    /// A map.
    Map(BTreeMap<String, Self>),
    /// An object, with all its attributes.
    Object(BTreeMap<String, Self>),
    /// A tuple.
    Tuple(Vec<Self>),
    /// A value of an attribute of type `dynamic`, with its own type.
    Dynamic(Box<DynamicValue>),
}

/// Value with its type.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicValue {
    /// Type of `value`; never `Dynamic` itself.
    pub ty: AttributeType,
    /// Value.
    pub value: Value,
}

static NULL: Value = Value::Null;

impl Value {
    /// Builds a string.
    #[must_use]
    pub fn string(text: impl Into<String>) -> Self {
        Self::String(SecretString::new(text.into()))
    }

    /// Builds an object.
    #[must_use]
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(collect(attributes))
    }

    /// Builds a map.
    #[must_use]
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(collect(entries))
    }

    /// Builds a list.
    #[must_use]
    pub fn list(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::List(elements.into_iter().collect())
    }

    /// Builds a set without duplicates.
    #[must_use]
    pub fn set_of(elements: impl IntoIterator<Item = Self>) -> Self {
        let mut distinct: Vec<Self> = Vec::new();
        for element in elements {
            if !distinct.contains(&element) {
                distinct.push(element);
            }
        }
        Self::Set(distinct)
    }

    /// Returns true for [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Dynamic(inner) => inner.value.is_null(),
            _ => false,
        }
    }

    /// Returns true for [`Value::Unknown`] itself. If it is false, parts may still be unknown.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Dynamic(inner) => inner.value.is_unknown(),
            _ => false,
        }
    }

    /// Returns true for a value that is neither null nor unknown.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.is_null() && !self.is_unknown()
    }

    /// Returns true if no part is unknown.
    #[must_use]
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
            Self::List(all) | Self::Set(all) | Self::Tuple(all) => {
                all.iter().all(Self::is_wholly_known)
            }
            Self::Map(all) | Self::Object(all) => all.values().all(Self::is_wholly_known),
            Self::Dynamic(inner) => inner.value.is_wholly_known(),
        }
    }

    /// Returns the text of a string; `None` for any other value.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.as_secret().map(SecretString::expose)
    }

    /// Returns a string in its zeroizing container; `None` for any other value.
    #[must_use]
    pub fn as_secret(&self) -> Option<&SecretString> {
        match self {
            Self::String(text) => Some(text),
            Self::Dynamic(inner) => inner.value.as_secret(),
            _ => None,
        }
    }

    /// Returns a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Dynamic(inner) => inner.value.as_bool(),
            _ => None,
        }
    }

    /// Returns a number.
    #[must_use]
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Dynamic(inner) => inner.value.as_number(),
            _ => None,
        }
    }

    /// Returns a whole number that fits; `None` for any other value.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// Returns a whole number that fits and is not negative; `None` for any other value.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number().and_then(Number::as_u64)
    }

    /// Returns the elements of a list, set or tuple; an empty slice for any other value.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        match self {
            Self::List(all) | Self::Set(all) | Self::Tuple(all) => all,
            Self::Dynamic(inner) => inner.value.elements(),
            _ => &[],
        }
    }

    /// Returns the entries of a map or the attributes of an object; `None` for any other value.
    #[must_use]
    pub fn entries(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(all) | Self::Object(all) => Some(all),
            Self::Dynamic(inner) => inner.value.entries(),
            _ => None,
        }
    }

    /// Returns an attribute of an object or an entry of a map. Returns null if there is none,
    /// and unknown if `self` is unknown.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &Self {
        match self {
            Self::Unknown => self,
            _ => self
                .entries()
                .and_then(|all| all.get(name))
                .unwrap_or(&NULL),
        }
    }

    /// Returns the part at `path`, if there is one.
    #[must_use]
    pub fn at(&self, path: &AttributePath) -> Option<&Self> {
        path.steps().iter().try_fold(self, |here, step| match step {
            PathStep::Attribute(name) | PathStep::Key(name) => here.entries()?.get(name),
            PathStep::Index(index) => here.elements().get(*index),
        })
    }

    /// Sets an attribute of an object or an entry of a map. Null becomes an object with this
    /// attribute. Any other value does not change.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Self>) {
        if matches!(self, Self::Null) {
            *self = Self::Object(BTreeMap::new());
        }
        match self {
            Self::Map(all) | Self::Object(all) => {
                all.insert(name.into(), value.into());
            }
            _ => debug_assert!(false, "set on a value that is neither object nor map"),
        }
    }

    /// Returns the value with one attribute set, as by [`Value::set`].
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Self>) -> Self {
        self.set(name, value);
        self
    }

    /// Takes an attribute from an object, which leaves null there, or an entry from a map.
    pub fn take(&mut self, name: &str) -> Self {
        match self {
            Self::Object(all) => all.get_mut(name).map(std::mem::take).unwrap_or_default(),
            Self::Map(all) => all.remove(name).unwrap_or_default(),
            _ => Self::Null,
        }
    }

    /// Sets the named attributes of an object to unknown.
    pub fn mark_unknown(&mut self, names: &[&str]) {
        for name in names {
            self.set(*name, Self::Unknown);
        }
    }

    /// Replaces every unknown part with null.
    pub(crate) fn unknown_as_null(self) -> Self {
        let all = |list: Vec<Self>| list.into_iter().map(Self::unknown_as_null).collect();
        let each = |map: BTreeMap<String, Self>| {
            map.into_iter()
                .map(|(key, value)| (key, value.unknown_as_null()))
                .collect()
        };
        match self {
            Self::Unknown => Self::Null,
            Self::List(list) => Self::List(all(list)),
            Self::Set(list) => Self::Set(all(list)),
            Self::Tuple(list) => Self::Tuple(all(list)),
            Self::Map(map) => Self::Map(each(map)),
            Self::Object(map) => Self::Object(each(map)),
            Self::Dynamic(inner) => Self::Dynamic(Box::new(DynamicValue {
                ty: inner.ty,
                value: inner.value.unknown_as_null(),
            })),
            known => known,
        }
    }

    /// Returns the name of the shape for messages, such as "string" or "list".
    #[must_use]
    pub fn shape(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown => "unknown",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Map(_) => "map",
            Self::Object(_) => "object",
            Self::Tuple(_) => "tuple",
            Self::Dynamic(_) => "dynamic",
        }
    }
}

fn collect<K: Into<String>>(
    entries: impl IntoIterator<Item = (K, Value)>,
) -> BTreeMap<String, Value> {
    entries
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect()
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) | (Self::Unknown, Self::Unknown) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a.ct_eq(b).into(),
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Set(a), Self::Set(b)) => same_elements(a, b),
            (Self::Map(a), Self::Map(b)) | (Self::Object(a), Self::Object(b)) => a == b,
            (Self::Dynamic(a), Self::Dynamic(b)) => a == b,
            _ => false,
        }
    }
}

/// Compares as multisets.
fn same_elements(a: &[Value], b: &[Value]) -> bool {
    let mut rest: Vec<&Value> = b.iter().collect();
    a.len() == b.len()
        && a.iter().all(|element| {
            rest.iter()
                .position(|candidate| *candidate == element)
                .map(|found| rest.swap_remove(found))
                .is_some()
        })
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(all) | Self::Set(all) | Self::Tuple(all) => {
                f.write_str(self.shape())?;
                f.debug_list().entries(all).finish()
            }
            Self::Map(all) => write!(f, "map({})", all.len()),
            Self::Object(all) => {
                f.write_str("object ")?;
                f.debug_map().entries(all).finish()
            }
            Self::Dynamic(inner) => write!(f, "dynamic({:?})", inner.value),
            _ => f.write_str(self.shape()),
        }
    }
}

#[cfg(test)]
mod tests;
