//! Tests AWS Secrets Manager and AWS KMS against an emulator, behind a front with AWS's
//! documented rules.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

mod boto;
mod conformance;
mod faults;
mod grants;
mod identity;
mod kms;
mod ownership;
mod quotas;
mod refusals;
mod retries;
mod rewrap;
mod secrecy;
mod versions;
