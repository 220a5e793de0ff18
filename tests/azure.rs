//! Azure Key Vault as its fake has it: store, credentials, errors.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "support/reading/mod.rs"]
mod reading;
#[path = "support/store_faults/mod.rs"]
mod store_faults;
#[path = "azure/support.rs"]
mod support;

#[path = "azure/challenge.rs"]
mod challenge;
#[path = "azure/conformance.rs"]
mod conformance;
#[path = "azure/credentials.rs"]
mod credentials;
#[path = "azure/deletion.rs"]
mod deletion;
#[path = "azure/fault_suite.rs"]
mod fault_suite;
#[path = "azure/faults.rs"]
mod faults;
#[path = "azure/official.rs"]
mod official;
#[path = "azure/quotas.rs"]
mod quotas;
#[path = "azure/refusals.rs"]
mod refusals;
#[path = "azure/requests.rs"]
mod requests;
#[path = "azure/secrecy.rs"]
mod secrecy;
