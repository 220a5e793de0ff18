//! AWS Secrets Manager against its emulator, behind a front that is as strict
//! as AWS documents itself to be.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "support/reading/mod.rs"]
mod reading;
#[path = "support/store_faults/mod.rs"]
mod store_faults;
#[path = "aws/support/mod.rs"]
mod support;

#[path = "aws/boto.rs"]
mod boto;
#[path = "aws/conformance.rs"]
mod conformance;
#[path = "aws/faults.rs"]
mod faults;
#[path = "aws/grants.rs"]
mod grants;
#[path = "aws/identity.rs"]
mod identity;
#[path = "aws/ownership.rs"]
mod ownership;
#[path = "aws/quotas.rs"]
mod quotas;
#[path = "aws/refusals.rs"]
mod refusals;
#[path = "aws/retries.rs"]
mod retries;
#[path = "aws/secrecy.rs"]
mod secrecy;
#[path = "aws/versions.rs"]
mod versions;
