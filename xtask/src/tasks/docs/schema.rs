//! Reads the schema JSON: names, types, and the setter of each attribute.

use serde_json::{Map, Value};

/// Returns the keys of an object, in order.
pub(super) fn names(object: &Value) -> Vec<&str> {
    let names = object.as_object().into_iter().flat_map(Map::keys);
    names.map(String::as_str).collect()
}

/// The registry's classification of an attribute by its setter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setter {
    Required,
    Optional,
    ReadOnly,
}

impl Setter {
    pub(super) const ALL: [Self; 3] = [Self::Required, Self::Optional, Self::ReadOnly];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Required => "Required",
            Self::Optional => "Optional",
            Self::ReadOnly => "Read-Only",
        }
    }
}

/// One attribute or nested block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    json: &'a Value,
    is_block: bool,
}

/// Returns the fields of a block or of a nested type, in order.
pub(super) fn fields(block: &Value) -> Vec<Field<'_>> {
    let of = |key: &str, is_block| {
        let members = block[key].as_object().into_iter().flatten();
        members.map(move |(name, json)| Field {
            name,
            json,
            is_block,
        })
    };
    let mut fields: Vec<_> = of("attributes", false)
        .chain(of("block_types", true))
        .collect();
    fields.sort_unstable_by_key(|field| field.name);
    fields
}

impl<'a> Field<'a> {
    pub(super) fn setter(&self) -> Setter {
        let is = |key: &str| self.json[key] == true;
        let required_block = self.is_block && self.json["min_items"].as_u64() > Some(0);
        if is("required") || required_block {
            Setter::Required
        } else if is("optional") || self.is_block {
            Setter::Optional
        } else {
            Setter::ReadOnly
        }
    }

    /// Returns the fields of the nested type or block.
    pub(super) fn nested(&self) -> Option<&'a Value> {
        let key = if self.is_block {
            "block"
        } else {
            "nested_type"
        };
        self.json.get(key)
    }

    pub(super) fn description(&self) -> &'a str {
        let outer = self.json["description"].as_str();
        let inner = self.json["block"]["description"].as_str();
        outer.or(inner).unwrap_or_default().trim()
    }

    pub(super) fn is(&self, flag: &str) -> bool {
        self.json[flag] == true || self.json["block"][flag] == true
    }

    /// Returns the type as the registry names it: `List of String`.
    pub(super) fn type_name(&self) -> String {
        if self.is_block {
            return format!("Block {}", nesting(self.json["nesting_mode"].as_str()));
        }
        match self.json.get("nested_type") {
            Some(nested) => match nested["nesting_mode"].as_str() {
                Some("single") => "Attributes".to_owned(),
                mode => format!("Attributes {}", nesting(mode)),
            },
            None => type_name(&self.json["type"]),
        }
    }
}

/// Returns a type of the schema JSON as the registry names it.
pub(super) fn type_name(json: &Value) -> String {
    if let Some(name) = json.as_str() {
        return match name {
            "bool" => "Boolean".to_owned(),
            "dynamic" => "Dynamic".to_owned(),
            other => capitalized(other),
        };
    }
    match (json[0].as_str(), &json[1]) {
        (Some("object"), _) => "Object".to_owned(),
        (Some("tuple"), _) => "Tuple".to_owned(),
        (Some(collection), of) => format!("{} of {}", capitalized(collection), type_name(of)),
        _ => "Unknown".to_owned(),
    }
}

/// Returns a type as it appears in a function's signature: `list of string`.
pub(super) fn signature_type(json: &Value) -> String {
    match json.as_str() {
        Some(name) => name.to_owned(),
        None => type_name(json).to_lowercase(),
    }
}

fn nesting(mode: Option<&str>) -> String {
    capitalized(mode.unwrap_or("single"))
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
