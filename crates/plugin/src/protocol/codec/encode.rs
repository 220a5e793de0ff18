//! Encodes values as MessagePack.

use rmp::encode;
use zeroize::Zeroize;

use super::decode::type_name;
use super::{CodecError, MAX_DEPTH};
use crate::{AttributeType, Number, NumberForm, PathStep, Value};

/// Encodes `value`, which must be of type `ty`.
pub(super) fn to_msgpack(value: &Value, ty: &AttributeType) -> Result<Vec<u8>, CodecError> {
    // The size is computed first, since a growing buffer would leave copies of its content.
    let mut out = Vec::with_capacity(size_hint(value, ty));
    match write(&mut out, value, ty, MAX_DEPTH) {
        Ok(()) => Ok(out),
        Err(error) => {
            out.zeroize();
            Err(error)
        }
    }
}

fn write(
    out: &mut Vec<u8>,
    value: &Value,
    ty: &AttributeType,
    depth: usize,
) -> Result<(), CodecError> {
    let depth = depth
        .checked_sub(1)
        .ok_or(CodecError::new("less depth", "more"))?;
    match (ty, value) {
        (AttributeType::Dynamic, Value::Dynamic(inner)) => {
            write_array_len(out, 2);
            let json = inner.ty.to_json();
            infallible(encode::write_bin(out, &json).is_ok());
            write(out, &inner.value, &inner.ty, depth)
        }
        (_, Value::Null) => {
            infallible(encode::write_nil(out).is_ok());
            Ok(())
        }
        (_, Value::Unknown) => {
            // Extension 0 with one byte, as hosts encode it.
            out.extend_from_slice(&[0xd4, 0, 0]);
            Ok(())
        }
        (AttributeType::Bool, Value::Bool(value)) => {
            infallible(encode::write_bool(out, *value).is_ok());
            Ok(())
        }
        (AttributeType::Number, Value::Number(number)) => {
            write_number(out, number);
            Ok(())
        }
        (AttributeType::String, Value::String(text)) => {
            write_text(out, text.expose());
            Ok(())
        }
        (AttributeType::List(element), Value::List(all))
        | (AttributeType::Set(element), Value::Set(all)) => {
            write_array_len(out, all.len());
            write_elements(out, all, |_| element, depth)
        }
        (AttributeType::Tuple(types), Value::Tuple(all)) if types.len() == all.len() => {
            write_array_len(out, all.len());
            write_elements(out, all, |index| &types[index], depth)
        }
        (AttributeType::Map(element), Value::Map(all)) => {
            write_map_len(out, all.len());
            for (key, value) in all {
                write_text(out, key);
                write(out, value, element, depth)
                    .map_err(|error| error.under(PathStep::Key(key.clone())))?;
            }
            Ok(())
        }
        (AttributeType::Object(types), Value::Object(all)) => {
            if let Some(extra) = all.keys().find(|name| !types.contains_key(*name)) {
                let error = CodecError::new("attributes of the schema", "another");
                return Err(error.under(PathStep::Attribute(extra.clone())));
            }
            write_map_len(out, types.len());
            for (name, ty) in types {
                write_text(out, name);
                write(out, all.get(name).unwrap_or(&Value::Null), ty, depth)
                    .map_err(|error| error.under(PathStep::Attribute(name.clone())))?;
            }
            Ok(())
        }
        (expected, found) => Err(CodecError::new(type_name(expected), found.shape())),
    }
}

fn write_elements<'t>(
    out: &mut Vec<u8>,
    all: &[Value],
    ty: impl Fn(usize) -> &'t AttributeType,
    depth: usize,
) -> Result<(), CodecError> {
    for (index, value) in all.iter().enumerate() {
        write(out, value, ty(index), depth).map_err(|error| error.under(PathStep::Index(index)))?;
    }
    Ok(())
}

fn write_number(out: &mut Vec<u8>, number: &Number) {
    match number.form() {
        NumberForm::Int(value) => infallible(encode::write_sint(out, value).is_ok()),
        NumberForm::Uint(value) => infallible(encode::write_uint(out, value).is_ok()),
        NumberForm::Float(value) => infallible(encode::write_f64(out, value).is_ok()),
        NumberForm::Decimal(text) => write_text(out, text),
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    infallible(encode::write_str(out, text).is_ok());
}

fn write_array_len(out: &mut Vec<u8>, len: usize) {
    infallible(encode::write_array_len(out, length(len)).is_ok());
}

fn write_map_len(out: &mut Vec<u8>, len: usize) {
    infallible(encode::write_map_len(out, length(len)).is_ok());
}

/// Asserts that a write to memory succeeded, which cannot fail.
fn infallible(written: bool) {
    debug_assert!(written, "a vector takes whatever is written");
}

fn length(len: usize) -> u32 {
    u32::try_from(len).expect("messages end at 256 MiB")
}

/// Returns an upper bound of the size of `value`, which has type `ty`.
pub(super) fn size_hint(value: &Value, ty: &AttributeType) -> usize {
    const HEAD: usize = 9;
    HEAD + match (ty, value) {
        (AttributeType::Dynamic, Value::Dynamic(inner)) => {
            inner.ty.to_json().len() + HEAD + size_hint(&inner.value, &inner.ty)
        }
        (_, Value::Number(number)) => match number.form() {
            NumberForm::Decimal(text) => text.len(),
            _ => 0,
        },
        (_, Value::String(text)) => text.len(),
        (AttributeType::List(element), Value::List(all))
        | (AttributeType::Set(element), Value::Set(all)) => {
            all.iter().map(|value| size_hint(value, element)).sum()
        }
        (AttributeType::Tuple(types), Value::Tuple(all)) => {
            let both = all.iter().zip(types);
            both.map(|(value, ty)| size_hint(value, ty)).sum()
        }
        (AttributeType::Map(element), Value::Map(all)) => all
            .iter()
            .map(|(key, value)| HEAD + key.len() + size_hint(value, element))
            .sum(),
        // A missing attribute is encoded as null.
        (AttributeType::Object(types), Value::Object(all)) => types
            .iter()
            .map(|(name, ty)| {
                let value = all.get(name).unwrap_or(&Value::Null);
                HEAD + name.len() + size_hint(value, ty)
            })
            .sum(),
        // Null, unknown or a boolean, or a value of another type, which is rejected.
        _ => 0,
    }
}
