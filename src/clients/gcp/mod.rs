//! Google Cloud's REST APIs: who we are, one request, and what a refusal means.

mod client;
mod credential;
mod endpoint;
mod error;
mod impersonation;
mod token;

pub use client::{Freshness, GcpCall, GcpClient};
pub use credential::{GcpCredential, InvalidServiceAccountKey, ServiceAccountKey};
pub use endpoint::{GcpEndpoint, InvalidEndpoint};
pub use error::{GcpError, GcpErrorKind, GcpErrorParts};
pub use impersonation::{InvalidServiceAccount, ServiceAccountEmail};
pub use token::TokenSource;
