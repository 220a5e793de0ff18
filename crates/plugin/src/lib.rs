//! Runtime for Terraform and OpenTofu providers. The author's API has values, schemas,
//! diagnostics, and one trait each for providers, resources, data sources, ephemeral resources
//! and functions. [`protocol`] serves a provider that implements it.

mod attribute_type;
mod computed;
mod context;
mod data_source;
mod diagnostic;
mod ephemeral;
mod function;
mod number;
mod path;
mod private;
pub mod protocol;
mod provider;
mod required;
mod resource;
mod schema;
mod timeouts;
mod value;
mod write_only;

pub use attribute_type::{AttributeType, InvalidType};
pub use computed::proposed_with_computed_unknown;
pub use context::Context;
pub use data_source::{DataSource, ReadDataRequest, ReadDataResponse};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use ephemeral::{EphemeralResource, OpenRequest, OpenResponse, RenewRequest, RenewResponse};
pub use function::{Function, FunctionError, Parameter, Signature};
pub use number::{Number, NumberForm};
pub use path::{AttributePath, PathStep};
pub use private::{FieldReader, FieldWriter, InvalidPrivateData, PrivateData};
pub use provider::{ConfigureRequest, Provider};
pub use resource::{
    ApplyResponse, CreateRequest, DeleteRequest, DeleteResponse, ImportRequest, ImportResponse,
    ImportTarget, MoveRequest, PlanDestroyRequest, PlanDestroyResponse, PlanRequest, PlanResponse,
    ReadOutcome, ReadRequest, ReadResponse, Resource, UpdateRequest, UpgradeRequest,
};
pub use schema::{
    Attribute, AttributeKind, IdentityAttribute, IdentitySchema, Nesting, Presence, Schema,
};
pub use timeouts::Timeouts;
#[cfg(feature = "testing")]
pub use timeouts::fuzzed_duration;
pub use value::{DynamicValue, Value};
pub use write_only::write_only_as_null;
pub(crate) use write_only::write_only_paths;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
