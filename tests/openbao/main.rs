//! Tests client, store, KEK and catalog against a real OpenBAO.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

mod attacks;
mod auth;
mod batches;
mod cas_required;
mod catalog;
mod cluster;
mod conformance;
mod customers_key;
mod depth;
mod earlier;
mod faults;
mod fences;
mod limits;
mod marks;
mod own;
mod own_conformance;
mod own_diagnostics;
mod policy;
mod properties;
mod quotas;
mod refresh_listing;
mod rewrap;
mod setup;
mod store;
mod tls;
mod transit;
mod vault;
