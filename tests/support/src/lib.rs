//! Support code that several test suites use.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(
    missing_docs,
    missing_debug_implementations,
    reason = "read by the tests beside it only"
)]

pub mod attacks;
pub mod extent;
pub mod keys;
pub mod plugin_client;
pub mod reading;
pub mod refresh_listing;
pub mod second_implementation;
pub mod secret_requests;
pub mod store_faults;
pub mod wrapping;
