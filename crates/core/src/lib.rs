//! Implements the use cases of a secrets manager over stores, catalogs and keys of any
//! vendor.
//!
//! [`operations`] has the use cases. [`catalog`] has the records and the trait of their
//! storage. [`store`] and [`kek`] have the traits that a vendor implements. The crate
//! depends on no vendor and on no caller. The feature `testing` adds an in-memory store
//! and the conformance suites that every implementation must pass.

// `pub` marks items for other crates. The compiler reports a `pub` item that no other
// crate can reach.
#![warn(unreachable_pub)]

pub mod boot_time;
pub mod catalog;
pub mod deadline;
pub mod error;
pub mod kek;
pub mod marks;
pub mod names;
pub mod operations;
pub mod store;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
