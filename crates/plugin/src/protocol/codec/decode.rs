//! Decodes values from MessagePack.

use std::collections::BTreeMap;

use rmp::Marker;

use super::{CodecError, MAX_DEPTH};
use crate::{AttributeType, DynamicValue, Number, PathStep, Value};

/// Extension type of an unknown value.
const UNKNOWN: i8 = 0;
/// Extension type of an unknown value with a refinement, such as "not null" or a prefix. The
/// decoder drops the refinement.
const REFINED_UNKNOWN: i8 = 12;

/// Decodes exactly one value of type `ty`.
pub(super) fn from_msgpack(bytes: &[u8], ty: &AttributeType) -> Result<Value, CodecError> {
    let mut input = Input { rest: bytes };
    let value = input.value(ty, MAX_DEPTH)?;
    if !input.rest.is_empty() {
        return Err(CodecError::new("one value", "bytes after it"));
    }
    Ok(value)
}

struct Input<'a> {
    rest: &'a [u8],
}

/// Token: a scalar, or the head of a collection.
enum Token<'a> {
    Nil,
    Bool(bool),
    Number(Number),
    Text(&'a [u8]),
    Array(usize),
    Map(usize),
    Unknown,
}

impl Token<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Unknown => "an unknown value",
        }
    }
}

impl<'a> Input<'a> {
    fn value(&mut self, ty: &AttributeType, depth: usize) -> Result<Value, CodecError> {
        let depth = depth
            .checked_sub(1)
            .ok_or(CodecError::new("less depth", "more"))?;
        let token = self.token()?;
        match (ty, token) {
            (_, Token::Nil) => Ok(Value::Null),
            (_, Token::Unknown) => Ok(Value::Unknown),
            (AttributeType::Bool, Token::Bool(value)) => Ok(Value::Bool(value)),
            (AttributeType::Number, Token::Number(number)) => Ok(Value::Number(number)),
            // A number that does not fit a machine type is encoded as decimal text.
            (AttributeType::Number, Token::Text(text)) => std::str::from_utf8(text)
                .ok()
                .and_then(Number::parse)
                .map(Value::Number)
                .ok_or(CodecError::new("a number", "other text")),
            (AttributeType::String, Token::Text(text)) => Ok(Value::string(utf8(text)?)),
            (AttributeType::List(element), Token::Array(len)) => self
                .elements(len, |_| Some(element), depth)
                .map(Value::List),
            (AttributeType::Set(element), Token::Array(len)) => {
                self.elements(len, |_| Some(element), depth).map(Value::Set)
            }
            (AttributeType::Tuple(types), Token::Array(len)) => {
                if len != types.len() {
                    return Err(CodecError::new("a tuple", "one of another length"));
                }
                self.elements(len, |index| types.get(index), depth)
                    .map(Value::Tuple)
            }
            (AttributeType::Map(element), Token::Map(len)) => self
                .entries(len, depth, PathStep::Key, |_| Some(element))
                .map(Value::Map),
            (AttributeType::Object(types), Token::Map(len)) => {
                let mut all =
                    self.entries(len, depth, PathStep::Attribute, |name| types.get(name))?;
                for name in types.keys() {
                    all.entry(name.clone()).or_insert(Value::Null);
                }
                Ok(Value::Object(all))
            }
            (AttributeType::Dynamic, Token::Array(2)) => self.dynamic(depth),
            (expected, found) => Err(CodecError::new(type_name(expected), found.name())),
        }
    }

    /// Reads the pair of a type's JSON form and a value of that type.
    fn dynamic(&mut self, depth: usize) -> Result<Value, CodecError> {
        let Token::Text(json) = self.token()? else {
            return Err(CodecError::new("a type", "something else"));
        };
        let ty = AttributeType::from_json(json)
            .map_err(|_| CodecError::new("a type", "something else"))?;
        let value = self.value(&ty, depth)?;
        Ok(Value::Dynamic(Box::new(DynamicValue { ty, value })))
    }

