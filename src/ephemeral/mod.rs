//! Ephemeral resources, one file each.
