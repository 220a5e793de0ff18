//! What must be shown with the real Terraform: on the embedded platform and on
//! a real OpenBAO, with every Terraform of this machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificates;
mod diagnostics;
mod guide;
mod logins;
mod policies;
mod reading;
mod requests;
mod scene;
