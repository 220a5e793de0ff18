//! Tests diagnostics: what failed, the likely cause, the remedy, at the attribute to
//! edit.

mod arguments;
mod functions;
mod import;
mod missing_arguments;
mod mistakes;
mod platform;
mod provider;
mod tampered;

pub(crate) use provider::aliased;
