//! AWS: identity, and the SDK's own clients run over this project's one HTTP
//! client.
//!
//! The SDK signs, serializes and parses; connections, TLS, retries, time limits
//! and counting are [`crate::http`]'s. So its own retries, time limits and the
//! watch over stalled streams are switched off.

mod connector;
mod error;
mod identity;
mod session;

pub use connector::SmithyHttpClient;
pub use error::{AwsError, AwsErrorKind};
pub use identity::{AssumeRole, AwsIdentitySettings, StaticCredential};
pub use session::AwsSession;
