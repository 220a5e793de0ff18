//! Where a secret's value comes from, as far as a configuration says.

use super::settings::{copy_from, generate_spec};
use crate::setting::Setting;
use planton_core::operations::{CopyFrom, GenerateSpec, SecretKind, SecretValue, ValueSource};
use planton_plugin::Value;

/// The arguments that give a value, each with the kind of value that it gives; a
/// copy is of the kind that the backend has.
const ARGUMENTS: [(&str, Option<SecretKind>); 4] = [
    ("value_wo", Some(SecretKind::Text)),
    ("data_wo", Some(SecretKind::KeyValue)),
    ("generate", Some(SecretKind::Text)),
    ("copy_from", None),
];

/// The arguments that no state holds.
pub(super) const WRITE_ONLY: [&str; 2] = ["value_wo", "data_wo"];

/// Where the value comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// Nowhere: the value stays as it is.
    Absent,
    /// Known only at apply.
    Unknown(Possible),
    /// Given.
    Given(SecretValue),
    /// Generated; the parameters may be unknown.
    Generate(Setting<GenerateSpec>),
    /// Copied; from where may be unknown.
    Copy(Setting<CopyFrom>),
}

/// What a source that is unknown may turn out to be; any of it may still be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Possible {
    /// The kind of value; absent where the possible sources differ in it.
    kind: Option<SecretKind>,
    /// Whether the value may turn out to be given.
    pub(super) given: bool,
}

impl Source {
    /// Reads a configuration.
    pub(super) fn read(config: &Value) -> Self {
        let mut open = Vec::new();
        for (name, kind) in ARGUMENTS {
            let value = config.attribute(name);
            if value.is_null() {
                continue;
            }
            if value.is_set() && open.is_empty() {
                return certain(name, value);
            }
            open.push((name, kind));
            if value.is_set() {
                break;
            }
        }
        let Some((_, first)) = open.first() else {
            return Self::Absent;
        };
        let agreed = open.iter().all(|(_, kind)| kind == first);
        Self::Unknown(Possible {
            kind: first.filter(|_| agreed),
            given: open.iter().any(|(name, _)| WRITE_ONLY.contains(name)),
        })
    }

    /// Returns the kind of value that comes of it; `None` where that is not
    /// certain yet.
    pub(super) fn kind(&self) -> Option<SecretKind> {
        match self {
            Self::Absent => None,
            Self::Unknown(possible) => possible.kind,
            Self::Given(value) => Some(value.kind()),
            Self::Generate(_) => Some(SecretKind::Text),
            // As the backend has it.
            Self::Copy(_) => None,
        }
    }

    /// Says whether the value is given, or may turn out to be.
    pub(super) fn may_be_given(&self) -> bool {
        match self {
            Self::Given(_) => true,
            Self::Unknown(possible) => possible.given,
            Self::Absent | Self::Generate(_) | Self::Copy(_) => false,
        }
    }

    /// Returns the argument that a value which is refused stands in.
    pub(super) fn argument(&self) -> &'static str {
        match self.kind() {
            Some(SecretKind::KeyValue) => "data_wo",
            _ => "value_wo",
        }
    }

    /// Returns the source for an operation; `None` where there is none.
    pub(super) fn into_source(self) -> Option<ValueSource> {
        match self {
            Self::Given(value) => Some(ValueSource::Given(value)),
            Self::Generate(Setting::Set(spec)) => Some(ValueSource::Generated(spec)),
            Self::Copy(Setting::Set(from)) => Some(ValueSource::Copied(from)),
            Self::Absent | Self::Unknown(_) | Self::Generate(_) | Self::Copy(_) => None,
        }
    }
}

/// Reads the argument that certainly gives the value; parts of it may be unknown.
fn certain(name: &str, value: &Value) -> Source {
    match name {
        "value_wo" => value.as_secret().map_or(Source::Absent, |text| {
            Source::Given(SecretValue::Text(text.clone()))
        }),
        "data_wo" if !value.is_wholly_known() => Source::Unknown(Possible {
            kind: Some(SecretKind::KeyValue),
            given: true,
        }),
        "data_wo" => {
            let entries = value.entries().into_iter().flatten();
            let values =
                entries.filter_map(|(key, value)| Some((key.clone(), value.as_secret()?.clone())));
            Source::Given(SecretValue::KeyValue(values.collect()))
        }
        "generate" => Source::Generate(generate_spec(value).map_or(Setting::Unknown, Setting::Set)),
        _ => Source::Copy(copy_from(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(arguments: &[(&str, Value)]) -> Source {
        let all = arguments.iter().map(|(name, value)| (*name, value.clone()));
        Source::read(&Value::object(all))
    }

    fn data() -> Value {
        Value::map([("user", Value::from("ada"))])
    }

    fn empty() -> Value {
        Value::object::<&str>([])
    }

    #[test]
    fn a_kind_is_certain_only_where_every_possible_source_has_it() {
        use SecretKind::{KeyValue, Text};
        let unknown = || Value::Unknown;
        let partly = Value::map([("user", Value::Unknown)]);
        for (arguments, kind) in [
            (vec![], None),
            (vec![("value_wo", unknown())], Some(Text)),
            (vec![("data_wo", unknown())], Some(KeyValue)),
            (vec![("data_wo", partly)], Some(KeyValue)),
            (vec![("value_wo", unknown()), ("data_wo", unknown())], None),
            (vec![("value_wo", unknown()), ("data_wo", data())], None),
            (
                vec![("value_wo", unknown()), ("generate", unknown())],
                Some(Text),
            ),
            (
                vec![("value_wo", unknown()), ("generate", empty())],
                Some(Text),
            ),
            (vec![("data_wo", unknown()), ("generate", empty())], None),
            (
                vec![("generate", unknown()), ("copy_from", unknown())],
                None,
            ),
            (
                vec![("value_wo", "x".into()), ("data_wo", unknown())],
                Some(Text),
            ),
            (vec![("copy_from", unknown())], None),
        ] {
            assert_eq!(source(&arguments).kind(), kind, "{arguments:?}");
        }
    }

    #[test]
    fn what_is_generated_or_copied_is_never_compared() {
        assert!(source(&[("value_wo", Value::Unknown), ("generate", empty())]).may_be_given());
        assert!(source(&[("data_wo", data())]).may_be_given());
        assert!(!source(&[("generate", Value::Unknown)]).may_be_given());
        assert!(!source(&[("copy_from", Value::Unknown)]).may_be_given());
        assert!(!source(&[]).may_be_given());
    }
}
