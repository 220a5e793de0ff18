//! Decodes values from the JSON of stored states.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::decode::type_name;
use super::{CodecError, MAX_DEPTH};
use crate::{AttributeType, DynamicValue, Number, Value};

/// Decodes a stored value of type `ty`. Ignores attributes that the type does not have, and
/// sets missing ones to null: an earlier release with the same schema version may have written
/// the state.
pub(crate) fn from_json(bytes: &[u8], ty: &AttributeType) -> Result<Value, CodecError> {
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let seed = Typed {
        ty,
        depth: MAX_DEPTH,
    };
    // serde_json's messages quote the content, so they are dropped.
    let value = seed.deserialize(&mut input);
    match value.and_then(|value| input.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) if error.is_data() => Err(CodecError::new("a value of its type", "another")),
        Err(_) => Err(CodecError::new("JSON", "something else")),
    }
}

#[derive(Clone, Copy)]
struct Typed<'t> {
    ty: &'t AttributeType,
    depth: usize,
}

impl<'t> Typed<'t> {
    fn inner<E: Error>(self, ty: &'t AttributeType) -> Result<Self, E> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { ty, depth })
    }
}

impl<'de> DeserializeSeed<'de> for Typed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        match self.ty {
            // Raw, since serde_json would round a number that does not fit 64 bits.
            AttributeType::Number => {
                let raw = <&RawValue as serde::Deserialize>::deserialize(input)?;
                match raw.get() {
                    "null" => Ok(Value::Null),
                    // Terraform stores a number as text if it was sent as text.
                    text => Number::parse(text.trim_matches('"'))
                        .map(Value::Number)
                        .ok_or_else(|| D::Error::custom("not a number")),
                }
            }
            _ => input.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Typed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(type_name(self.ty))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        match self.ty {
            AttributeType::Bool => Ok(Value::Bool(value)),
            _ => Err(E::custom("a boolean")),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        match self.ty {
            AttributeType::String => Ok(Value::string(text)),
            _ => Err(E::custom("a string")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        match self.ty {
            AttributeType::List(element) | AttributeType::Set(element) => {
                while let Some(value) = input.next_element_seed(self.inner(element)?)? {
                    all.push(value);
                }
            }
            AttributeType::Tuple(types) => {
                for ty in types {
                    let value = input.next_element_seed(self.inner(ty)?)?;
                    all.push(value.ok_or_else(|| A::Error::custom("too short"))?);
                }
                if input.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("too long"));
                }
            }
            _ => return Err(A::Error::custom("an array")),
        }
        Ok(match self.ty {
            AttributeType::Set(_) => Value::Set(all),
            AttributeType::Tuple(_) => Value::Tuple(all),
            _ => Value::List(all),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let mut all = BTreeMap::new();
        match self.ty {
            AttributeType::Map(element) => {
                while let Some(key) = input.next_key::<String>()? {
                    all.insert(key, input.next_value_seed(self.inner(element)?)?);
                }
                Ok(Value::Map(all))
            }
            AttributeType::Object(types) => {
                while let Some(name) = input.next_key::<String>()? {
                    if let Some(ty) = types.get(&name) {
                        all.insert(name, input.next_value_seed(self.inner(ty)?)?);
                    } else {
                        input.next_value::<IgnoredAny>()?;
                    }
                }
                for name in types.keys() {
                    all.entry(name.clone()).or_insert(Value::Null);
                }
                Ok(Value::Object(all))
            }
            AttributeType::Dynamic => self.dynamic(input),
            _ => Err(A::Error::custom("an object")),
        }
    }
}

impl Typed<'_> {
    /// Reads `{"value": …, "type": …}`, in either order.
    fn dynamic<'de, A: MapAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let (mut value, mut ty): (Option<&RawValue>, Option<&RawValue>) = (None, None);
        while let Some(key) = input.next_key::<String>()? {
            match key.as_str() {
                "value" => value = Some(input.next_value()?),
                "type" => ty = Some(input.next_value()?),
                _ => return Err(A::Error::custom("another key")),
            }
        }
        let (Some(value), Some(ty)) = (value, ty) else {
            return Err(A::Error::custom("no value or no type"));
        };
        let ty = AttributeType::from_json(ty.get().as_bytes())
            .map_err(|_| A::Error::custom("not a type"))?;
        // The nested reader starts its own recursion count, so `depth` bounds nested values.
        let seed = Typed {
            ty: &ty,
            depth: self
                .depth
                .checked_sub(1)
                .ok_or_else(|| A::Error::custom("too deep"))?,
        };
        let mut inner = serde_json::Deserializer::from_str(value.get());
        let value = seed
            .deserialize(&mut inner)
            .map_err(|_| A::Error::custom("another type"))?;
        Ok(Value::Dynamic(Box::new(DynamicValue { ty, value })))
    }
}
