//! Encodes and decodes values by their types. No input causes a panic, and no error contains
//! the content of a value.

mod decode;
mod encode;
mod json;

use std::fmt;

use zeroize::Zeroizing;

use super::wire;
use crate::{AttributePath, AttributeType, PathStep, Value};

pub(crate) use json::from_json;

/// Maximum depth of a value.
const MAX_DEPTH: usize = 100;

/// Error for a value that does not match its type, or bytes that are not a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodecError {
    /// Path to the part in question, innermost step first.
    steps: Vec<PathStep>,
    expected: &'static str,
    found: &'static str,
}

/// Encoding of every text.
const UTF8: &str = "UTF-8 text";

impl CodecError {
    fn new(expected: &'static str, found: &'static str) -> Self {
        Self {
            steps: Vec::new(),
            expected,
            found,
        }
    }

    fn under(mut self, step: PathStep) -> Self {
        self.steps.push(step);
        self
    }

    /// Returns true for a text that is not UTF-8, which no schema can prevent.
    pub(crate) fn is_of_encoding(&self) -> bool {
        self.expected == UTF8
    }

    /// Returns the path of the part in question.
    pub(crate) fn path(&self) -> AttributePath {
        let steps = self.steps.iter().rev().cloned();
        steps.fold(AttributePath::root(), AttributePath::step)
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if !path.is_root() {
            write!(f, "{path}: ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for CodecError {}

/// Decodes a value of type `ty`. An absent value is null. The bytes are zeroized.
pub(crate) fn decode_value(
    value: Option<wire::DynamicValue>,
    ty: &AttributeType,
) -> Result<Value, CodecError> {
    let Some(mut value) = value else {
        return Ok(Value::Null);
    };
    let msgpack = Zeroizing::new(std::mem::take(&mut value.msgpack));
    let json = Zeroizing::new(std::mem::take(&mut value.json));
    if !msgpack.is_empty() {
        decode::from_msgpack(&msgpack, ty)
    } else if !json.is_empty() {
        from_json(&json, ty)
    } else {
        Ok(Value::Null)
    }
}

/// Returns whether `msgpack` is a value of this type, for a fuzz target.
///
/// # Panics
///
/// If a value does not survive a round trip.
#[cfg(feature = "testing")]
#[must_use]
pub fn fuzz_msgpack(msgpack: &[u8], ty: &AttributeType) -> bool {
    let Ok(value) = decode::from_msgpack(msgpack, ty) else {
        return false;
    };
    let encoded = encode::to_msgpack(&value, ty).expect("what was decoded is encoded");
    assert!(decode::from_msgpack(&encoded, ty).is_ok_and(|again| again == value));
    true
}

/// Encodes a value of type `ty`.
pub(crate) fn encode_value(
    value: &Value,
    ty: &AttributeType,
) -> Result<wire::DynamicValue, CodecError> {
    Ok(wire::DynamicValue {
        msgpack: encode::to_msgpack(value, ty)?,
        json: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
