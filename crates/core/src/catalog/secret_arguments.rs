//! The arguments of a secret that its record keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::names::Slug;

/// What a practitioner sets besides the value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretMetadata {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// As configured on the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// With the provider's defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels_all: BTreeMap<String, String>,
}

/// What only the provider acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretArguments {
    /// The trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_wo_version: Option<String>,
    /// How the value was generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GenerateSpec>,
    /// Where the value was copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_from: Option<CopyFrom>,
    /// Refuses deletion.
    pub deletion_protection: bool,
    /// What a destroy does.
    pub on_destroy: OnDestroy,
    /// How many versions stay, from 1.
    pub keep_versions: u32,
    /// The namesake whose place it took, or may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_over: Option<Uuid>,
}

/// Where to copy a value from: an object that somebody else keeps in a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyFrom {
    /// The backend's name.
    pub backend: Slug,
    /// The object's name there.
    pub remote_name: String,
    /// Whether to delete it once it is copied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete_source: bool,
}

/// What a destroy does with the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDestroy {
    /// Deletes it.
    Delete,
    /// Leaves it as it is, readable and importable.
    Retain,
    /// Removes its record without asking its backend, which is gone for good.
    Forget,
}

/// How to generate a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateSpec {
    /// In characters.
    pub length: u32,
    /// Whether a to z may occur.
    pub lower: bool,
    /// Whether A to Z may occur.
    pub upper: bool,
    /// Whether 0 to 9 may occur.
    pub numeric: bool,
    /// Whether special characters may occur.
    pub special: bool,
    /// The special characters to choose from, instead of the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_special: Option<String>,
    /// The least number of a to z.
    pub min_lower: u32,
    /// The least number of A to Z.
    pub min_upper: u32,
    /// The least number of 0 to 9.
    pub min_numeric: u32,
    /// The least number of special characters.
    pub min_special: u32,
}
