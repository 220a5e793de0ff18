//! Defines the arguments of a secret that its record contains.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::names::Slug;

/// The metadata of a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretMetadata {
    /// Human-readable description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels as configured on the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Labels merged over the provider's default labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels_all: BTreeMap<String, String>,
}

/// Arguments of a secret that only the provider uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretArguments {
    /// Trigger of a new version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_wo_version: Option<String>,
    /// Parameters of the generated value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GenerateSpec>,
    /// Source of the copied value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_from: Option<CopyFrom>,
    /// Whether a deletion fails.
    pub deletion_protection: bool,
    /// Effect of a destroy.
    pub on_destroy: OnDestroy,
    /// Number of versions to keep, from 1.
    pub keep_versions: u32,
    /// UUID of the secret of the same name that this secret replaced or may replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_over: Option<Uuid>,
}

/// The plaintext object of a backend to copy a value from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyFrom {
    /// Name of the backend.
    pub backend: Slug,
    /// Name of the object in the backend.
    pub remote_name: String,
    /// Whether to delete the object after it is copied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete_source: bool,
}

/// The effect of a destroy on a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDestroy {
    /// Deletes the secret.
    Delete,
    /// Leaves the secret unchanged, readable and importable.
    Retain,
    /// Deletes the record without a request to the backend, which is gone for good.
    Forget,
}

/// The parameters of a generated value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateSpec {
    /// Length in characters.
    pub length: u32,
    /// Whether lower-case letters may occur.
    pub lower: bool,
    /// Whether upper-case letters may occur.
    pub upper: bool,
    /// Whether digits may occur.
    pub numeric: bool,
    /// Whether special characters may occur.
    pub special: bool,
    /// Special characters to choose from, instead of the default ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_special: Option<String>,
    /// Minimum number of lower-case letters.
    pub min_lower: u32,
    /// Minimum number of upper-case letters.
    pub min_upper: u32,
    /// Minimum number of digits.
    pub min_numeric: u32,
    /// Minimum number of special characters.
    pub min_special: u32,
}
