//! Credentials for AWS, and AWS's SDK over the HTTP client of this project.
//!
//! The SDK signs, serializes and parses. [`crate::http`] has the connections, TLS,
//! retries, timeouts and counters. The SDK's own retries, timeouts and stalled stream
//! protection are therefore disabled.

mod connector;
mod error;
mod identity;
mod session;

pub use connector::SmithyHttpClient;
pub use error::{AwsError, AwsErrorKind};
pub use identity::{AssumeRole, AwsIdentitySettings, StaticCredential};
pub use session::AwsSession;
