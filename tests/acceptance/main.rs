//! What must be shown with the real Terraform: on the embedded platform and on
//! a real OpenBAO, with every Terraform of this machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canary;
mod cluster;
mod crash;
mod drift;
mod ephemeral;
mod import;
mod inside;
mod lifecycle;
mod provider;
mod quickstart;
mod races;
mod replace;
mod scene;
mod steps;
mod values;
