//! OpenBAO as it is: client, store, KEK and catalog against the real server.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "support/reading/mod.rs"]
mod reading;
#[path = "support/store_faults/mod.rs"]
mod store_faults;
#[path = "openbao/support/mod.rs"]
mod support;

#[path = "openbao/auth.rs"]
mod auth;
#[path = "openbao/cas_required.rs"]
mod cas_required;
#[path = "openbao/catalog.rs"]
mod catalog;
#[path = "openbao/cluster.rs"]
mod cluster;
#[path = "openbao/conformance.rs"]
mod conformance;
#[path = "openbao/earlier.rs"]
mod earlier;
#[path = "openbao/faults.rs"]
mod faults;
#[path = "openbao/fences.rs"]
mod fences;
#[path = "openbao/limits.rs"]
mod limits;
#[path = "openbao/own.rs"]
mod own;
#[path = "openbao/own_conformance.rs"]
mod own_conformance;
#[path = "openbao/own_diagnostics.rs"]
mod own_diagnostics;
#[path = "openbao/policy.rs"]
mod policy;
#[path = "openbao/quotas.rs"]
mod quotas;
#[path = "openbao/setup.rs"]
mod setup;
#[path = "openbao/store.rs"]
mod store;
#[path = "openbao/tls.rs"]
mod tls;
#[path = "openbao/transit.rs"]
mod transit;
#[path = "openbao/vault.rs"]
mod vault;
