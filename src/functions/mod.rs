//! Provider-defined functions, one file each.
