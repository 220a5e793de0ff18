//! Tests Google Cloud's Secret Manager against the fake of `xtask::gcp`.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

mod ambient;
mod auth;
mod child;
mod conformance;
mod fault_suite;
mod faults;
mod official;
mod quota_project;
mod quotas;
mod refusals;
mod secrecy;
mod store;
