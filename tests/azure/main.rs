//! Tests Azure Key Vault against its fake: store, keys, credentials, errors.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod kms_support;
mod support;

mod attacks;
mod challenge;
mod conformance;
mod credentials;
mod deletion;
mod fault_suite;
mod faults;
mod kms;
mod official;
mod official_keys;
mod offline;
mod quotas;
mod refusals;
mod requests;
mod secrecy;
