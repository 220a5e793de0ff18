//! Tests a customer's own key in Transit.

mod identity;
mod offline;
mod states;
pub(crate) mod support;
