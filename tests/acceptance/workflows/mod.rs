//! Everyday commands of Terraform beside a plain apply: each behaves as it does
//! with any other provider.

mod addresses;
mod imports;
mod opentofu;
mod plans;
pub(crate) mod testing;
mod workspaces;
