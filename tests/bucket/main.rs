//! Tests the bucket platform against the stand-ins of `xtask::bucket`: moto for Amazon S3,
//! Azurite for Azure Blob Storage, and a fake of Google Cloud Storage.
//!
//! Each test runs on all three. The rounds of a test share one server for each service, so
//! that the suite is cheap.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod process;
mod stores;
mod support;

mod advice;
mod conformance;
mod denials;
mod depth;
mod fault_suite;
mod listing;
mod lost;
mod official;
mod probe;
mod races;
mod refused;
mod restored;
mod sweeps;
