//! The plugin protocol, over the wire and with a real process behind it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod binary;
mod debug;
mod planned;
mod probe;
mod process;
mod replacement;
mod resources;
mod secrecy;
mod terraform;
mod timeouts;
