//! Where sealed secrets, records and keys are kept: one folder for each vendor.
//!
//! [`Connector`] is the one place that knows all types of backends.

pub mod age;
pub mod aws;
pub mod azure;
pub mod bucket;
pub mod embedded;
pub mod gcp;
pub mod http;
mod key_registry;
pub mod openbao;
mod registration;
mod registry;
mod regular_file;
#[cfg(any(test, feature = "testing"))]
mod toy;

pub use key_registry::{KEY_TYPES, KekConnector};
pub use registration::{BackendType, Change, Field, Holds, KeyType, KeyUsage, MacKeyGuard};
pub use registry::{BACKEND_TYPES, Connector};
pub use regular_file::open_regular_file;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
