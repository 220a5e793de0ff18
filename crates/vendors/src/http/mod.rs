//! The HTTP client of all vendors: retries, timeouts, TLS, request counting.
//!
//! Of a request and its response, it logs only method, host, path, status, duration and
//! the number of the try. Queries, headers and bodies contain secrets; paths never do.

mod answer;
mod body;
#[cfg(any(test, feature = "testing"))]
mod canned;
mod client;
mod counter;
mod error;
mod retry;
mod secret_body;
mod spent;
mod target;
mod tls;

#[cfg(test)]
mod tests;

pub use answer::{HttpResponse, UnexpectedAnswer};
#[cfg(any(test, feature = "testing"))]
pub use canned::{CannedAnswer, CannedAnswers};
pub use client::{HttpClient, HttpRequest, HttpSettings, Proxies};
pub use counter::RequestCounter;
pub use error::{HttpError, HttpErrorKind};
pub use planton_core::deadline::OperationContext;
pub use retry::RetryPolicy;
#[cfg(feature = "testing")]
pub use retry::fuzz_retry_after;
pub(crate) use retry::retry_after;
pub(crate) use secret_body::{decode_secret, encode_secret, json_array, json_object, zeroizing};
pub(crate) use spent::Spent;
#[cfg(feature = "testing")]
pub use tls::fuzz_roots;
pub use tls::{ClientIdentity, Roots};