    fn elements<'t>(
        &mut self,
        len: usize,
        ty: impl Fn(usize) -> Option<&'t AttributeType>,
        depth: usize,
    ) -> Result<Vec<Value>, CodecError> {
        // Every element has at least one byte, so a forged length allocates no more than the
        // size of the message.
        let mut all = Vec::with_capacity(len.min(self.rest.len()));
        for index in 0..len {
            let ty = ty(index).ok_or(CodecError::new("fewer elements", "more"))?;
            let element = self.value(ty, depth);
            all.push(element.map_err(|error| error.under(PathStep::Index(index)))?);
        }
        Ok(all)
    }

    fn entries<'t>(
        &mut self,
        len: usize,
        depth: usize,
        step: fn(String) -> PathStep,
        ty: impl Fn(&str) -> Option<&'t AttributeType>,
    ) -> Result<BTreeMap<String, Value>, CodecError> {
        let mut all = BTreeMap::new();
        for _ in 0..len {
            let Token::Text(key) = self.token()? else {
                return Err(CodecError::new("a key", "something else"));
            };
            let key = utf8(key)?.to_owned();
            let ty = ty(&key).ok_or(CodecError::new("known attributes", "another"))?;
            let value = self
                .value(ty, depth)
                .map_err(|error| error.under(step(key.clone())))?;
            if all.insert(key, value).is_some() {
                return Err(CodecError::new("distinct keys", "one twice"));
            }
        }
        Ok(all)
    }

    fn token(&mut self) -> Result<Token<'a>, CodecError> {
        let marker = Marker::from_u8(self.fixed::<1>()?[0]);
        let signed = |value: i64| Ok(Token::Number(value.into()));
        let float = |value: f64| {
            let number = Number::from_f64(value).map(Token::Number);
            number.ok_or(CodecError::new("a finite number", "an infinity"))
        };
        match marker {
            Marker::Null => Ok(Token::Nil),
            Marker::True => Ok(Token::Bool(true)),
            Marker::False => Ok(Token::Bool(false)),
            Marker::FixPos(value) => signed(value.into()),
            Marker::FixNeg(value) => signed(value.into()),
            Marker::U8 => signed(u8::from_be_bytes(self.fixed()?).into()),
            Marker::U16 => signed(u16::from_be_bytes(self.fixed()?).into()),
            Marker::U32 => signed(u32::from_be_bytes(self.fixed()?).into()),
            Marker::U64 => Ok(Token::Number(u64::from_be_bytes(self.fixed()?).into())),
            Marker::I8 => signed(i8::from_be_bytes(self.fixed()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.fixed()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.fixed()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.fixed()?)),
            Marker::F32 => float(f32::from_be_bytes(self.fixed()?).into()),
            Marker::F64 => float(f64::from_be_bytes(self.fixed()?)),
            Marker::FixStr(len) => self.text(len.into()),
            Marker::Str8 | Marker::Bin8 => {
                let len = self.len8()?;
                self.text(len)
            }
            Marker::Str16 | Marker::Bin16 => {
                let len = self.len16()?;
                self.text(len)
            }
            Marker::Str32 | Marker::Bin32 => {
                let len = self.len32()?;
                self.text(len)
            }
            Marker::FixArray(len) => Ok(Token::Array(len.into())),
            Marker::Array16 => self.len16().map(Token::Array),
            Marker::Array32 => self.len32().map(Token::Array),
            Marker::FixMap(len) => Ok(Token::Map(len.into())),
            Marker::Map16 => self.len16().map(Token::Map),
            Marker::Map32 => self.len32().map(Token::Map),
            Marker::FixExt1 => self.extension(1),
            Marker::FixExt2 => self.extension(2),
            Marker::FixExt4 => self.extension(4),
            Marker::FixExt8 => self.extension(8),
            Marker::FixExt16 => self.extension(16),
            Marker::Ext8 => {
                let len = self.len8()?;
                self.extension(len)
            }
            Marker::Ext16 => {
                let len = self.len16()?;
                self.extension(len)
            }
            Marker::Ext32 => {
                let len = self.len32()?;
                self.extension(len)
            }
            Marker::Reserved => Err(CodecError::new("a value", "a reserved byte")),
        }
    }

    fn text(&mut self, len: usize) -> Result<Token<'a>, CodecError> {
        self.take(len).map(Token::Text)
    }

    fn extension(&mut self, len: usize) -> Result<Token<'a>, CodecError> {
        let kind = i8::from_be_bytes(self.fixed()?);
        self.take(len)?;
        match kind {
            UNKNOWN | REFINED_UNKNOWN => Ok(Token::Unknown),
            _ => Err(CodecError::new("a value", "an extension")),
        }
    }

    fn len8(&mut self) -> Result<usize, CodecError> {
        Ok(u8::from_be_bytes(self.fixed()?).into())
    }

    fn len16(&mut self) -> Result<usize, CodecError> {
        Ok(u16::from_be_bytes(self.fixed()?).into())
    }

    fn len32(&mut self) -> Result<usize, CodecError> {
        let len = u32::from_be_bytes(self.fixed()?);
        usize::try_from(len).map_err(|_| end())
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(end)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or_else(end)?;
        self.rest = rest;
        Ok(head)
    }
}

fn end() -> CodecError {
    CodecError::new("more bytes", "the end")
}

fn utf8(bytes: &[u8]) -> Result<&str, CodecError> {
    std::str::from_utf8(bytes).map_err(|_| CodecError::new(super::UTF8, "other bytes"))
}

/// Returns the name of a type for an error.
pub(super) fn type_name(ty: &AttributeType) -> &'static str {
    match ty {
        AttributeType::String => "a string",
        AttributeType::Number => "a number",
        AttributeType::Bool => "a boolean",
        AttributeType::List(_) => "a list",
        AttributeType::Set(_) => "a set",
        AttributeType::Map(_) => "a map",
        AttributeType::Object(_) => "an object",
        AttributeType::Tuple(_) => "a tuple",
        AttributeType::Dynamic => "a value with its type",
    }
}
