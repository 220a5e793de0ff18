//! AWS Secrets Manager against its emulator, behind a front that is as strict
//! as AWS documents itself to be.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

mod boto;
mod conformance;
mod faults;
mod grants;
mod identity;
mod ownership;
mod quotas;
mod refusals;
mod retries;
mod secrecy;
mod versions;
