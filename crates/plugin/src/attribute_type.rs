//! Types of values, and their JSON form on the wire.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// Type of an attribute, a parameter or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// Text.
    String,
    /// A number of any size.
    Number,
    /// A boolean.
    Bool,
    /// A list of one element type.
    List(Box<Self>),
    /// A set of one element type.
    Set(Box<Self>),
    /// A map of strings to one element type.
    Map(Box<Self>),
    /// An object. Every attribute is present, and null if it is not set.
    Object(BTreeMap<String, Self>),
    /// A tuple.
    Tuple(Vec<Self>),
    /// Any type. A value of it includes its type.
    Dynamic,
}

/// Error for JSON that is not a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the JSON form of a type")]
pub struct InvalidType;

/// Maximum depth of a type. Hosts send no deeper ones.
const MAX_DEPTH: usize = 64;

impl AttributeType {
    /// A list of `element`.
    #[must_use]
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// A set of `element`.
    #[must_use]
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// A map to `element`.
    #[must_use]
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// An object.
    #[must_use]
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(
            attributes
                .into_iter()
                .map(|(name, ty)| (name.into(), ty))
                .collect(),
        )
    }

    /// Returns the JSON form: `"string"`, `["list","string"]`, ….
    pub(crate) fn to_json(&self) -> Vec<u8> {
        self.json().to_string().into_bytes()
    }

    /// Parses the JSON form.
    ///
    /// # Errors
    ///
    /// [`InvalidType`] if `bytes` does not have that form, or is nested too deeply.
    pub fn from_json(bytes: &[u8]) -> Result<Self, InvalidType> {
        let json: Json = serde_json::from_slice(bytes).map_err(|_| InvalidType)?;
        Self::parse(&json, MAX_DEPTH)
    }

    fn json(&self) -> Json {
        match self {
            Self::String => json!("string"),
            Self::Number => json!("number"),
            Self::Bool => json!("bool"),
            Self::Dynamic => json!("dynamic"),
            Self::List(element) => json!(["list", element.json()]),
            Self::Set(element) => json!(["set", element.json()]),
            Self::Map(element) => json!(["map", element.json()]),
            Self::Tuple(elements) => {
                json!(["tuple", elements.iter().map(Self::json).collect::<Vec<_>>()])
            }
            Self::Object(attributes) => {
                let attributes: serde_json::Map<String, Json> = attributes
                    .iter()
                    .map(|(name, ty)| (name.clone(), ty.json()))
                    .collect();
                json!(["object", attributes])
            }
        }
    }

    fn parse(json: &Json, depth: usize) -> Result<Self, InvalidType> {
        let depth = depth.checked_sub(1).ok_or(InvalidType)?;
        match json {
            Json::String(name) => match name.as_str() {
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(InvalidType),
            },
            Json::Array(parts) => {
                let (Some(Json::String(kind)), Some(inner)) = (parts.first(), parts.get(1)) else {
                    return Err(InvalidType);
                };
                // The third part of an object lists optional attributes, which a type
                // constraint has, and a value has not.
                let most = if kind == "object" { 3 } else { 2 };
                if parts.len() > most {
                    return Err(InvalidType);
                }
                match (kind.as_str(), inner) {
                    ("list", element) => Ok(Self::list(Self::parse(element, depth)?)),
                    ("set", element) => Ok(Self::set(Self::parse(element, depth)?)),
                    ("map", element) => Ok(Self::map(Self::parse(element, depth)?)),
                    ("tuple", Json::Array(elements)) => elements
                        .iter()
                        .map(|element| Self::parse(element, depth))
                        .collect::<Result<_, _>>()
                        .map(Self::Tuple),
                    ("object", Json::Object(attributes)) => attributes
                        .iter()
                        .map(|(name, ty)| Ok((name.clone(), Self::parse(ty, depth)?)))
                        .collect::<Result<_, _>>()
                        .map(Self::Object),
                    _ => Err(InvalidType),
                }
            }
            _ => Err(InvalidType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_round_trips_through_its_json_form() {
        let every = AttributeType::object([
            ("a", AttributeType::list(AttributeType::String)),
            ("b", AttributeType::set(AttributeType::Number)),
            ("c", AttributeType::map(AttributeType::Dynamic)),
            (
                "d",
                AttributeType::Tuple(vec![AttributeType::Bool, AttributeType::String]),
            ),
        ]);
        let json = every.to_json();
        assert_eq!(
            String::from_utf8_lossy(&json),
            r#"["object",{"a":["list","string"],"b":["set","number"],"c":["map","dynamic"],"d":["tuple",["bool","string"]]}]"#
        );
        assert_eq!(AttributeType::from_json(&json), Ok(every));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        let deep = format!("{}\"string\"{}", "[\"list\",".repeat(100), "]".repeat(100));
        for bad in [
            "",
            "null",
            "\"text\"",
            "[]",
            "[\"list\"]",
            "[\"list\",1]",
            "{}",
            &deep,
        ] {
            assert_eq!(
                AttributeType::from_json(bad.as_bytes()),
                Err(InvalidType),
                "{bad}"
            );
        }
        let optional = br#"["object",{"a":"string"},["a"]]"#;
        assert!(AttributeType::from_json(optional).is_ok());
    }
}
