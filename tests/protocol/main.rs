//! Tests the plugin protocol over the wire, with a real process.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod binary;
mod calls;
mod debug;
mod planned;
mod probe;
mod process;
mod replacement;
mod resources;
mod secrecy;
mod terraform;
mod timeouts;
