//! What a provider author sees of the plugin protocol: values, schemas,
//! diagnostics, and one trait for each kind of thing a provider offers.
//!
//! Nothing here knows the wire; `protocol` serves what is built on this.

mod attribute_type;
mod context;
mod data_source;
mod diagnostic;
mod ephemeral;
mod function;
mod number;
mod path;
mod plan;
mod private;
pub mod protocol;
mod provider;
mod resource;
mod schema;
mod value;

pub use attribute_type::{AttributeType, InvalidType};
pub use context::Context;
pub use data_source::{DataSource, ReadDataRequest, ReadDataResponse};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use ephemeral::{EphemeralResource, OpenRequest, OpenResponse, RenewRequest, RenewResponse};
pub use function::{Function, FunctionError, Parameter, Signature};
pub use number::{Number, NumberForm};
pub use path::{AttributePath, PathStep};
pub use plan::{proposed_with_computed_unknown, write_only_as_null, write_only_paths};
pub use private::{InvalidPrivateData, PrivateData};
pub use provider::{ConfigureRequest, Provider};
pub use resource::{
    ApplyResponse, CreateRequest, DeleteRequest, DeleteResponse, ImportRequest, ImportResponse,
    ImportTarget, Imported, MoveRequest, PlanDestroyRequest, PlanDestroyResponse, PlanRequest,
    PlanResponse, ReadOutcome, ReadRequest, ReadResponse, Resource, UpdateRequest, UpgradeRequest,
};
pub use schema::{
    Attribute, AttributeKind, IdentityAttribute, IdentitySchema, Nesting, Presence, Schema,
};
pub use value::{DynamicValue, Value};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
