//! Terraform's values.

mod conversions;

use std::collections::BTreeMap;
use std::fmt;

use planton_secret::SecretString;
use subtle::ConstantTimeEq;

use crate::{AttributePath, AttributeType, Number, PathStep};

/// A value as Terraform knows it: a configuration, a state, or a part of one.
///
/// Types are not part of a value: what a [`Value::Null`] would be is known
/// from the schema.
///
/// # Security
///
/// Any string may be a secret. Strings are zeroized on drop, `Debug` shows
/// shapes only, and equality compares strings in constant time. Keys of maps
/// and objects are plain.
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing: not set.
    #[default]
    Null,
    /// Not known before apply. Refinements that Terraform may send with it are
    /// dropped; Terraform doesn't expect them back.
    Unknown,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(SecretString),
    /// A list.
    List(Vec<Self>),
    /// A set; its order means nothing.
    Set(Vec<Self>),
    /// A map.
    Map(BTreeMap<String, Self>),
    /// An object, with all its attributes.
    Object(BTreeMap<String, Self>),
    /// A tuple.
    Tuple(Vec<Self>),
    /// The value of an attribute of type `dynamic`, with the type it has.
    Dynamic(Box<DynamicValue>),
}

/// A value that brings its type along.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicValue {
    /// The type of `value`; never `Dynamic` itself.
    pub ty: AttributeType,
    /// The value.
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

    /// Builds a set; equal elements are kept once.
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

    /// Returns true for [`Value::Unknown`] itself; parts may still be unknown
    /// where this is false.
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

    /// Returns true where no part is unknown.
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

    /// Returns the text of a string; `None` for anything else.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.as_secret().map(SecretString::expose)
    }

    /// Returns a string in its container; `None` for anything else.
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

    /// Returns a whole number that fits; `None` for a fraction.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// Returns a whole number that fits; `None` for a fraction or a negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number().and_then(Number::as_u64)
    }

    /// Returns the elements of a list, set or tuple; none for anything else.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        match self {
            Self::List(all) | Self::Set(all) | Self::Tuple(all) => all,
            Self::Dynamic(inner) => inner.value.elements(),
            _ => &[],
        }
    }

    /// Returns the entries of a map or the attributes of an object; `None` for
    /// anything else.
    #[must_use]
    pub fn entries(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(all) | Self::Object(all) => Some(all),
            Self::Dynamic(inner) => inner.value.entries(),
            _ => None,
        }
    }

    /// Returns an attribute of an object or an entry of a map. Null where there
    /// is none; unknown where `self` is unknown.
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

    /// Returns the part that `path` leads to; `None` where it leads nowhere.
    #[must_use]
    pub fn at(&self, path: &AttributePath) -> Option<&Self> {
        path.steps().iter().try_fold(self, |here, step| match step {
            PathStep::Attribute(name) | PathStep::Key(name) => here.entries()?.get(name),
            PathStep::Index(index) => here.elements().get(*index),
        })
    }

    /// Sets an attribute of an object or an entry of a map. A null becomes an
    /// object with this attribute; anything else is left alone.
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

    /// Returns the object with one attribute replaced; see [`Value::set`].
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Self>) -> Self {
        self.set(name, value);
        self
    }

    /// Takes an attribute out of an object or an entry out of a map, and leaves
    /// null in an object's place.
    pub fn take(&mut self, name: &str) -> Self {
        match self {
            Self::Object(all) => all.get_mut(name).map(std::mem::take).unwrap_or_default(),
            Self::Map(all) => all.remove(name).unwrap_or_default(),
            _ => Self::Null,
        }
    }

    /// Makes the named attributes of an object unknown.
    pub fn mark_unknown(&mut self, names: &[&str]) {
        for name in names {
            self.set(*name, Self::Unknown);
        }
    }

    /// Replaces every unknown part by null.
    #[must_use]
    pub fn unknown_as_null(self) -> Self {
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

    /// Names the shape, for messages: "string", "list", ….
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
