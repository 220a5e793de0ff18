//! What a vendor's folder registers of each of its types of backend.
//!
//! Schema, settings, credential handling, size limit, name rules, warnings and
//! connector all derive from a [`BackendType`].

mod key_type;

use std::sync::Arc;

pub use key_type::{KeyType, KeyUsage, MacKeyGuard};
pub(crate) use key_type::{OpenKek, of_setting};

use crate::http::HttpSettings;
use planton_core::store::{
    SecretStore, StoreCapability, StoreCredential, StoreError, StoreSettings,
};

/// A type of backend.
#[derive(Debug)]
pub struct BackendType {
    /// Human-readable description.
    pub description: &'static str,
    /// The settings and the parts of a static credential. Without any part of a
    /// credential, the vendor's ambient chain applies.
    pub fields: &'static [Field],
    /// The field that holds the address. The same place may be reached at another.
    pub address: &'static str,
    /// Name of the type, the vendor's name in messages, limits and name rules.
    pub capability: StoreCapability,
    /// Returns true for an address that is reached without TLS beyond this machine.
    /// A text that is no address counts as false: `check` rejects it.
    pub is_exposed: fn(&str) -> bool,
    /// Checks the settings alone, without I/O.
    pub(crate) check: fn(&StoreSettings) -> Result<(), StoreError>,
    /// Opens a store, without I/O.
    pub(crate) open: Open,
}

/// Opens a store from its settings and credential. Nothing is sent before the
/// store's first verb.
pub(crate) type Open =
    fn(&StoreSettings, &StoreCredential, HttpSettings) -> Result<Arc<dyn SecretStore>, StoreError>;

/// A setting, or a part of the static credential.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name that a practitioner writes.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// What a change of it does.
    pub change: Change,
    /// Whether it must be set.
    pub required: bool,
    /// Human-readable description, without default, variables and the effect of a change.
    pub description: &'static str,
    /// Value that is used if the field is not set.
    pub default: Option<&'static str>,
    /// Environment variables that set the field, the first of which wins.
    pub variables: &'static [&'static str],
    /// A text that is valid by itself. It stands in for a value that is not known yet.
    pub example: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Holds {
    /// Text.
    Text,
    /// True or false.
    Flag,
    /// A whole number.
    Number,
    /// A set of texts.
    Texts,
    /// Fields of its own.
    Block(&'static [Field]),
}

/// What a change of a field does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The backend changes in place.
    InPlace,
    /// The backend is replaced: the field says where it stores.
    Replaces,
    /// Nothing by itself: a new credential takes effect with its trigger. Holds the
    /// name of the credential's part.
    Credential(&'static str),
}

impl BackendType {
    /// Returns the name of the type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.capability.kind
    }
}

impl Field {
    /// Returns the description for a schema, with default, environment variables and the
    /// effect of a change.
    #[must_use]
    pub fn documentation(&self) -> String {
        let mut sentences = vec![self.description.to_owned()];
        if let Some(default) = self.default {
            sentences.push(format!("Default: `{default}`."));
        }
        let quoted: Vec<String> = self.variables.iter().map(|v| format!("`{v}`")).collect();
        if !quoted.is_empty() {
            sentences.push(format!("Can also be set with {}.", quoted.join(" or ")));
        }
        if self.change == Change::Replaces {
            sentences.push("A change replaces the backend.".to_owned());
        }
        sentences.join(" ")
    }

    /// Returns the field `name` of a block.
    #[must_use]
    pub fn nested(&self, name: &str) -> Option<&'static Self> {
        match self.holds {
            Holds::Block(fields) => fields.iter().find(|field| field.name == name),
            Holds::Text | Holds::Flag | Holds::Number | Holds::Texts => None,
        }
    }

    /// Describes an optional text that changes in place.
    pub(crate) const fn text(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            holds: Holds::Text,
            change: Change::InPlace,
            required: false,
            description,
            default: None,
            variables: &[],
            example: "example",
        }
    }

    /// Describes an optional flag that changes in place.
    pub(crate) const fn flag(name: &'static str, description: &'static str) -> Self {
        Self::text(name, description).holding(Holds::Flag)
    }

    /// Describes an optional number that changes in place.
    pub(crate) const fn number(name: &'static str, description: &'static str) -> Self {
        Self::text(name, description).holding(Holds::Number)
    }

    /// Describes an optional set of texts that changes in place.
    pub(crate) const fn texts(name: &'static str, description: &'static str) -> Self {
        Self::text(name, description).holding(Holds::Texts)
    }

    /// Describes `part` of the static credential, which is never stored in a state.
    pub(crate) const fn credential(
        name: &'static str,
        part: &'static str,
        description: &'static str,
    ) -> Self {
        Self {
            change: Change::Credential(part),
            ..Self::text(name, description)
        }
    }

    /// Requires the field.
    pub(crate) const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// Marks a field that says where the backend stores.
    pub(crate) const fn replaces(self) -> Self {
        Self {
            change: Change::Replaces,
            ..self
        }
    }

    /// Gives a text that is valid where not every text is.
    pub(crate) const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// Documents the value that is used if the field is not set.
    pub(crate) const fn default(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    /// Documents the environment variables that set the field, the first of which wins.
    pub(crate) const fn variables(self, variables: &'static [&'static str]) -> Self {
        Self { variables, ..self }
    }

    /// Replaces the description.
    pub(crate) const fn described(self, description: &'static str) -> Self {
        Self {
            description,
            ..self
        }
    }

    /// Names a credential as a block has it that no state contains: without `_wo`.
    pub(crate) const fn in_configuration(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    const fn holding(self, holds: Holds) -> Self {
        Self { holds, ..self }
    }
}

/// The [`BackendType::is_exposed`] of a type that accepts no address without TLS.
pub(crate) fn never_exposed(_: &str) -> bool {
    false
}
