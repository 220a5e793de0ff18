//! Tests everyday commands of Terraform besides a plain apply. Each one works as with any
//! other provider.

mod addresses;
mod imports;
mod opentofu;
mod plans;
pub(crate) mod testing;
mod workspaces;
