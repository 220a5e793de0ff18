//! The use cases over a catalog, a store and a KEK that fail, race and lie on
//! demand.

#![expect(clippy::unwrap_used, reason = "tests")]

mod counts;
mod world;

use world::{Counts, World, create_of, generate_of, given, name, pairs, rotate, text};
