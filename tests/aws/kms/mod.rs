//! Tests keys in AWS KMS.

mod attacks;
mod context;
mod denials;
mod identity;
mod offline;
mod properties;
mod regions;
mod resolve;
mod rotation;
mod states;
mod support;
