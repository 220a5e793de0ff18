//! Tests Azure Key Vault against its fake: store, credentials, errors.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

mod challenge;
mod conformance;
mod credentials;
mod deletion;
mod fault_suite;
mod faults;
mod official;
mod quotas;
mod refusals;
mod requests;
mod secrecy;
