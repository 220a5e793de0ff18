//! Google Cloud's REST APIs: credentials, requests and errors.

mod bearer;
mod credential;
mod endpoint;
mod error;
mod impersonation;
mod rest;
mod token;

pub use credential::{GcpCredential, InvalidServiceAccountKey, ServiceAccountKey};
pub use endpoint::{GcpEndpoint, InvalidEndpoint};
pub use error::{GcpError, GcpErrorKind, GcpErrorParts};
pub use impersonation::{InvalidServiceAccount, ServiceAccountEmail};
pub use rest::{Freshness, GcpCall, GcpClient};
pub(crate) use token::Authorization;
pub use token::TokenSource;
