//! Google Cloud's Secret Manager, as the fake of `xtask::gcp` has it.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "support/reading/mod.rs"]
mod reading;
#[path = "support/store_faults/mod.rs"]
mod store_faults;
#[path = "gcp/support.rs"]
mod support;

#[path = "gcp/ambient.rs"]
mod ambient;
#[path = "gcp/auth.rs"]
mod auth;
#[path = "gcp/conformance.rs"]
mod conformance;
#[path = "gcp/fault_suite.rs"]
mod fault_suite;
#[path = "gcp/faults.rs"]
mod faults;
#[path = "gcp/official.rs"]
mod official;
#[path = "gcp/quotas.rs"]
mod quotas;
#[path = "gcp/refusals.rs"]
mod refusals;
#[path = "gcp/secrecy.rs"]
mod secrecy;
#[path = "gcp/store.rs"]
mod store;
