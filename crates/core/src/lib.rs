//! The use cases of a secrets manager, over stores, catalogs and keys of any vendor.
//!
//! [`operations`] holds the use cases, [`catalog`] the records and their storage's
//! trait, [`store`] and [`kek`] the traits that a vendor implements. Nothing here
//! knows a vendor, or who calls. With the feature `testing` come in-memory
//! references and the conformance suites that every implementation passes.

// `pub` means that another crate may use it, so the compiler finds what none can.
#![warn(unreachable_pub)]

pub mod catalog;
pub mod deadline;
pub mod error;
pub mod kek;
pub mod names;
pub mod operations;
pub mod store;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
