//! Tests Google Cloud's Secret Manager and Cloud KMS against the fakes of `xtask::gcp`.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod kms_support;
mod support;

mod ambient;
mod attacks;
mod auth;
mod child;
mod conformance;
mod fault_suite;
mod faults;
mod kms;
mod official;
mod official_kms;
mod offline;
mod quota_project;
mod quotas;
mod refusals;
mod secrecy;
mod store;
