//! The rules for names under which the names of all objects are proven distinct.
//!
//! The property tests of remote names cover every separator with every limit. A
//! vendor whose rules are within these bounds needs no proof of its own.

/// The separators of a name's parts.
pub const SEPARATORS: [&str; 3] = ["/", "_", "--"];

/// The shortest limit for a name, in bytes. Nearly all names are cut there.
pub const SHORTEST_LIMIT: usize = 40;
