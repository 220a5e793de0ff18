//! Defines bounds on name rules within which the names of all objects are proven
//! distinct.
//!
//! The property tests of remote names cover every separator with every limit. Rules of
//! a vendor within these bounds need no proof of their own.

/// The separators of the parts of a name.
pub const SEPARATORS: [&str; 3] = ["/", "_", "--"];

/// The lowest limit of a name, in bytes. It truncates nearly all names.
pub const SHORTEST_LIMIT: usize = 40;
